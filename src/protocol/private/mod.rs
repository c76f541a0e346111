//! Private inference between two parties: what its protocols stand on.
//!
//! | module | holds |
//! |---|---|
//! | [`ot`] | oblivious transfer, secure against a malicious sender and a malicious receiver |

pub mod ot;
