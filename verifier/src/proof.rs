//! The form of a proof: a header, then the messages of the conversation in order, nothing else.
//!
//! The header names format, version, mode and suite (Goldilocks², the rate and columns of each commitment's Reed–Solomon code, SHA-256).
//! Sizes are not written: every one follows from the statement ([`crate::script`]).

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
            Mode::Revealed => "serin-proof/1 revealed goldilocks2-rs4-150-sha256\n",
            Mode::Succinct => "serin-proof/1 succinct goldilocks2-rs4-150-rs2-246-sha256\n",
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
