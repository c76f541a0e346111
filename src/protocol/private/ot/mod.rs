//! Oblivious transfer: of two messages (or N) the receiver learns the one it chooses, the sender not which.
//!
//! Secure against a malicious sender and a malicious receiver, without setup or trusted party. Either end of a link may be
//! sender: two instances, one each way, do for both directions.
//!
//! | file | is |
//! |---|---|
//! | `base` | 127 transfers from Diffie–Hellman: 8 KiB each way, some tens of milliseconds |
//! | `extend` | correlated transfers from those by symmetric cryptography: 16 bytes each |
//! | `silent`, `trees`, `lpn` | correlated transfers by learning parity with noise: 0.2 bytes each |
//! | `cot` | the stock that either fills ([`Supply`]), its pads and tweaks |
//! | [`Sender`], [`Receiver`] | random, chosen, correlated and 1-of-N transfers |
//! | [`Shape`] | how 1-of-N transfers of ℓ bits are packed |
//! | [`OtError`] | what went wrong, and by whose fault |
//! | `hash`, `transpose`, `wire` | the correlation-robust hash and generators; bit matrices; messages |
//!
//! Assumptions: decisional Diffie–Hellman on Ristretto, AES as an ideal cipher, SHA-2 as a random oracle; for
//! [`Supply::Silent`] also learning parity with regular noise. Errors: each file says its
//! own. **Aborts.** A receiver may try to guess bits of the sender's Δ: each wrong guess ends the session. A caller must
//! therefore end the *link* on any [`OtError::Peer`], tell the peer nothing, and never count a repeated attempt as a first.
//!
//! The caller must check that messages mean what they should: a malicious sender may offer any. It must also hand in a link that
//! is authentic where that matters (TLS with a pin): whoever sits between the ends may play either to the other.

mod base;
mod cot;
mod error;
mod extend;
mod hash;
mod lpn;
mod receiver;
mod sender;
mod shape;
mod silent;
mod transpose;
mod trees;
mod wire;

pub use cot::Supply;
pub use error::{Fault, OtError, Role};
pub use receiver::{Drawn, Receiver};
pub use sender::Sender;
pub use shape::Shape;

use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

/// Values that are wiped when dropped.
type Secret<T> = Zeroizing<Vec<T>>;

/// Fresh bytes from the operating system.
fn random<const N: usize>() -> Result<[u8; N], OtError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes)
}

/// A fresh block.
fn random_block() -> Result<u128, OtError> {
    Ok(u128::from_le_bytes(random()?))
}

#[cfg(test)]
mod tests;
