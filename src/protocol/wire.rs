//! The bytes of the conversation. Sizes come from the graph and the batch; every body is capped before it is received.
//!
//! ```text
//! card:    largest batch u64 of each kind, 0 where it is not offered · length u64 · card as JSON
//! graph:   the graph's canonical bytes
//! ask:     kind u8 · session [32] · batch u64 · inputs, packed at the input's range
//! answer:  outputs, packed at the output's range · the proof, if one was asked for
//! ```

use serin_circuits::codec::{DecodeError, Reader, Writer, pack};
use serin_circuits::graph::{Graph, Port};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Layout;
use serin_verifier::card::Card;
use serin_verifier::commit::Shape;
use serin_verifier::layer::succinct;
use serin_verifier::limits;
use serin_verifier::lookup::plan::Plan;
use serin_verifier::proof::Mode;

use super::{Declined, Evidence, Kind, Offer, OfferError, Reply};

/// Most bytes of a card message.
pub(super) const CARD_CAP: usize = 1 << 16;
/// Most bytes of a graph message.
pub(super) const GRAPH_CAP: usize = 1 << 24;

/// A question as it arrived.
pub(super) struct Ask {
    pub(super) kind: Kind,
    pub(super) session: [u8; 32],
    pub(super) inputs: Tensor,
}

pub(super) fn encode_card(card: &Card, Offer(most): Offer) -> Result<Vec<u8>, serde_json::Error> {
    let mut w = Writer::new();
    for samples in most {
        w.size(samples);
    }
    w.bytes(&serde_json::to_vec(card)?);
    Ok(w.finish())
}

pub(super) fn decode_card(body: &[u8]) -> Result<(Card, Offer), OfferError> {
    let mut r = Reader::new(body);
    let mut offer = Offer([0; Kind::ALL.len()]);
    for most in &mut offer.0 {
        *most = r.size("largest batch", limits::MAX_BATCH)?;
    }
    let card = serde_json::from_slice(r.bytes("card", CARD_CAP)?)?;
    r.finish()?;
    Ok((card, offer))
}

/// Most bytes of a question of at most `max_batch` samples.
pub(super) fn ask_cap(graph: &Graph, max_batch: usize) -> usize {
    packed(graph.input(), max_batch).saturating_add(ASK_HEADER)
}

pub(super) fn encode_ask(kind: Kind, session: &[u8; 32], inputs: &Tensor, graph: &Graph) -> Vec<u8> {
    let mut w = Writer::new();
    w.u8(kind.code()).raw(session).size(inputs.batch());
    w.raw(&pack(inputs.values(), graph.input().range));
    w.finish()
}

pub(super) fn decode_ask(body: &[u8], graph: &Graph, max_batch: usize) -> Result<Ask, DecodeError> {
    let mut r = Reader::new(body);
    let code = r.u8("protocol")?;
    // What is asked in private is asked in other words.
    let kind = Kind::of(code)
        .filter(|kind| !kind.hides_questions())
        .ok_or_else(|| r.bad_value("protocol", code.into()))?;
    let session = r.array("session")?;
    let batch = r.size("batch", max_batch)?;
    if batch == 0 {
        return Err(r.bad_value("batch", 0));
    }
    let inputs = read_batch(&mut r, "inputs", batch, graph.input())?;
    r.finish()?;
    Ok(Ask { kind, session, inputs })
}

/// Most bytes of an answer to a batch: outputs and the proof.
///
/// # Errors
/// [`Declined`], if no such proof can be made.
pub(super) fn answer_cap(kind: Kind, graph: &Graph, batch: usize) -> Result<usize, Declined> {
    let layout = Layout::of(graph);
    let proof = match kind {
        Kind::Plain | Kind::Private => 0,
        Kind::Proved(Mode::Revealed) => revealed_cap(graph, &layout, batch),
        Kind::Proved(Mode::Succinct) => {
            let plan = Plan::of(graph, batch).map_err(Declined::Unprovable)?;
            Mode::Succinct.header().len().saturating_add(succinct::cap(graph, &layout, &plan))
        }
    };
    Ok(packed(graph.output(), batch).saturating_add(proof))
}

/// All accumulators, the sumchecks and the opening.
fn revealed_cap(graph: &Graph, layout: &Layout, batch: usize) -> usize {
    let accumulators = graph.linears().filter_map(|(index, _)| graph.nodes().get(index));
    let accumulators = accumulators.fold(0usize, |sum, node| sum.saturating_add(packed(&node.output, batch)));
    let opening = Shape::of(layout).opening_cap();
    let sumchecks = (layout.places().len() + 1) * SUMCHECK_BYTES;
    [accumulators, opening, sumchecks, SUMCHECK_BYTES].into_iter().fold(0, usize::saturating_add)
}

pub(super) fn encode_answer(reply: &Reply, graph: &Graph) -> Vec<u8> {
    let mut bytes = pack(reply.outputs.values(), graph.output().range);
    if let Evidence::Proof(proof) = &reply.evidence {
        bytes.extend_from_slice(proof);
    }
    bytes
}

pub(super) fn decode_answer(
    kind: Kind,
    body: &[u8],
    graph: &Graph,
    batch: usize,
) -> Result<Reply, DecodeError> {
    let mut r = Reader::new(body);
    let outputs = read_batch(&mut r, "outputs", batch, graph.output())?;
    let evidence = match kind {
        Kind::Plain | Kind::Private => Evidence::None,
        Kind::Proved(_) => Evidence::Proof(r.raw(r.remaining(), "proof")?.to_vec()),
    };
    r.finish()?;
    Ok(Reply { outputs, evidence })
}

fn read_batch(
    r: &mut Reader<'_>,
    field: &'static str,
    batch: usize,
    port: &Port,
) -> Result<Tensor, DecodeError> {
    let values = r.packed(field, batch.saturating_mul(port.len()), port.range)?;
    Tensor::new(batch, &port.shape, values).ok_or_else(|| r.bad_value(field, batch as u64))
}

fn packed(port: &Port, batch: usize) -> usize {
    port.len().saturating_mul(batch).saturating_mul(port.range.byte_width())
}

/// Kind, session, batch.
const ASK_HEADER: usize = 1 + 32 + 8;
/// More than the header of a proof, and than the messages of one linear node: two field elements for each of at most 60 variables, and
/// its final claims.
const SUMCHECK_BYTES: usize = 4096;
