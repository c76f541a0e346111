//! The verifier: a pure function of a card, a graph, a batch and a proof's bytes.
//!
//! It reads no clock, starts no thread, allocates nothing that the statement does not call for, and never panics.
//!
//! *Caller must still check*: that the session is fresh and its own, that the card was pinned beforehand, and what the
//! model is worth (canaries: [`crate::canary`]). A proof says that the committed function answered, not that it is good.

use crate::layer::revealed::{self, ACTIVATIONS};
use crate::layer::succinct;
use crate::lookup::plan::Plan;
use crate::proof::Mode;
use crate::rejection::Rejection;
use crate::script::{Checking, Coins, MerlinCoins, Message, Proving};
use crate::soundness::Soundness;
use crate::statement::Statement;

/// A proof that was believed.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// How it was proved.
    pub mode: Mode,
    /// What the proof is worth.
    pub soundness: Soundness,
    /// Every message of the proof, in order.
    pub outline: Vec<Message>,
}

impl Accepted {
    /// Bytes of the proof that carry activations; none in `succinct`.
    pub fn activation_bytes(&self) -> usize {
        if self.mode == Mode::Succinct {
            return 0;
        }
        self.outline.iter().filter(|m| m.label == ACTIVATIONS).map(|m| m.bytes.len()).sum()
    }
}

/// Checks that `proof` shows `statement`.
pub fn verify(statement: &Statement<'_>, proof: &[u8]) -> Result<Accepted, Rejection> {
    verify_with(MerlinCoins::new(), statement, proof)
}

/// [`verify`] under another source of coins; only tests have a use for one.
pub fn verify_with<C: Coins>(
    coins: C,
    statement: &Statement<'_>,
    proof: &[u8],
) -> Result<Accepted, Rejection> {
    let layout = statement.check()?;
    let plan = statement.plan()?;
    let mut script = Checking::new(coins, statement.mode.header(), proof)?;
    statement.absorb(&mut script);
    let batch = statement.inputs.batch();
    let soundness = match &plan {
        None => {
            revealed::revealed(&mut script, statement, &layout, None)?;
            Soundness::revealed(statement.graph, &layout, batch)
        }
        Some(plan) => {
            succinct::succinct(&mut script, statement, &layout, plan, None)?;
            Soundness::succinct(statement.graph, &layout, plan)
        }
    };
    Ok(Accepted { mode: statement.mode, soundness, outline: script.finish()? })
}

/// The prover's side of a `revealed` [`verify`]: the same text, with a witness. The statement must be true and within limits.
pub fn prove_revealed<C: Coins>(
    coins: C,
    statement: &Statement<'_>,
    prover: &dyn revealed::Prover,
) -> Result<Vec<u8>, Rejection> {
    let layout = statement.check()?;
    let mut script = Proving::new(coins, Mode::Revealed.header().as_bytes());
    statement.absorb(&mut script);
    revealed::revealed(&mut script, statement, &layout, Some(prover))?;
    Ok(script.finish())
}

/// The prover's side of a `succinct` [`verify`]; `plan` is the statement's own.
pub fn prove_succinct<C: Coins>(
    coins: C,
    statement: &Statement<'_>,
    plan: &Plan,
    prover: &dyn succinct::Prover,
) -> Result<Vec<u8>, Rejection> {
    let layout = statement.check()?;
    let mut script = Proving::new(coins, Mode::Succinct.header().as_bytes());
    statement.absorb(&mut script);
    succinct::succinct(&mut script, statement, &layout, plan, Some(prover))?;
    Ok(script.finish())
}
