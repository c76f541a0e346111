//! Every field of a statement and of a card: change one, and the proof or the card must be rejected for that very reason.

use serin_circuits::codec::DecodeError;
use serin_circuits::graph::{Builder, Graph, Linear, Op, Port, Window, Wire};
use serin_circuits::tensor::{Range, Tensor};
use serin_verifier::card::{Card, InputCard};
use serin_verifier::limits;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Blame, Fault, Place, Rejection};
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use super::{Answered, first};
use crate::world::{Net, SESSION};

fn mlp() -> Net {
    Net::new(3, &[20]).dense(17).rescale(0).dense(4)
}

#[test]
fn statement_with_any_field_changed_rejected() {
    Mode::ALL.into_iter().for_each(any_field_changed_rejected);
}

fn any_field_changed_rejected(mode: Mode) {
    let honest = Answered::new(mlp().finish(), 3, mode);
    // A field that is added has no line below, and this no longer compiles.
    let Statement { mode: _, graph, weights, server, session, inputs, outputs } = honest.statement();
    // Other coins than the prover's: the first check after them speaks.
    let spoiled = || match mode {
        Mode::Revealed => Rejection::new(first(graph), Fault::Product),
        Mode::Succinct => Rejection::new(Place::Lookups, Fault::Fractions),
    };
    let rejection = |statement: Statement<'_>| verify(&statement, &honest.proof).unwrap_err();
    let full = honest.statement();

    let other = Net::new(3, &[20]).dense(17).rescale(-1).dense(4).finish();
    let raised = rejection(Statement { graph: other.graph(), ..full });
    assert!(raised == spoiled() || matches!(raised.place, Place::Statement | Place::Lookups), "{raised}");
    let other = Mode::ALL.into_iter().find(|other| *other != mode).unwrap();
    let raised = rejection(Statement { mode: other, ..full });
    assert!(matches!(raised.fault, Fault::Malformed(DecodeError::Header { .. })), "{raised}");
    let mut root = *weights;
    root[31] ^= 1;
    assert_eq!(rejection(Statement { weights: &root, ..full }), spoiled());
    assert_eq!(rejection(Statement { server: &format!("{server}2"), ..full }), spoiled());
    assert_eq!(rejection(Statement { server: "", ..full }), spoiled());
    let mut other = *session;
    other[0] ^= 0x80;
    assert_eq!(rejection(Statement { session: &other, ..full }), spoiled());
    for at in 0..inputs.values().len() {
        assert_eq!(rejection(Statement { inputs: &nudged(inputs, at), ..full }), spoiled());
    }
    for at in 0..outputs.values().len() {
        assert_eq!(rejection(Statement { outputs: &nudged(outputs, at), ..full }), spoiled());
    }
    let [inputs, outputs] = [inputs, outputs].map(|tensor| tensor.select(&[1, 0, 2]).unwrap());
    assert_eq!(rejection(Statement { inputs: &inputs, outputs: &outputs, ..full }), spoiled());
}

#[test]
fn answer_of_a_recomputed_last_node_changed_names_its_sample() {
    let honest = Answered::new(Net::new(3, &[20]).dense(6).rescale(-128).finish(), 3, Mode::Revealed);
    let at = 2 * honest.outputs.sample_len() + 1;
    let outputs = nudged(&honest.outputs, at);
    let rejection =
        verify(&Statement { outputs: &outputs, ..honest.statement() }, &honest.proof).unwrap_err();
    assert_eq!(rejection, Rejection::new(Place::Statement, Fault::Output { sample: 2 }));
}

/// Moves one entry by one, staying in the 8-bit range of inputs.
fn nudged(tensor: &Tensor, at: usize) -> Tensor {
    let mut tensor = tensor.clone();
    let value = &mut tensor.values_mut()[at];
    *value += if *value == 127 { -1 } else { 1 };
    tensor
}

#[test]
fn statement_that_does_not_fit_its_graph_rejected_before_the_proof_is_read() {
    let honest = Answered::new(mlp().finish(), 2, Mode::Revealed);
    let full = honest.statement();
    let raised = |statement: Statement<'_>| verify(&statement, &honest.proof).unwrap_err();
    let asker = |statement: Statement<'_>| {
        let rejection = raised(statement);
        assert!(matches!(rejection.fault, Fault::Question(_)), "{rejection}");
        assert_eq!((rejection.place.clone(), rejection.blame()), (Place::Statement, Blame::Asker));
    };
    let server = |statement: Statement<'_>| {
        let rejection = raised(statement);
        assert!(matches!(rejection.fault, Fault::Answer(_)), "{rejection}");
        assert_eq!((rejection.place.clone(), rejection.blame()), (Place::Statement, Blame::Server));
    };
    let zeros = Tensor::zeros;
    asker(Statement { inputs: &zeros(0, &[20]), outputs: &zeros(0, &[4]), ..full });
    asker(Statement { inputs: &zeros(2, &[19]), ..full });
    asker(Statement { inputs: &zeros(2, &[4, 5]), ..full });
    asker(Statement { inputs: &zeros(2, &[]), ..full });
    asker(Statement { inputs: &zeros(2, &[0]), ..full });
    asker(Statement { inputs: &zeros(2, &[20, 0, usize::MAX]), ..full });
    for value in [128, -129, i32::MAX, i32::MIN] {
        let mut inputs = honest.inputs.clone();
        inputs.values_mut()[39] = value;
        asker(Statement { inputs: &inputs, ..full });
    }
    asker(Statement { server: &"s".repeat(limits::MAX_SERVER_NAME + 1), ..full });
    server(Statement { outputs: &zeros(3, &[4]), ..full });
    server(Statement { outputs: &zeros(0, &[4]), ..full });
    server(Statement { outputs: &zeros(2, &[2, 2]), ..full });
    for value in [i32::MAX, i32::MIN] {
        let mut outputs = honest.outputs.clone();
        outputs.values_mut()[0] = value;
        server(Statement { outputs: &outputs, ..full });
    }
}

#[test]
fn statement_beyond_the_limits_rejected_before_its_size_is_allocated() {
    let rejection = |graph: &Graph, samples| {
        let inputs = Tensor::zeros(samples, &graph.input().shape);
        let outputs = Tensor::zeros(1, &graph.output().shape);
        verify(
            &Statement {
                mode: Mode::Revealed,
                graph,
                weights: &[0; 32],
                server: "s",
                session: &SESSION,
                inputs: &inputs,
                outputs: &outputs,
            },
            b"",
        )
        .unwrap_err()
    };
    let too_many = rejection(&dense_graph(&[1, 1]), limits::MAX_BATCH + 1);
    assert!(matches!(&too_many.fault, Fault::Question(text) if text.contains("1048577")), "{too_many}");
    let too_wide = rejection(&dense_graph(&[1, 2048]), limits::MAX_BATCH);
    assert!(matches!(&too_wide.fault, Fault::Question(text) if text.contains("fewer")), "{too_wide}");
    let half_a_billion = [1 << 13, 1 << 14].repeat(5);
    let too_large = rejection(&dense_graph(&half_a_billion), 1);
    assert_eq!(too_large, Rejection::new(Place::Card, Fault::TooLarge));
    assert_eq!(too_large.blame(), Blame::Card);
}

#[test]
fn graph_whose_recomputation_would_not_end_rejected() {
    let range = Range { low: -128, high: 127 };
    let mut builder = Builder::new(Port { shape: vec![1, 1, 1], exponent: 0, range }).unwrap();
    let side = 1 << 13;
    let window = Window { kernel: [side; 2], stride: [1; 2], padding: [side - 1; 4] };
    builder.push("window", Op::MaxPool(window), &[Wire::INPUT], None).unwrap();
    let graph = builder.finish().unwrap();
    assert!(graph.encode().len() < 200);
    let question = Tensor::zeros(1, &[1, 1, 1]);
    let statement = Statement {
        mode: Mode::Revealed,
        graph: &graph,
        weights: &[0; 32],
        server: "s",
        session: &SESSION,
        inputs: &question,
        outputs: &question,
    };
    assert_eq!(statement.check().unwrap_err(), Rejection::new(Place::Card, Fault::TooLarge));
}

#[test]
fn graph_whose_forms_would_not_fit_rejected() {
    let plan = |graph: &Graph| {
        let question = Tensor::zeros(1, &[1]);
        let statement = Statement {
            mode: Mode::Succinct,
            graph,
            weights: &[0; 32],
            server: "s",
            session: &SESSION,
            inputs: &question,
            outputs: &question,
        };
        statement.plan().unwrap_err()
    };
    let input =
        |shape: &[usize]| Builder::new(Port { shape: shape.to_vec(), exponent: 0, range: BYTE }).unwrap();
    let mut moved = input(&[1 << 26]);
    for _ in 0..2 {
        moved.push("move", Op::Reshape { shape: vec![1 << 26] }, &[Wire::INPUT], None).unwrap();
    }
    let raised = plan(&moved.finish().unwrap());
    assert!(matches!(&raised.fault, Fault::Question(text) if text.contains("too many look-ups")), "{raised}");
    assert_eq!(raised.blame(), Blame::Asker);
    let mut compared = input(&[1, 1, 1 << 20]);
    let window = Window { kernel: [1, 1 << 20], stride: [1; 2], padding: [0; 4] };
    compared.push("wide", Op::MaxPool(window), &[Wire::INPUT], None).unwrap();
    let raised = plan(&compared.finish().unwrap());
    assert!(matches!(&raised.fault, Fault::Question(text) if text.contains("wide")), "{raised}");
    assert_eq!(raised.blame(), Blame::Asker);
}

const BYTE: Range = Range { low: -128, high: 127 };

/// Dense layers of these sizes; nobody has to hold the weights.
fn dense_graph(sizes: &[usize]) -> Graph {
    let range = Range { low: -128, high: 127 };
    let mut builder = Builder::new(Port { shape: vec![sizes[0]], exponent: 0, range }).unwrap();
    let mut wire = Wire::INPUT;
    for pair in sizes.windows(2) {
        let linear = Linear::dense(pair[0], pair[1], 0);
        wire = builder.push("dense", Op::MatMul(linear), &[wire], Some(range)).unwrap();
    }
    builder.finish().unwrap()
}

#[test]
fn card_with_any_field_changed_rejected() {
    let honest = Answered::new(mlp().finish(), 1, Mode::Revealed);
    let graph = honest.model.graph();
    let card = Card::new("s", graph, *honest.model.root(), Some(0.9));
    assert_eq!(card.check(graph), Ok(()));
    // A field that is added has no line below, and this no longer compiles.
    let Card { server: _, graph: _, scheme: _, weights: _, input, reading: _, accuracy: _ } = card.clone();
    let InputCard { shape: _, exponent, low, high } = input.clone();
    let raised = |card: Card| card.check(graph).unwrap_err();
    let with_input = |input: InputCard| Card { input, ..card.clone() };

    let other_graph = Rejection::new(Place::Card, Fault::Graph);
    assert_eq!(other_graph.blame(), Blame::Server);
    assert_eq!(raised(Card { graph: [1; 32], ..card.clone() }), other_graph);
    assert_eq!(raised(with_input(InputCard { shape: vec![4, 5], ..input.clone() })), other_graph);
    assert_eq!(raised(with_input(InputCard { exponent: exponent + 1, ..input.clone() })), other_graph);
    assert_eq!(raised(with_input(InputCard { low: low - 1, ..input.clone() })), other_graph);
    assert_eq!(raised(with_input(InputCard { high: high + 1, ..input })), other_graph);
    let malformed = [
        Card { scheme: "ligero-goldilocks-rs2-sha256".into(), ..card.clone() },
        Card { server: "s".repeat(limits::MAX_SERVER_NAME + 1), ..card.clone() },
        Card { accuracy: Some(1.5), ..card.clone() },
        Card { accuracy: Some(f64::NAN), ..card.clone() },
    ];
    for rejection in malformed.map(raised) {
        assert!(matches!(rejection.fault, Fault::Card(_)), "{rejection}");
        assert_eq!((rejection.place.clone(), rejection.blame()), (Place::Card, Blame::Card));
    }
    // The rest of a card is bound by the proof: another server or other weights fit the graph, and then no proof of the server's.
    let first = first(graph);
    for card in [Card { server: "t".into(), ..card.clone() }, Card { weights: [1; 32], ..card.clone() }] {
        assert_eq!(card.check(graph), Ok(()));
        let statement = Statement { server: &card.server, weights: &card.weights, ..honest.statement() };
        assert_eq!(
            verify(&statement, &honest.proof).unwrap_err(),
            Rejection::new(first.clone(), Fault::Product)
        );
    }
    // An accuracy is a claim that only canaries can hold against the server.
    assert_eq!(Card { accuracy: Some(0.5), ..card }.check(graph), Ok(()));
}
