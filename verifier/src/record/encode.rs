//! The bytes of an entry. Tensors are packed at the width of the graph's input and output ranges; sizes follow from the graph and the
//! three counts (queries, copies, canaries), which are capped before anything is allocated.

use std::time::Duration;

use serin_circuits::codec::{DecodeError, Reader, Writer, pack};
use serin_circuits::graph::{Graph, MAX_AXES, MAX_SAMPLE, Port};
use serin_circuits::tensor::Tensor;

use super::Kind;
use super::entry::{Costs, Entry, EntryError, Evidence, Truth};
use crate::canary::judge::Criteria;
use crate::canary::{Level, Rate};
use crate::card::{Card, InputCard};
use crate::limits;

impl Entry {
    /// The canonical bytes.
    ///
    /// # Errors
    /// [`EntryError::Parts`], if the parts do not fit each other.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        let Self {
            card,
            graph,
            protocol,
            session,
            criteria,
            copies,
            queries,
            canaries,
            truths,
            slots,
            outputs,
            evidence,
            costs,
        } = self;
        let (input, output) = (graph.input().range, graph.output().range);
        let mut w = Writer::new();
        write_card(&mut w, card);
        w.bytes(&graph.encode()).u8(protocol.code()).raw(session);
        write_criteria(&mut w, criteria);
        w.u64(*copies).size(queries.batch()).size(canaries.batch());
        w.raw(&pack(queries.values(), input)).raw(&pack(canaries.values(), input));
        for truth in truths {
            match truth {
                Truth::Label(label) => w.u8(0).u32(*label),
                Truth::Reference(values) => w.u8(1).raw(&pack(values, output)),
            };
        }
        for item in slots.iter().filter_map(|slot| self.item(*slot)) {
            w.u64(item);
        }
        w.raw(&pack(outputs.values(), output));
        match evidence {
            Evidence::None => w.u8(0),
            Evidence::Proof(proof) => w.u8(1).bytes(proof),
        };
        let Costs { sent, received, waited } = costs;
        w.u64(*sent).u64(*received).u64(waited.as_micros() as u64);
        Ok(w.finish())
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let mut r = Reader::new(bytes);
        let card = read_card(&mut r)?;
        let graph = Graph::decode(r.bytes("graph", bytes.len())?)?;
        let protocol = r.u8("protocol")?;
        let protocol = Kind::of(protocol).ok_or_else(|| r.bad_value("protocol", protocol.into()))?;
        let session = r.array("session")?;
        let criteria = read_criteria(&mut r)?;
        let copies = r.size("copies", limits::MAX_BATCH)? as u64;
        let (queries, canaries) =
            (r.size("queries", limits::MAX_BATCH)?, r.size("canaries", limits::MAX_BATCH)?);
        let positions = (queries as u64) * copies + canaries as u64;
        if positions > limits::MAX_BATCH as u64 {
            return Err(r.bad_value("positions", positions).into());
        }
        let queries = read_tensor(&mut r, "query", queries, graph.input())?;
        let canaries = read_tensor(&mut r, "canary", canaries, graph.input())?;
        let truths: Vec<_> =
            (0..canaries.batch()).map(|_| read_truth(&mut r, &graph)).collect::<Result<_, _>>()?;
        let slots = (0..positions)
            .map(|_| Ok(Self::slot(queries.batch() as u64, copies, r.u64("place")?)))
            .collect::<Result<_, DecodeError>>()?;
        let outputs = read_tensor(&mut r, "answer", positions as usize, graph.output())?;
        let evidence = match r.u8("evidence")? {
            0 => Evidence::None,
            1 => Evidence::Proof(r.bytes("proof", bytes.len())?.to_vec()),
            other => return Err(r.bad_value("evidence", other.into()).into()),
        };
        let (sent, received) = (r.u64("bytes sent")?, r.u64("bytes received")?);
        let costs = Costs { sent, received, waited: Duration::from_micros(r.u64("time waited")?) };
        r.finish()?;
        let entry = Self {
            card,
            graph,
            protocol,
            session,
            criteria,
            copies,
            queries,
            canaries,
            truths,
            slots,
            outputs,
            evidence,
            costs,
        };
        entry.check()?;
        Ok(entry)
    }
}

fn read_tensor(
    r: &mut Reader<'_>,
    field: &'static str,
    batch: usize,
    port: &Port,
) -> Result<Tensor, EntryError> {
    let values = r.packed(field, batch.saturating_mul(port.len()), port.range)?;
    Tensor::new(batch, &port.shape, values)
        .ok_or_else(|| EntryError::Parts(format!("the {field} tensor's size")))
}

fn read_truth(r: &mut Reader<'_>, graph: &Graph) -> Result<Truth, DecodeError> {
    match r.u8("truth")? {
        0 => r.u32("label").map(Truth::Label),
        1 => r.packed("reference answer", graph.output().len(), graph.output().range).map(Truth::Reference),
        other => Err(r.bad_value("truth", other.into())),
    }
}

fn write_card(w: &mut Writer, card: &Card) {
    let Card { server, graph, scheme, weights, input, reading, accuracy } = card;
    w.bytes(server.as_bytes()).raw(graph).bytes(scheme.as_bytes()).raw(weights);
    let InputCard { shape, exponent, low, high } = input;
    w.size(shape.len());
    shape.iter().for_each(|d| {
        w.size(*d);
    });
    w.u8(*exponent as u8).i32(*low).i32(*high);
    w.u8(reading.is_some().into()).raw(reading.as_ref().map_or(&[], |digest| &digest[..]));
    write_optional(w, *accuracy);
}

fn read_card(r: &mut Reader<'_>) -> Result<Card, DecodeError> {
    let server = r.string("server", limits::MAX_SERVER_NAME)?;
    let graph = r.array("graph digest")?;
    let scheme = r.string("scheme", MAX_SCHEME)?;
    let weights = r.array("commitment")?;
    let axes = r.size("axes", MAX_AXES)?;
    let shape = (0..axes).map(|_| r.size("axis", MAX_SAMPLE)).collect::<Result<_, _>>()?;
    let input = InputCard {
        shape,
        exponent: r.u8("exponent")? as i8,
        low: r.i32("least input")?,
        high: r.i32("greatest input")?,
    };
    let reading = match r.u8("reading")? {
        0 => None,
        1 => Some(r.array("reading digest")?),
        other => return Err(r.bad_value("reading", other.into())),
    };
    let accuracy = read_optional(r, "accuracy")?;
    Ok(Card { server, graph, scheme, weights, input, reading, accuracy })
}

fn write_criteria(w: &mut Writer, criteria: &Criteria) {
    let Criteria { claimed_error, alpha, beta, tolerance, least_accuracy, least_agreement } = criteria;
    for level in [claimed_error.value(), alpha.value(), beta.value()] {
        w.u64(level.to_bits());
    }
    match tolerance {
        None => w.u8(0),
        Some(tolerance) => w.u8(1).u64(*tolerance),
    };
    write_optional(w, *least_accuracy);
    write_optional(w, *least_agreement);
}

fn read_criteria(r: &mut Reader<'_>) -> Result<Criteria, EntryError> {
    let claimed_error = Rate::new(read_real(r, "claimed error")?)?;
    let alpha = Level::new(read_real(r, "alpha")?)?;
    let beta = Level::new(read_real(r, "beta")?)?;
    let tolerance = match r.u8("tolerance")? {
        0 => None,
        1 => Some(r.u64("tolerance")?),
        other => return Err(r.bad_value("tolerance", other.into()).into()),
    };
    let least_accuracy = read_optional(r, "least accuracy")?;
    let least_agreement = read_optional(r, "least agreement")?;
    Ok(Criteria { claimed_error, alpha, beta, tolerance, least_accuracy, least_agreement })
}

fn write_optional(w: &mut Writer, value: Option<f64>) {
    match value {
        None => w.u8(0),
        Some(value) => w.u8(1).u64(value.to_bits()),
    };
}

fn read_optional(r: &mut Reader<'_>, field: &'static str) -> Result<Option<f64>, DecodeError> {
    match r.u8(field)? {
        0 => Ok(None),
        1 => read_real(r, field).map(Some),
        other => Err(r.bad_value(field, other.into())),
    }
}

fn read_real(r: &mut Reader<'_>, field: &'static str) -> Result<f64, DecodeError> {
    r.u64(field).map(f64::from_bits)
}

/// Most bytes in the name of a commitment scheme.
const MAX_SCHEME: usize = 256;
