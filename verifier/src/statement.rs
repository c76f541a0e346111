//! What a proof is about: one batch of questions and answers, under one card, in one session.
//!
//! [`Statement::absorb`] destructures the statement, so that a new field cannot be left out of the transcript; it binds
//! the graph's digest, the weight commitment, the server's name, the session, every input and every output before the first
//! coin. [`Statement::check`] holds sizes and ranges against the graph, so that nothing later can fail to fit.

use serin_circuits::codec::{Digest, pack};
use serin_circuits::graph::{Graph, Node, Op, Port};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Layout;

use crate::limits;
use crate::lookup::plan::Plan;
use crate::proof::Mode;
use crate::rejection::{Fault, Place, Rejection};
use crate::script::Script;

/// A batch of questions and their answers.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// How it is proved.
    pub mode: Mode,
    /// The public graph.
    pub graph: &'a Graph,
    /// The commitment to the weights.
    pub weights: &'a Digest,
    /// The server that answered.
    pub server: &'a str,
    /// The session: fresh random bytes of the asker, so that no older answer can be replayed.
    pub session: &'a [u8; 32],
    /// The questions, in the graph's input range.
    pub inputs: &'a Tensor,
    /// The answers.
    pub outputs: &'a Tensor,
}

impl Statement<'_> {
    /// Binds the whole statement.
    pub fn absorb<S: Script>(&self, script: &mut S) {
        // The mode is bound already: the header that a conversation starts with is its own.
        let Statement { mode: _, graph, weights, server, session, inputs, outputs } = *self;
        script.absorb("graph", &graph.digest());
        script.absorb("weights", weights);
        script.absorb("server", server.as_bytes());
        script.absorb("session", session);
        script.absorb("batch", &(inputs.batch() as u64).to_le_bytes());
        script.absorb("inputs", &pack(inputs.values(), graph.input().range));
        script.absorb("outputs", &pack(outputs.values(), graph.output().range));
    }

    /// Holds every size and range against the graph.
    pub fn check(&self) -> Result<Layout, Rejection> {
        let reject = |fault| Rejection::new(Place::Statement, fault);
        let layout = Layout::of(self.graph);
        let most = most_samples(self.graph);
        if layout.bits() > limits::MAX_COMMITTED_BITS || most == 0 {
            return Err(Rejection::new(Place::Card, Fault::TooLarge));
        }
        if self.server.len() > limits::MAX_SERVER_NAME {
            return Err(reject(Fault::Question("the server's name is too long".into())));
        }
        let batch = self.inputs.batch();
        if batch == 0 || batch > most {
            let text = format!(
                "a batch of this model holds 1 to {most} samples, this one {batch}; ask fewer at a time"
            );
            return Err(reject(Fault::Question(text)));
        }
        fits(self.inputs, self.graph.input()).map_err(|text| reject(Fault::Question(text)))?;
        fits(self.outputs, self.graph.output()).map_err(|text| reject(Fault::Answer(text)))?;
        if self.outputs.batch() != batch {
            let text = format!("{} answers to {batch} questions", self.outputs.batch());
            return Err(reject(Fault::Answer(text)));
        }
        Ok(layout)
    }
}

impl Statement<'_> {
    /// The look-ups that a proof is about; none where activations are revealed.
    pub fn plan(&self) -> Result<Option<Plan>, Rejection> {
        if self.mode == Mode::Revealed {
            return Ok(None);
        }
        let reject = |text| Rejection::new(Place::Statement, Fault::Question(text));
        let plan = Plan::of(self.graph, self.inputs.batch())
            .map_err(|error| reject(format!("no {} proof can be made of it: {error}", self.mode)))?;
        if plan.form_entries() > limits::MAX_FORM_ENTRIES {
            return Err(reject(format!(
                "no {} proof can be made of it: it takes too many look-ups a sample",
                self.mode
            )));
        }
        if !plan.is_within_limits() {
            let samples = plan.batch;
            return Err(reject(format!(
                "{samples} samples of this model take too many look-ups for one proof; ask fewer at a time"
            )));
        }
        Ok(Some(plan))
    }
}

/// The most samples of this graph that one batch may hold; none of a graph that a verifier does not take.
pub fn most_samples(graph: &Graph) -> usize {
    let nodes = graph.nodes();
    let steps = nodes.iter().map(|node| steps(graph, node)).fold(0, u64::saturating_add);
    // At most MAX_NODES + 1 ports of at most MAX_SAMPLE entries: no sum of them overflows.
    let entries = graph.input().len() + nodes.iter().map(|node| node.output.len()).sum::<usize>();
    let by_steps = usize::try_from(limits::MAX_STEPS / steps.max(1)).unwrap_or(usize::MAX);
    limits::MAX_BATCH.min(limits::MAX_BATCH_ENTRIES / entries.max(1)).min(by_steps)
}

/// What the checker does for one sample of a node: entries of inputs and windows read, of kernels spread over the image, or written.
fn steps(graph: &Graph, node: &Node) -> u64 {
    let product = |factors: &[usize]| factors.iter().fold(1u64, |steps, n| steps.saturating_mul(*n as u64));
    let written = node.output.len();
    match &node.op {
        Op::MaxPool(window) | Op::AveragePool { window, .. } => product(&[written, window.area()]),
        Op::MatMul(linear) | Op::Conv(linear) => {
            let [kernel, [height, width]] = [linear.window.kernel, linear.output_image()];
            let columns = product(&[linear.window.area(), width]);
            let rows = product(&[kernel[0], height, linear.image[1]]);
            // The input is bound whole, however little of it the windows reach.
            let read = node.inputs.iter().map(|wire| graph.port(*wire).len() as u64).sum();
            [written as u64, columns, rows].into_iter().fold(read, u64::saturating_add)
        }
        Op::Add { .. }
        | Op::Rescale { .. }
        | Op::Reshape { .. }
        | Op::Concat { .. }
        | Op::Slice { .. }
        | Op::Pad { .. } => written as u64,
    }
}

/// Whether a tensor fits a port; says what does not.
pub fn fits(tensor: &Tensor, port: &Port) -> Result<(), String> {
    if tensor.shape() != port.shape {
        return Err(format!("samples of shape {:?} where the model has {:?}", tensor.shape(), port.shape));
    }
    match tensor.first_outside(port.range) {
        Some((sample, offset, value)) => {
            Err(format!("sample {sample} holds {value} at {offset}, outside the range {}", port.range))
        }
        None => Ok(()),
    }
}
