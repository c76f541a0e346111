//! Writes what the fuzzer starts from: `corpus/<target>/`.

use std::fs;
use std::io;
use std::path::Path;

use serin_circuits::weights::encode_model;
use serin_fuzz::{Honest, models};

fn main() -> io::Result<()> {
    let honest = Honest::new();
    seed("proof", "honest", &[&[0], honest.proof.as_slice()].concat())?;
    // One edit of each kind, and none.
    seed("proof", "unedited", &[1])?;
    for what in 0..6 {
        seed("proof", &format!("edit-{what}"), &[1, what, 0x34, 0x12 + 0x20 * what, 1])?;
    }
    for (i, model) in models().iter().enumerate() {
        seed("model", &i.to_string(), &encode_model(model.graph(), model.weights()))?;
        seed("graph", &i.to_string(), &model.graph().encode())?;
    }
    seed("record", "proved", &honest.entry().encode().map_err(io::Error::other)?)
}

fn seed(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let directory = Path::new("corpus").join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(format!("seed-{name}")), bytes)
}
