//! Symmetric primitives on 128-bit blocks, all from AES with a key fixed per session.
//!
//! * [`Tmmo`]: the tweakable correlation-robust hash H(x, i) = π(π(x) ⊕ i) ⊕ π(x), π = AES under a public key
//!   [Guo, Katz, Wang, Weng, Yu 2020, "Better concrete security for half-gates garbling", §7.4]. In the ideal-cipher
//!   model an adversary that makes p cipher queries tells q hashes under a shift Δ of 127 bits of entropy from random
//!   with advantage about 2pq · 2⁻¹²⁷: with q = 2³⁰ hashes per session, 96 bits against offline work. A tweak must never repeat in
//!   a session; the callers count them.
//! * [`Stream`]: AES in counter mode under a secret seed.
//! * [`Doubler`]: the length-doubling s ↦ (π₀(s) ⊕ s, π₁(s) ⊕ s) of a puncturable tree.
//! * [`fingerprint`]: the polynomial hash Σ X_j • K^(m−j+1) over GF(2¹²⁸) (POLYVAL's product •). For two distinct
//!   strings of m blocks and a random key, both hash alike with probability at most m · 2⁻¹²⁸.
//!
//! Blocks are `u128`, little endian wherever they become bytes. Keys of the fixed permutations derive from the session's
//! transcript, so two sessions share no permutation.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Block as AesBlock};
use polyval::Polyval;
use polyval::universal_hash::UniversalHash;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// What two sessions never share: a digest of the transcript that set them up.
pub(super) type Session = [u8; 32];

/// A key for `label` in this session.
fn key(session: &Session, label: &str) -> [u8; 16] {
    let digest = Sha256::new_with_prefix(label.as_bytes()).chain_update(session).finalize();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

fn cipher(key: [u8; 16]) -> Aes128 {
    Aes128::new(&key.into())
}

fn pack(blocks: &[u128], into: &mut [AesBlock]) {
    blocks.iter().zip(into).for_each(|(block, bytes)| *bytes = block.to_le_bytes().into());
}

fn read(bytes: &AesBlock) -> u128 {
    u128::from_le_bytes((*bytes).into())
}

/// The tweakable hash of one session.
#[derive(Clone)]
pub(super) struct Tmmo(Aes128);

impl Tmmo {
    pub(super) fn new(session: &Session) -> Self {
        Self(cipher(key(session, "serin ot: correlation-robust hash")))
    }

    /// Replaces every block by its hash, block i under tweak `first + i`.
    pub(super) fn hash(&self, blocks: &mut [u128], first: u128) {
        let (mut inner, mut outer) = ([AesBlock::default(); LANES], [AesBlock::default(); LANES]);
        for (chunk, first) in blocks.chunks_mut(LANES).zip((first..).step_by(LANES)) {
            let (inner, outer) = (&mut inner[..chunk.len()], &mut outer[..chunk.len()]);
            pack(chunk, inner);
            self.0.encrypt_blocks(inner);
            for ((block, inner), tweak) in chunk.iter_mut().zip(&*inner).zip(first..) {
                *block = read(inner) ^ tweak;
            }
            pack(chunk, outer);
            self.0.encrypt_blocks(outer);
            for ((block, inner), outer) in chunk.iter_mut().zip(&*inner).zip(&*outer) {
                *block = read(inner) ^ read(outer);
            }
        }
    }
}

/// A pseudorandom stream of blocks.
#[derive(Clone)]
pub(super) struct Stream {
    cipher: Aes128,
    next: u128,
}

impl Stream {
    pub(super) fn new(seed: u128) -> Self {
        Self { cipher: cipher(seed.to_le_bytes()), next: 0 }
    }

    /// A stream both sides know: public coins of this session.
    pub(super) fn public(session: &Session, label: &str) -> Self {
        Self { cipher: cipher(key(session, label)), next: 0 }
    }

    /// Fills `blocks` with the next of the stream.
    pub(super) fn fill(&mut self, blocks: &mut [u128]) {
        let mut bytes = [AesBlock::default(); LANES];
        for chunk in blocks.chunks_mut(LANES) {
            let bytes = &mut bytes[..chunk.len()];
            for (bytes, counter) in bytes.iter_mut().zip(self.next..) {
                *bytes = counter.to_le_bytes().into();
            }
            self.next += chunk.len() as u128;
            self.cipher.encrypt_blocks(bytes);
            chunk.iter_mut().zip(&*bytes).for_each(|(block, bytes)| *block = read(bytes));
        }
    }
}

/// The generator of a puncturable tree, with room to work in.
pub(super) struct Doubler {
    ciphers: [Aes128; 2],
    parents: [u128; WIDEST],
    children: [[AesBlock; WIDEST]; 2],
}

impl Doubler {
    pub(super) fn new(session: &Session) -> Self {
        let cipher = |label| cipher(key(session, label));
        Self {
            ciphers: ["serin ot: left child", "serin ot: right child"].map(cipher),
            parents: [0; WIDEST],
            children: [[AesBlock::default(); WIDEST]; 2],
        }
    }

    /// Replaces the first `count` of `nodes` by their `2 · count` children, those of node j at 2j and 2j + 1.
    pub(super) fn expand(&mut self, nodes: &mut [u128], count: usize) {
        let [left, right] = &mut self.children;
        for start in (0..count).step_by(WIDEST).rev() {
            let parents = &mut self.parents[..WIDEST.min(count - start)];
            parents.copy_from_slice(&nodes[start..start + parents.len()]);
            pack(parents, left);
            *right = *left;
            // All lanes, used or not: a narrow call costs more than a full one.
            self.ciphers[0].encrypt_blocks(left);
            self.ciphers[1].encrypt_blocks(right);
            let pairs = nodes[2 * start..2 * (start + parents.len())].as_chunks_mut::<2>().0;
            for ((pair, parent), (left, right)) in
                pairs.iter_mut().zip(&*parents).zip(left.iter().zip(&*right))
            {
                *pair = [read(left) ^ parent, read(right) ^ parent];
            }
        }
    }
}

impl Drop for Doubler {
    fn drop(&mut self) {
        self.parents.zeroize();
        self.children.as_flattened_mut().fill(AesBlock::default());
    }
}

/// The product • of POLYVAL: commutative, associative, linear in both.
pub(super) fn product(a: u128, b: u128) -> u128 {
    fingerprint(b, &[a])
}

/// The polynomial hash of `blocks` under `key`.
pub(super) fn fingerprint(key: u128, blocks: &[u128]) -> u128 {
    let mut hash = Polyval::new(&key.to_le_bytes().into());
    let mut bytes = [polyval::Block::default(); LANES];
    for chunk in blocks.chunks(LANES) {
        chunk.iter().zip(&mut bytes).for_each(|(block, bytes)| *bytes = block.to_le_bytes().into());
        hash.update(&bytes[..chunk.len()]);
    }
    u128::from_le_bytes(hash.finalize().into())
}

/// Blocks that the cipher's widest backend takes at once.
const WIDEST: usize = 64;
/// Blocks handed to the cipher at once, as every call has some work of its own.
const LANES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_in_batches_is_the_hash_block_by_block() {
        let hash = Tmmo::new(&[7; 32]);
        let mut batch: Vec<u128> = (0..200).map(|i| i * 0x1234_5678_9abc).collect();
        let mut single = batch.clone();
        hash.hash(&mut batch, 40);
        single.iter_mut().zip(40..).for_each(|(block, tweak)| hash.hash(std::slice::from_mut(block), tweak));
        assert_eq!(batch, single);
        let mut other = [0x1234_5678_9abc];
        hash.hash(&mut other, 42);
        assert_ne!(other[0], batch[1], "another tweak, another hash");
    }

    #[test]
    fn hash_is_the_published_composition() {
        let cipher = cipher(key(&[1; 32], "serin ot: correlation-robust hash"));
        let apply = |x: u128| {
            let mut block: AesBlock = x.to_le_bytes().into();
            cipher.encrypt_block(&mut block);
            read(&block)
        };
        let mut blocks = [99];
        Tmmo::new(&[1; 32]).hash(&mut blocks, 5);
        assert_eq!(blocks[0], apply(apply(99) ^ 5) ^ apply(99));
    }

    #[test]
    fn stream_goes_on_where_it_stopped() {
        let (mut whole, mut parts) = ([0; 150], [0; 150]);
        Stream::new(3).fill(&mut whole);
        let mut stream = Stream::new(3);
        stream.fill(&mut parts[..70]);
        stream.fill(&mut parts[70..]);
        assert_eq!(whole, parts);
    }

    #[test]
    fn children_are_those_of_each_parent_alone() {
        let mut doubler = Doubler::new(&[4; 32]);
        let mut nodes: Vec<u128> = (100..300).chain(std::iter::repeat_n(0, 200)).collect();
        doubler.expand(&mut nodes, 200);
        for (parent, pair) in (100..300).zip(nodes.chunks(2)) {
            let mut alone = [parent, 0];
            doubler.expand(&mut alone, 1);
            assert_eq!(alone, pair);
            assert_ne!(alone[0], alone[1]);
        }
    }

    #[test]
    fn product_is_that_of_a_field_and_the_fingerprints() {
        let (a, b, c) = (0x1234_5678_9abc_def0 << 60, u128::MAX / 5, 3 << 100);
        assert_eq!(product(a, b), product(b, a));
        assert_eq!(product(product(a, b), c), product(a, product(b, c)));
        assert_eq!(product(a ^ c, b), product(a, b) ^ product(c, b));
        assert_eq!(fingerprint(c, &[a, b]), product(a, product(c, c)) ^ product(b, c));
    }

    #[test]
    fn fingerprint_is_linear_and_its_last_block_masks_it() {
        let (a, b): (Vec<u128>, Vec<u128>) = ((1..100).collect(), (5..104).map(|i| i << 90).collect());
        let sum: Vec<u128> = a.iter().zip(&b).map(|(a, b)| a ^ b).collect();
        assert_eq!(fingerprint(77, &a) ^ fingerprint(77, &b), fingerprint(77, &sum));
        let mut masked = a.clone();
        masked.push(9);
        let without = fingerprint(77, &masked);
        masked[99] = 10;
        assert_ne!(without, fingerprint(77, &masked));
    }
}
