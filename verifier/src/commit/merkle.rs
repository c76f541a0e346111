//! A SHA-256 Merkle tree over columns of field elements, with one shared opening for many leaves.
//!
//! Leaves are SHA-256(0x00 ‖ canonical bytes), inner nodes SHA-256(0x01 ‖ left ‖ right). An opening of sorted distinct
//! positions sends, level by level from the leaves, the sibling of every known node whose sibling is not known too;
//! [`siblings`] lists them for both sides, so their number follows from the positions.

use serin_circuits::codec::Digest;
use serin_circuits::field::Fp;
use sha2::{Digest as _, Sha256};

/// The hash of a column.
pub fn leaf(column: &[Fp]) -> Digest {
    let mut hash = Sha256::new();
    hash.update([0]);
    let mut bytes = [0; 1024];
    for part in column.chunks(bytes.len() / 8) {
        for (slot, v) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(part) {
            *slot = v.value.to_le_bytes();
        }
        hash.update(&bytes[..8 * part.len()]);
    }
    hash.finalize().into()
}

/// The hash of two children.
pub fn node(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The nodes an opening sends, as (level, index), level 0 being the leaves. `positions` are sorted and distinct.
pub fn siblings(positions: &[usize], depth: usize) -> Vec<(usize, usize)> {
    let mut sent = Vec::new();
    let mut known = positions.to_vec();
    for level in 0..depth {
        let mut parents = Vec::with_capacity(known.len());
        let mut i = 0;
        while i < known.len() {
            let sibling = known[i] ^ 1;
            if known.get(i + 1) == Some(&sibling) {
                i += 1;
            } else {
                sent.push((level, sibling));
            }
            parents.push(sibling >> 1);
            i += 1;
        }
        known = parents;
    }
    sent
}

/// The root that sorted distinct leaves and an opening give; `None` if the opening is too short or too long.
pub fn root(leaves: Vec<(usize, Digest)>, depth: usize, path: &[Digest]) -> Option<Digest> {
    let mut sent = path.iter();
    let mut known = leaves;
    for _ in 0..depth {
        let mut parents = Vec::with_capacity(known.len());
        let mut nodes = known.into_iter().peekable();
        while let Some((index, hash)) = nodes.next() {
            let sibling = match nodes.next_if(|(next, _)| *next == index ^ 1) {
                Some((_, sibling)) => sibling,
                None => *sent.next()?,
            };
            let parent = if index & 1 == 0 { node(&hash, &sibling) } else { node(&sibling, &hash) };
            parents.push((index >> 1, parent));
        }
        known = parents;
    }
    match (known.as_slice(), sent.next()) {
        ([(0, root)], None) => Some(*root),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn opening_of_any_leaves_reaches_the_root(depth in 0usize..7, picks in proptest::collection::btree_set(0usize..64, 1..12)) {
            let mut levels: Vec<Vec<Digest>> = vec![(0..1u64 << depth).map(|i| leaf(&[Fp::from_raw(i)])).collect()];
            for level in 0..depth {
                let next = levels[level].chunks_exact(2).map(|pair| node(&pair[0], &pair[1])).collect();
                levels.push(next);
            }
            let positions: Vec<usize> = picks.into_iter().filter(|p| *p < 1 << depth).collect();
            prop_assume!(!positions.is_empty());
            let mut path: Vec<Digest> = siblings(&positions, depth).iter().map(|(l, i)| levels[*l][*i]).collect();
            let leaves: Vec<_> = positions.iter().map(|p| (*p, levels[0][*p])).collect();
            prop_assert_eq!(root(leaves.clone(), depth, &path), Some(levels[depth][0]));
            path.push([0; 32]);
            prop_assert_eq!(root(leaves, depth, &path), None);
        }
    }
}
