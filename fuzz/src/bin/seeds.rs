//! Writes what the fuzzer starts from: `corpus/<target>/`.

use std::fs;
use std::io;
use std::path::Path;

use serin_circuits::weights::encode_model;
use serin_fuzz::{Honest, models};
use serin_verifier::proof::Mode;

fn main() -> io::Result<()> {
    let honest = Honest::new();
    for (mode, bits) in Mode::ALL.into_iter().zip([0, 2]) {
        seed("proof", &format!("{mode}-honest"), &[&[bits], honest.proof(mode)].concat())?;
        // One edit of each kind, and none.
        seed("proof", &format!("{mode}-unedited"), &[bits | 1])?;
        for what in 0..6 {
            seed("proof", &format!("{mode}-edit-{what}"), &[bits | 1, what, 0x34, 0x12 + 0x20 * what, 1])?;
        }
        let entry = honest.entry(mode).encode().map_err(io::Error::other)?;
        seed("record", &format!("proved-{mode}"), &entry)?;
    }
    for (i, model) in models().iter().enumerate() {
        seed("model", &i.to_string(), &encode_model(model.graph(), model.weights()))?;
        seed("graph", &i.to_string(), &model.graph().encode())?;
    }
    Ok(())
}

fn seed(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let directory = Path::new("corpus").join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(format!("seed-{name}")), bytes)
}
