//! The model reader: what decodes encodes to the same bytes again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serin_circuits::weights::{Layout, decode_model, encode_model};

fuzz_target!(|data: &[u8]| {
    if let Ok((graph, weights)) = decode_model(data) {
        assert_eq!(encode_model(&graph, &weights), data);
        assert_eq!(Layout::of(&graph).places().len(), weights.tensors().len());
    }
});
