//! Openings of both kinds, honest and not.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod cheats;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serin_circuits::field::{from_i64, lift};
use serin_circuits::poly::evaluate;
use serin_verifier::commit::{Code, open};
use serin_verifier::rejection::{Fault, Rejection};
use serin_verifier::script::{Checking, Coins, MerlinCoins, Message, Proving, Script};

use super::*;

fn codes() -> [Code; 3] {
    [Code::WEIGHTS, Code::of_batch(1), Code::of_batch(usize::MAX)]
}

fn any_vector(len: usize, seed: u32) -> Vec<i32> {
    (0..len as u32).map(|i| (seed ^ i).wrapping_mul(0x9E37_79B9) as i32 >> 16).collect()
}

/// A commitment whose openings commit their row.
fn recursive(seed: u32) -> Commitment {
    let shape = Shape::new(200_000, 18, Code::WEIGHTS);
    assert!(shape.row().is_some());
    Commitment::new(any_vector(200_000, seed), shape)
}

/// A commitment whose openings say it.
fn flat(seed: u32, code: Code) -> Commitment {
    let shape = Shape::new(3000, 12, code);
    assert_eq!(shape.row(), None);
    Commitment::new(any_vector(3000, seed), shape)
}

fn merlin(seed: u32) -> MerlinCoins {
    let mut coins = MerlinCoins::new();
    coins.absorb("trial", &seed.to_le_bytes());
    coins
}

/// The point that these coins draw first.
fn point<S: Script>(script: &mut S, shape: Shape) -> Vec<Ext> {
    script.coins("z", shape.row_bits() + shape.column_bits())
}

fn proved<C: Coins>(coins: C, shape: Shape, root: &Digest, opener: &dyn Opener) -> Vec<u8> {
    let mut proving = Proving::new(coins, b"");
    let z = point(&mut proving, shape);
    open(&mut proving, shape, root, &z, Some(opener)).unwrap();
    let proof = proving.finish();
    assert!(proof.len() <= shape.opening_cap());
    proof
}

/// What a checker makes of an opening: the value, and what was said.
fn checked<C: Coins>(
    coins: C,
    shape: Shape,
    root: &Digest,
    proof: &[u8],
) -> Result<(Ext, Vec<Message>), Rejection> {
    let mut checking = Checking::new(coins, "", proof)?;
    let z = point(&mut checking, shape);
    let value = open(&mut checking, shape, root, &z, None)?;
    Ok((value.unwrap(), checking.finish()?))
}

/// The true value at the point that these coins draw.
fn truth<C: Coins>(coins: C, commitment: &Commitment) -> Ext {
    let z = point(&mut Proving::new(coins, b""), commitment.shape());
    let mut table: Vec<Ext> = commitment.vector.iter().map(|v| lift(from_i64(i64::from(*v)))).collect();
    table.resize(1 << z.len(), Ext::default());
    evaluate(&table, &z)
}

fn assert_opens(commitment: &Commitment, seed: u32) {
    let (shape, root) = (commitment.shape(), commitment.root());
    let proof = proved(merlin(seed), shape, root, commitment);
    let (value, _) = checked(merlin(seed), shape, root, &proof).unwrap();
    assert_eq!(value, truth(merlin(seed), commitment));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn opening_of_any_short_vector_gives_its_extension(bits in 0usize..13, part in 0.0..1.0f64, seed in any::<u32>()) {
        for code in codes() {
            let used = (1 + (part * (bits as f64).exp2()) as usize).min(1 << bits);
            assert_opens(&Commitment::new(any_vector(used, seed), Shape::new(used, bits, code)), seed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn opening_of_any_long_vector_gives_its_extension(bits in 15usize..20, part in 0.4..1.0f64, seed in any::<u32>()) {
        for code in codes() {
            let used = (1 + (part * (bits as f64).exp2()) as usize).min(1 << bits);
            assert_opens(&Commitment::new(any_vector(used, seed), Shape::new(used, bits, code)), seed);
        }
    }
}

#[test]
fn openings_of_both_codes_recurse_from_some_length_on() {
    for code in codes() {
        let recurses = |bits: usize| Shape::new(1 << bits, bits, code).row().is_some();
        assert!((0..14).all(|bits| !recurses(bits)) && (18..26).all(recurses));
    }
}

#[test]
fn message_of_any_opening_altered_rejected() {
    let commitments = codes().map(|code| flat(7, code)).into_iter().chain([recursive(7)]);
    for commitment in commitments {
        let (shape, root) = (commitment.shape(), commitment.root());
        let proof = proved(merlin(1), shape, root, &commitment);
        let (_, outline) = checked(merlin(1), shape, root, &proof).unwrap();
        let labels: BTreeSet<_> = outline.iter().map(|message| message.label).collect();
        assert_eq!(labels.len(), if shape.row().is_some() { 8 } else { 3 });
        for message in outline.iter().filter(|message| !message.bytes.is_empty()) {
            let mut altered = proof.clone();
            altered[message.bytes.start] ^= 1;
            let fault = checked(merlin(1), shape, root, &altered).unwrap_err().fault;
            // What stands before a draw of columns has other ones drawn, of which there may be more; those opened are not they.
            let other = |fault: &Fault| matches!(fault, Fault::Malformed(_));
            let known = match message.label {
                "row" => matches!(fault, Fault::Path | Fault::Column { .. }) || other(&fault),
                "value" | "row root" => matches!(fault, Fault::Path) || other(&fault),
                "columns" | "path" => fault == Fault::Path,
                "round" | "row of row" => fault == Fault::RowPath || other(&fault),
                "columns of row" | "path of row" => fault == Fault::RowPath,
                _ => false,
            };
            assert!(known, "{}: {fault:?}", message.label);
        }
        let mut other = any_vector(commitment.vector.len(), 7);
        other[99] += 1;
        let other = Commitment::new(other, shape);
        assert_eq!(checked(merlin(1), shape, other.root(), &proof).unwrap_err().fault, Fault::Path);
    }
}

#[test]
fn hostile_bytes_of_an_opening_rejected_without_panic() {
    for commitment in [flat(3, Code::WEIGHTS), recursive(3)] {
        let (shape, root) = (commitment.shape(), commitment.root());
        let proof = proved(merlin(2), shape, root, &commitment);
        let mut draw = 1u64;
        for _ in 0..150 {
            draw = draw.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            let at = (draw >> 20) as usize % proof.len();
            let mut altered = proof.clone();
            match draw >> 62 {
                0 => altered.truncate(at),
                1 => altered[at..].fill(0xff),
                2 => drop(altered.remove(at)),
                _ => altered[at] ^= 1 + (draw >> 50) as u8 % 255,
            }
            assert!(altered == proof || checked(merlin(2), shape, root, &altered).is_err(), "at {at}");
        }
    }
}
