//! The shape of one batch: R queries, B copies of each, T canaries.

use serde::{Deserialize, Serialize};

use super::CanaryError;

/// R queries in B copies each and T canaries: N = R·B + T positions, at least one query and one copy, at most
/// [`Mix::MAX_POSITIONS`] positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Mix {
    queries: u64,
    copies: u64,
    canaries: u64,
}

impl Mix {
    /// The largest batch: 2^24 positions.
    pub const MAX_POSITIONS: u64 = 1 << 24;

    /// The mix of `queries` in `copies` each with `canaries`.
    ///
    /// # Errors
    /// No query, no copy, or more than [`Mix::MAX_POSITIONS`] positions.
    pub fn new(queries: u64, copies: u64, canaries: u64) -> Result<Self, CanaryError> {
        if queries == 0 {
            return Err(CanaryError::NoQueries);
        }
        if copies == 0 {
            return Err(CanaryError::NoCopies);
        }
        let positions = queries.checked_mul(copies).and_then(|asked| asked.checked_add(canaries));
        match positions {
            Some(n) if n <= Self::MAX_POSITIONS => Ok(Self { queries, copies, canaries }),
            _ => Err(CanaryError::TooManyPositions { queries, copies, canaries, limit: Self::MAX_POSITIONS }),
        }
    }

    /// R.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.queries
    }

    /// B.
    #[must_use]
    pub fn copies(&self) -> u64 {
        self.copies
    }

    /// T.
    #[must_use]
    pub fn canaries(&self) -> u64 {
        self.canaries
    }

    /// R·B, the positions that hold a copy of a query.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.queries * self.copies
    }

    /// N = R·B + T.
    #[must_use]
    pub fn positions(&self) -> u64 {
        self.asked() + self.canaries
    }

    /// N / R: inferences paid for one answer.
    #[must_use]
    pub fn overhead(&self) -> f64 {
        self.positions() as f64 / self.queries as f64
    }
}

/// What is read before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    queries: u64,
    copies: u64,
    canaries: u64,
}

impl TryFrom<Unchecked> for Mix {
    type Error = CanaryError;

    fn try_from(read: Unchecked) -> Result<Self, CanaryError> {
        let Unchecked { queries, copies, canaries } = read;
        Self::new(queries, copies, canaries)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn mix_overflowing_product_refused() {
        assert!(matches!(Mix::new(u64::MAX, 2, 0), Err(CanaryError::TooManyPositions { .. })));
        assert!(matches!(Mix::new(1, 1, u64::MAX), Err(CanaryError::TooManyPositions { .. })));
        assert!(Mix::new(1, 1, Mix::MAX_POSITIONS - 1).is_ok());
        assert_eq!(Mix::new(0, 1, 1), Err(CanaryError::NoQueries));
        assert_eq!(Mix::new(1, 0, 1), Err(CanaryError::NoCopies));
    }

    #[test]
    fn mix_read_from_json_checked() {
        let mix = Mix::new(10, 10, 9).unwrap();
        let json = serde_json::to_string(&mix).unwrap();
        assert_eq!(json, r#"{"queries":10,"copies":10,"canaries":9}"#);
        assert_eq!(serde_json::from_str::<Mix>(&json).unwrap(), mix);
        assert!(serde_json::from_str::<Mix>(r#"{"queries":0,"copies":1,"canaries":0}"#).is_err());
        assert!(serde_json::from_str::<Mix>(r#"{"queries":1,"copies":1,"canaries":0,"x":1}"#).is_err());
    }
}
