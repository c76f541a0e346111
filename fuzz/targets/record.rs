//! One entry of a record: what decodes encodes to the same bytes again, and is judged without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serin_verifier::record::{Entry, Record};
use serin_verifier::report::judge;

fuzz_target!(|data: &[u8]| {
    // A whole record starts with its header, and the chain of digests stops almost any change of it.
    let _ = Record::decode(data);
    if let Ok(entry) = Entry::decode(data) {
        assert_eq!(entry.encode().as_deref(), Ok(data));
        let _ = judge(&entry);
    }
});
