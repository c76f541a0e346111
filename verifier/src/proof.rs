//! The form of a proof: a header, then the messages of the conversation in order, nothing else.
//!
//! The header names format, version, mode and suite: Goldilocks² for challenges, Reed–Solomon codes for commitments with their
//! queries counted for unique decoding, SHA-256 for trees. Neither sizes nor the rates of the codes are written: with this
//! version all follow from the statement ([`crate::script`], [`crate::commit::Shape`], [`crate::commit::Code`]).

use std::fmt;
use std::str::FromStr;

/// What a proof hides and how it treats non-linear nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Activations are sent; the client recomputes the non-linear nodes.
    #[default]
    Revealed,
    /// Activations stay with the server; non-linear nodes are proved by look-ups.
    Succinct,
}

impl Mode {
    /// Both.
    pub const ALL: [Mode; 2] = [Mode::Revealed, Mode::Succinct];

    /// The exact header of a proof in this mode.
    pub fn header(self) -> &'static str {
        match self {
            Mode::Revealed => "serin-proof/2 revealed goldilocks2-rs-unique-sha256\n",
            Mode::Succinct => "serin-proof/2 succinct goldilocks2-rs-unique-sha256\n",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Revealed => "revealed",
            Mode::Succinct => "succinct",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no mode has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no mode `{0}`; choose revealed or succinct")]
pub struct UnknownMode(pub String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        let named = Self::ALL.into_iter().find(|mode| mode.name() == name);
        named.ok_or_else(|| UnknownMode(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_by_its_name_is_itself_and_by_another_refused() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert!(mode.header().contains(&format!(" {mode} ")));
        }
        assert_eq!("Succinct".parse::<Mode>(), Err(UnknownMode("Succinct".into())));
    }
}
