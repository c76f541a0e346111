//! Accuracies as they are typed and printed: fractions, 0.98 for 98 %.

use std::fmt;
use std::str::FromStr;

use serin_verifier::canary::{Level, Rate};

/// A fraction of right answers, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Accuracy(f64);

impl Accuracy {
    /// As a number.
    pub(super) fn value(self) -> f64 {
        self.0
    }

    /// The error rate it leaves; `None` at an accuracy of 0.
    pub(super) fn error(self) -> Option<Rate> {
        Rate::left_by(self.0).ok()
    }

    /// `right` answers of `asked`; `None` where nothing was asked.
    pub(super) fn of(right: usize, asked: usize) -> Option<Self> {
        (asked > 0).then(|| Self(right as f64 / asked as f64))
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} %", 100.0 * self.0)
    }
}

impl FromStr for Accuracy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(value) if (0.0..=1.0).contains(&value) => Ok(Self(value)),
            _ => Err("an accuracy is a fraction from 0 to 1, as 0.98".into()),
        }
    }
}

/// A test's error probability, as it is typed.
pub(super) fn level(text: &str) -> Result<Level, String> {
    let value = text.parse().map_err(|_| "a level is a number, as 0.001".to_owned())?;
    Level::new(value).map_err(|error| error.to_string())
}
