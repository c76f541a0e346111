//! The graph reader: what decodes encodes to the same bytes again, and its layout, limits and soundness can be worked out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serin_circuits::graph::Graph;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Layout;
use serin_verifier::card::Card;
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
    if graph.input().len().max(graph.output().len()) > 1 << 12 {
        return;
    }
    let [inputs, outputs] = [graph.input(), graph.output()].map(|port| {
        let values = vec![port.range.low; port.len()];
        Tensor::new(1, &port.shape, values).expect("as long as the port")
    });
    let session = [0; 32];
    let statement = Statement {
        graph: &graph,
        weights: &card.weights,
        server: &card.server,
        session: &session,
        inputs: &inputs,
        outputs: &outputs,
    };
    assert!(verify(&statement, b"").is_err());
});
