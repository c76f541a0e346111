//! The graph reader and the checker's walk: what decodes encodes to the same bytes again, its layout and soundness can be
//! worked out in either mode, what it takes in private too, and a verifier that is handed the least values everywhere checks it in either without a panic.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use serin::protocol::private::Blueprint;
use serin_circuits::graph::{Graph, Node, Op, Port};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Layout;
use serin_verifier::card::Card;
use serin_verifier::layer::succinct::cap;
use serin_verifier::lookup::plan::Plan;
use serin_verifier::proof::Mode;
use serin_verifier::soundness::Soundness;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

fuzz_target!(|data: &[u8]| {
    let Ok(graph) = Graph::decode(data) else { return };
    assert_eq!(graph.encode(), data);
    let layout = Layout::of(&graph);
    assert!(Soundness::revealed(&graph, &layout, 2).bits.is_finite());
    let card = Card::new("s", &graph, [0; 32], None);
    assert_eq!(card.check(&graph), Ok(()));
    if graph.input().len() > 1 << 12 || graph.nodes().iter().any(is_slow) {
        return;
    }
    let least = |port: &Port| {
        Tensor::new(1, &port.shape, vec![port.range.low; port.len()]).expect("as long as the port")
    };
    let (inputs, outputs) = (least(graph.input()), least(graph.output()));
    let (weights, session) = (&card.weights, &[0; 32]);
    for mode in Mode::ALL {
        let statement =
            Statement { mode, graph: &graph, weights, server: "s", session, inputs: &inputs, outputs: &outputs };
        let mut proof = mode.header().as_bytes().to_vec();
        // Accumulators of zero bytes are the least their ranges allow.
        proof.resize(1 << 16, 0);
        assert!(verify(&statement, &proof).is_err());
    }
    if let Ok(blueprint) = Blueprint::of(&graph).and_then(|outline| outline.under(127)) {
        // What private inference of it would take, for one position and several.
        let blueprint = Arc::new(blueprint);
        let _ = [1, 3].map(|positions| blueprint.plan(positions));
    }
    if let Ok(plan) = Plan::of(&graph, 1) {
        let (batch, plan) = (plan.clone().resized(5), Plan::of(&graph, 5));
        assert_eq!(Ok(&batch), plan.as_ref());
        assert!(Soundness::succinct(&graph, &layout, &batch).bits.is_finite());
        assert!(cap(&graph, &layout, &batch) > 0);
    }
});

/// Whether a node would hold the fuzzer up.
fn is_slow(node: &Node) -> bool {
    let area = match &node.op {
        Op::MaxPool(window) | Op::AveragePool { window, .. } => window.area(),
        Op::MatMul(linear) | Op::Conv(linear) => linear.window.area(),
        _ => 1,
    };
    node.output.len().max(area) > 1 << 12
}
