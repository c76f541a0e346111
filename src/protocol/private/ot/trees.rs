//! Puncturable trees: the sender knows all 2^h leaves of a tree, the receiver all but one of its choice.
//!
//! The tree of Goldreich, Goldwasser and Micali under [`Doubler`], as single-point correlated transfers use it
//! [Boyle et al. 2019; Yang, Weng, Lan, Zhang, Wang 2020 ("Ferret"), Figure 5]. For level i = 1…h the sender offers
//! K_{i,0} and K_{i,1}, the sums of the left and of the right nodes of that level; of the path α the receiver learns
//! K_{i,1−α_i}, which gives it the sibling of every node on the path. Last, c = Δ ⊕ Σ leaves gives it v_α ⊕ Δ in place of v_α.
//!
//! Leaves have a lowest bit of zero, Δ has one: whatever arrives, the receiver's leaves carry in that bit where it punctured.
//! Whether a sender's sums are those of one tree is checked elsewhere, over all trees at once.
//!
//! The receiver's addresses, not its branches, depend on its secret paths: who shares its caches is not held off.

use super::hash::Doubler;

/// The sender's tree: fills `leaves`, a power of two of them, and returns the sums of every level.
pub(super) fn grow(doubler: &mut Doubler, root: u128, leaves: &mut [u128]) -> Vec<[u128; 2]> {
    leaves[0] = root;
    let depth = leaves.len().ilog2();
    let sums = (1..=depth).map(|level| {
        doubler.expand(leaves, 1 << (level - 1));
        let nodes = &mut leaves[..1 << level];
        if level == depth {
            nodes.iter_mut().for_each(|leaf| *leaf &= !1);
        }
        sums(nodes)
    });
    sums.collect()
}

/// The receiver's tree, punctured at the leaf whose path from the root is the complement of the bits of `known`, where
/// `known` says for every level which sum `sums` holds. The leaf itself becomes `correction` ⊕ all other leaves. Returns
/// its place.
pub(super) fn puncture(
    doubler: &mut Doubler,
    known: &[bool],
    sums_known: &[u128],
    correction: u128,
    leaves: &mut [u128],
) -> usize {
    let (mut path, depth) = (0, known.len());
    leaves[0] = 0;
    for (level, (right, sum)) in (1..).zip(known.iter().zip(sums_known)) {
        doubler.expand(leaves, 1 << (level - 1));
        let nodes = &mut leaves[..1 << level];
        let sibling = 2 * path + usize::from(*right);
        path = 2 * path + usize::from(!right);
        nodes[sibling] = 0;
        nodes[path] = 0;
        if level == depth {
            nodes.iter_mut().for_each(|leaf| *leaf &= !1);
        }
        let known = sums(nodes)[usize::from(*right)] ^ sum;
        nodes[sibling] = if level == depth { known & !1 } else { known };
    }
    leaves[path] = (correction ^ leaves.iter().fold(0, |sum, leaf| sum ^ leaf)) | 1;
    path
}

/// The sums of even and of odd nodes.
fn sums(nodes: &[u128]) -> [u128; 2] {
    nodes.as_chunks::<2>().0.iter().fold([0; 2], |[even, odd], [left, right]| [even ^ left, odd ^ right])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn punctured_tree_is_the_tree_but_for_delta_at_one_leaf(
            root: u128, delta: u128, path in 1..=9usize, bits: u16, session: [u8; 32],
        ) {
            let (delta, mut doubler) = (delta | 1, Doubler::new(&session));
            let known: Vec<bool> = (0..path).map(|i| bits >> i & 1 == 1).collect();
            let (mut whole, mut punctured) = (vec![0; 1 << path], vec![0; 1 << path]);
            let sums = grow(&mut doubler, root, &mut whole);
            let correction = whole.iter().fold(delta, |sum, leaf| sum ^ leaf);
            let given: Vec<u128> = sums.iter().zip(&known).map(|(pair, b)| pair[usize::from(*b)]).collect();
            let place = puncture(&mut doubler, &known, &given, correction, &mut punctured);
            prop_assert_eq!(place, known.iter().fold(0, |place, b| 2 * place + usize::from(!b)));
            whole[place] ^= delta;
            prop_assert_eq!(whole, punctured);
        }
    }
}
