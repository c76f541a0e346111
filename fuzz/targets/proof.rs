//! The verifier on proofs that are almost honest: a proof is believed if and only if it is the honest one.
//!
//! An odd first byte edits the honest proof by the rest of the input, so that the fuzzer reaches every message; an even one
//! takes the rest as the proof itself.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serin_fuzz::{Honest, edited};
use serin_verifier::verify::verify;

static HONEST: LazyLock<Honest> = LazyLock::new(Honest::new);

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let proof = if kind % 2 == 1 { edited(&HONEST.proof, rest) } else { rest.to_vec() };
    let believed = verify(&HONEST.statement(), &proof).is_ok();
    assert_eq!(believed, proof == HONEST.proof);
});
