//! Damaged and hostile model and graph files: refused with an error that says where, never with a panic or a large allocation.
//!
//! Encodings are canonical: bytes that decode encode to themselves again, so no two files hold the same model.

use serin_circuits::codec::{DecodeError, Reader};
use serin_circuits::graph::{Graph, GraphDecodeError, MAX_NAME};
use serin_circuits::weights::{Layout, decode_model, encode_model};

use crate::world::{Net, models, square};

/// A small model of every operator's encoding.
fn file() -> Vec<u8> {
    let net = Net::new(10, &[2, 4, 4])
        .residual()
        .average_pool(square(2, 2, 0))
        .rescale(-128)
        .max_pool(square(2, 1, 0));
    let model = net.dense(2).finish();
    encode_model(model.graph(), model.weights())
}

/// Decodes; what decodes must encode to the very bytes.
fn decode(bytes: &[u8]) -> Result<(), GraphDecodeError> {
    let (graph, weights) = decode_model(bytes)?;
    assert_eq!(encode_model(&graph, &weights), bytes, "two encodings of one model");
    Ok(())
}

fn decode_graph(bytes: &[u8]) -> Result<(), GraphDecodeError> {
    let graph = Graph::decode(bytes)?;
    assert_eq!(graph.encode(), bytes, "two encodings of one graph");
    assert!(Layout::of(&graph).bits() < 64);
    Ok(())
}

#[test]
fn model_of_every_kind_decodes_to_itself() {
    for (name, model) in models() {
        let bytes = encode_model(model.graph(), model.weights());
        let (graph, weights) = decode_model(&bytes).unwrap();
        assert_eq!((&graph, &weights), (model.graph(), model.weights()), "{name}");
        assert_eq!(Graph::decode(&graph.encode()).as_ref(), Ok(model.graph()), "{name}");
        assert_eq!(graph.digest(), model.graph().digest(), "{name}");
    }
}

#[test]
fn file_cut_anywhere_refused() {
    let model = file();
    for len in 0..model.len() {
        assert!(decode(&model[..len]).is_err(), "model cut at {len}");
    }
    let graph = decode_model(&model).unwrap().0.encode();
    for len in 0..graph.len() {
        let error = decode_graph(&graph[..len]).expect_err("cut");
        let cut = matches!(
            error,
            GraphDecodeError::Bytes(DecodeError::Truncated { .. } | DecodeError::Header { .. })
        );
        assert!(cut, "graph cut at {len}: {error}");
    }
}

#[test]
fn file_continued_refused() {
    let longer = [file(), vec![0]].concat();
    assert_eq!(decode(&longer), Err(DecodeError::Leftover { extra: 1 }.into()));
    let graph = decode_model(&file()).unwrap().0.encode();
    assert_eq!(decode_graph(&[graph, vec![0]].concat()), Err(DecodeError::Leftover { extra: 1 }.into()));
}

#[test]
fn file_with_any_byte_changed_refused_or_read_as_what_it_says() {
    let model = file();
    let graph = decode_model(&model).unwrap().0.encode();
    let mut refused = 0;
    for (bytes, decode) in [(model, decode as fn(&[u8]) -> _), (graph, decode_graph)] {
        for at in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff, 1 << (at % 8)] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                refused += usize::from(decode(&bytes).is_err());
            }
        }
    }
    assert!(refused > 1000, "only {refused} damaged files were refused");
}

#[test]
fn file_of_another_version_says_what_it_is() {
    let mut model = file();
    let mut graph = decode_model(&model).unwrap().0.encode();
    model[12] = b'9';
    graph[12] = b'9';
    let [model, graph] = [decode(&model), decode_graph(&graph)].map(|result| result.unwrap_err().to_string());
    assert!(model.contains("serin-model/9") && model.contains("serin-model/1"), "{model}");
    assert!(graph.contains("serin-graph/9") && graph.contains("serin-graph/1"), "{graph}");
    let text = decode(b"\x08\x07\x12\x07pytorch").unwrap_err().to_string();
    assert!(text.contains("pytorch") && text.contains("make it again"), "{text}");
}

#[test]
fn weights_under_a_wider_range_than_theirs_refused() {
    let model = Net::new(1, &[3]).dense(2).finish();
    let bytes = encode_model(model.graph(), model.weights());
    let at = 14 + 8 + model.graph().encode().len();
    let mut reader = Reader::new(&bytes[at..]);
    let (low, high) = (reader.i32("low").unwrap(), reader.i32("high").unwrap());
    // The same weights as before, each one more above a lowest one less.
    let mut wider = bytes.clone();
    wider[at..at + 4].copy_from_slice(&(low - 1).to_le_bytes());
    wider[at + 8..at + 8 + model.weights().tensors()[0].weight.len()]
        .iter_mut()
        .for_each(|offset| *offset += 1);
    assert!(high - low < 254, "one byte each");
    assert!(matches!(decode(&wider), Err(GraphDecodeError::Bytes(DecodeError::Value { .. }))));
    let mut wider = bytes;
    wider[at + 4..at + 8].copy_from_slice(&(high + 1).to_le_bytes());
    assert!(matches!(decode(&wider), Err(GraphDecodeError::Bytes(DecodeError::Value { .. }))));
}

/// Every eight bytes in turn are taken for a length and set to hostile ones. The largest that a reader may believe is bounded
/// by the file's own size or by a cap of the graph, so this test would run out of memory or time if one were not.
#[test]
fn hostile_length_anywhere_refused_without_allocating_it() {
    let model = file();
    let graph = decode_model(&model).unwrap().0.encode();
    for (bytes, decode) in [(model, decode as fn(&[u8]) -> _), (graph, decode_graph)] {
        for at in 14..bytes.len() - 8 {
            for length in [u64::MAX, 1 << 63, 1 << 40, 1 << 27, (1 << 27) + 1, MAX_NAME as u64 + 1] {
                let mut bytes = bytes.clone();
                bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
                // It may land in the weights, or mean a wide window: then it must read as what it says.
                let _ = decode(&bytes);
            }
        }
    }
}
