//! Caps on what a verifier is willing to look at, checked before anything is allocated.
//!
//! Every size in a proof follows from the statement; these bound the statement itself.

/// Most samples in one batch, canaries and copies included.
pub const MAX_BATCH: usize = 1 << 20;

/// Most entries of all tensors over the whole batch: 4 GiB. A graph may call for all of them at once, so none counts alone.
pub const MAX_BATCH_ENTRIES: usize = 1 << 30;

/// Most steps of recomputing a batch: about a minute. A few bytes of graph can ask for windows of 2^26 entries each.
pub const MAX_STEPS: u64 = 1 << 36;

/// Most entries of one sample that the checker of look-ups holds a challenge-field element for: 2 GiB.
pub const MAX_FORM_ENTRIES: usize = 1 << 27;

/// log₂ of the longest weight vector.
pub const MAX_COMMITTED_BITS: usize = serin_circuits::weights::MAX_BITS;

/// Most bytes in a server's name.
pub const MAX_SERVER_NAME: usize = 256;
