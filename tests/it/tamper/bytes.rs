//! A proof's bytes changed without regard to what they mean: none is believed, and none makes the verifier panic.

use serin_circuits::codec::DecodeError;
use serin_datasets::synthetic::SplitMix64;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Place, Rejection};
use serin_verifier::verify::verify;

use super::{Answered, Kind, kind};
use crate::world::Net;

fn tiny(mode: Mode) -> Answered {
    Answered::new(Net::new(1, &[5]).dense(3).rescale(0).dense(2).finish(), 2, mode)
}

/// Every byte of the one, and some of the other's many more: steps that are no multiple of any word.
const STEPS: [(Mode, usize); 2] = [(Mode::Revealed, 1), (Mode::Succinct, 61)];

#[test]
fn proof_with_any_byte_changed_rejected() {
    for (mode, step) in STEPS {
        let honest = tiny(mode);
        for at in (0..honest.proof.len()).step_by(step) {
            for change in [1 << (at % 8), 0xff] {
                let mut proof = honest.proof.clone();
                proof[at] ^= change;
                assert!(verify(&honest.statement(), &proof).is_err(), "byte {at} ^ {change}");
            }
        }
        assert!(verify(&honest.statement(), &honest.proof).is_ok());
    }
}

#[test]
fn proof_cut_anywhere_or_continued_rejected() {
    for (mode, step) in STEPS {
        let honest = tiny(mode);
        for len in (0..honest.proof.len()).step_by(step) {
            let rejection = verify(&honest.statement(), &honest.proof[..len]).expect_err("cut");
            assert!(
                matches!(kind(&rejection.fault), Kind::Header | Kind::Truncated),
                "cut at {len}: {rejection}"
            );
        }
        for extra in [1, 16, 4096] {
            let proof = [&honest.proof[..], &vec![0; extra]].concat();
            let leftover = Rejection::new(Place::Proof, DecodeError::Leftover { extra });
            assert_eq!(verify(&honest.statement(), &proof).unwrap_err(), leftover);
        }
    }
}

#[test]
fn random_bytes_rejected() {
    let honest = Mode::ALL.map(tiny);
    let mut random = SplitMix64::new(77);
    for (round, honest) in (0..600usize).map(|round| (round, &honest[round % 2])) {
        // Some keep an honest beginning, so that every message meets noise.
        let keep = (round / 2 % 4) * honest.proof.len() / 4;
        let len = honest.proof.len() + round / 2 % 3;
        let noise =
            (keep..len).map(|_| random.next_word() as u8 & if round / 2 % 2 == 0 { 0xff } else { 0x7f });
        let proof: Vec<u8> = honest.proof[..keep].iter().copied().chain(noise).collect();
        assert!(verify(&honest.statement(), &proof).is_err(), "round {round}");
    }
}
