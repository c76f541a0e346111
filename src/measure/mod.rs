//! What computing a model in private costs ([`private`]), and what inference, proving and verifying it cost in one mode, by batch size ([`batch`]), and what grows with it ([`slope()`]).
//!
//! | figure | is |
//! |---|---|
//! | `infer_cpu_s` | the serving engine alone, on the whole batch |
//! | `prove_cpu_s` | all that proving adds to it: keeping the trace, hashing the statement, the proof |
//! | `verify_cpu_s` | the verifier on the whole batch |
//! | `proof_bytes`, `activation_bytes` | the proof without the revealed activations, and these: together all that travels besides the outputs |
//! | `commit_cpu_s` | committing to the weights, once in a model's life |
//! | `open_cpu_s` | the prover's work for one opening of the commitment at a random point |
//! | `peak_rss_bytes` | the most memory held while this batch was measured, model and commitment included; Linux only |
//!
//! Times are CPU seconds of the process, all threads together ([`clock`] says how they are taken). With more than one thread, idle
//! workers' waiting counts too: one thread gives the plain cost.

pub mod clock;
pub mod private;
mod slope;

pub use slope::{Line, Slope, slope};

use serde::Serialize;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Layout;
use serin_verifier::commit::{self, Shape};
use serin_verifier::proof::Mode;
use serin_verifier::rejection::Rejection;
use serin_verifier::script::{MerlinCoins, Proving, Script};
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use crate::prover::Model;
use crate::prover::commit::Commitment;
use crate::prover::infer::infer;
use clock::{cpu, peak_memory, reset_peak_memory};

/// The costs of a model that do not depend on the batch; CPU seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Once {
    /// Committing to the weights.
    pub commit_cpu_s: f64,
    /// One opening of the commitment, the prover's side.
    pub open_cpu_s: f64,
}

/// The costs of one batch; CPU seconds and bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Batch {
    /// Samples.
    pub batch: usize,
    /// Inference alone.
    pub infer_cpu_s: f64,
    /// What proving adds.
    pub prove_cpu_s: f64,
    /// Verification.
    pub verify_cpu_s: f64,
    /// Bytes of the proof, activations left out.
    pub proof_bytes: usize,
    /// Bytes of the revealed activations.
    pub activation_bytes: usize,
    /// Most memory held, where the system says.
    pub peak_rss_bytes: Option<u64>,
}

/// Measures committing and opening.
pub fn once(model: &Model) -> Once {
    Once { commit_cpu_s: commitment(model), open_cpu_s: open(model) }
}

/// Measures inference, proving and verification in `mode` of a batch in the graph's input range.
///
/// # Errors
/// [`Rejection`], if a batch of this size cannot be proved so.
pub fn batch(model: &Model, inputs: &Tensor, mode: Mode) -> Result<Batch, Rejection> {
    reset_peak_memory();
    let trace = model.infer(inputs);
    let statement = Statement { mode, ..model.statement(SERVER, &SESSION, inputs, trace.output()) };
    statement.check()?;

    let infer_cpu_s = cpu(|| (), |()| infer(model.graph(), model.weights(), inputs));
    let traced = cpu(|| (), |()| model.infer(inputs));
    let prove = cpu(|| (), |()| model.prove(SERVER, &SESSION, inputs, &trace, mode));
    let proof = model.prove(SERVER, &SESSION, inputs, &trace, mode)?;
    let accepted = verify(&statement, &proof)?;
    let verify_cpu_s = cpu(|| (), |()| verify(&statement, &proof));
    Ok(Batch {
        batch: inputs.batch(),
        infer_cpu_s,
        prove_cpu_s: prove + (traced - infer_cpu_s).max(0.0),
        verify_cpu_s,
        proof_bytes: proof.len() - accepted.activation_bytes(),
        activation_bytes: accepted.activation_bytes(),
        peak_rss_bytes: peak_memory(),
    })
}

fn commitment(model: &Model) -> f64 {
    let layout = Layout::of(model.graph());
    cpu(|| model.weights().flatten(&layout), |vector| Commitment::new(vector, Shape::of(&layout)))
}

/// One opening, at the point that an empty transcript draws.
fn open(model: &Model) -> f64 {
    let (commitment, shape) = (model.commitment(), model.commitment().shape());
    let prove = |mut script: Proving<MerlinCoins>| {
        let z = script.coins("z", shape.row_bits() + shape.column_bits());
        commit::open(&mut script, shape, commitment.root(), &z, Some(commitment)).map(|_| script.finish())
    };
    cpu(|| Proving::new(MerlinCoins::new(), b""), prove)
}

const SERVER: &str = "bench";
const SESSION: [u8; 32] = [0; 32];
