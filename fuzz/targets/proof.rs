//! The verifier on proofs that are almost honest: a proof is believed if and only if it is the honest one.
//!
//! The first byte's lowest bit, if set, edits the honest proof by the rest of the input, so that the fuzzer reaches every message; if not,
//! the rest is the proof itself. The next bit says the mode: clear for `revealed`, set for `succinct`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serin_fuzz::{Honest, edited};
use serin_verifier::proof::Mode;
use serin_verifier::verify::verify;

static HONEST: LazyLock<Honest> = LazyLock::new(Honest::new);

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let mode = Mode::ALL[usize::from(kind >> 1 & 1)];
    let honest = HONEST.proof(mode);
    let proof = if kind % 2 == 1 { edited(honest, rest) } else { rest.to_vec() };
    let believed = verify(&HONEST.statement(mode), &proof).is_ok();
    assert_eq!(believed, proof == honest);
});
