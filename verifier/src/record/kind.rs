//! How a batch is asked: without a proof, or with one in a [`Mode`].
//!
//! A kind has one code, in records and messages alike. For people and programs it is two words: the protocol (`plain`, `proved` or `private`) and,
//! where there is a proof, its mode.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::proof::Mode;

/// How a batch is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "protocol", content = "mode", rename_all = "snake_case")]
pub enum Kind {
    /// In the clear, and without a proof: only canaries and copies speak for an answer.
    Plain,
    /// In the clear, with a proof against the committed weights.
    Proved(Mode),
    /// Between two parties, of whom the server sees nothing of the questions; without a proof, so that only canaries and copies speak
    /// for an answer, which the server cannot tell apart.
    Private,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::Plain, Self::Proved(Mode::Revealed), Self::Proved(Mode::Succinct), Self::Private];

    /// The kind with this code, as records and messages carry it.
    pub fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Its code.
    pub fn code(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Proved(Mode::Revealed) => 1,
            Self::Proved(Mode::Succinct) => 2,
            Self::Private => 3,
        }
    }

    /// The mode of its proof, if it has one.
    pub fn mode(self) -> Option<Mode> {
        match self {
            Self::Plain | Self::Private => None,
            Self::Proved(mode) => Some(mode),
        }
    }

    /// Whether the server sees nothing of the questions, and so cannot tell canaries and copies apart.
    pub fn hides_questions(self) -> bool {
        self == Self::Private
    }

    /// The protocol's name, whatever the mode.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Proved(_) => "proved",
            Self::Private => "private",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode() {
            None => f.pad(self.protocol()),
            Some(mode) => f.pad(&format!("{} ({mode})", self.protocol())),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn kind_of_its_code_and_of_its_json_is_itself() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.code()), Some(kind));
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json["protocol"], kind.protocol());
            assert_eq!(json.get("mode").and_then(|mode| mode.as_str()), kind.mode().map(Mode::name));
            assert_eq!(serde_json::from_value::<Kind>(json).unwrap(), kind);
        }
        assert_eq!(Kind::of(Kind::ALL.len() as u8), None);
        assert_eq!(Kind::Proved(Mode::Succinct).to_string(), "proved (succinct)");
    }
}
