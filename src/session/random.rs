//! Fresh randomness: everything here comes from the operating system, drawn anew for each session.
//!
//! The session's bytes are the system's own; the shuffle's integers come from a cryptographic generator (ChaCha12) that the system
//! seeds with 256 bits and that lives for one session.

use rand::rngs::{StdRng, SysError, SysRng};
use rand::{RngExt, SeedableRng, TryRng};

/// One session's randomness. Nothing of it is shown.
pub struct Randomness {
    shuffle: StdRng,
}

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no randomness: {0}; nothing safe can be asked without it")]
pub struct RandomnessError(#[from] SysError);

impl std::fmt::Debug for Randomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Randomness").finish_non_exhaustive()
    }
}

impl Randomness {
    /// Seeded by the operating system.
    ///
    /// # Errors
    /// [`RandomnessError`].
    pub fn fresh() -> Result<Self, RandomnessError> {
        Ok(Self { shuffle: StdRng::try_from_rng(&mut SysRng)? })
    }

    /// A session's 32 bytes.
    ///
    /// # Errors
    /// [`RandomnessError`].
    pub fn session(&mut self) -> Result<[u8; 32], RandomnessError> {
        let mut bytes = [0; 32];
        SysRng.try_fill_bytes(&mut bytes)?;
        Ok(bytes)
    }

    /// An integer uniform in 0..n, up to a bias of n·2^−64; 0 for n = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.shuffle.random_range(0..n.max(1))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn randomness_drawn_twice_differs() {
        let [mut a, mut b] = [Randomness::fresh().unwrap(), Randomness::fresh().unwrap()];
        assert_ne!(a.session().unwrap(), b.session().unwrap());
        let draw = |r: &mut Randomness| [(); 8].map(|()| r.below(u64::MAX));
        assert_ne!(draw(&mut a), draw(&mut b));
        assert_eq!([a.below(0), a.below(1)], [0, 0]);
    }
}
