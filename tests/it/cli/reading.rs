//! A model that prepares its samples: the card pins how, and a client can neither forget it nor be handed another.
//!
//! The network is one of the development data; without that folder beside the workspace the test says so and checks nothing.

use std::fs;
use std::path::Path;

use super::Place;

#[test]
fn reading_forgotten_altered_or_uncalled_for_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let Ok(onnx) = fs::read(folder.join("models/tabular/digits_mlp.onnx")) else {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    };
    let place = Place::compiled();
    place.put("scaled.onnx", &onnx);
    let data = folder.join("data/tabular/digits_test.npz").display().to_string();
    place.accepts(&format!("compile scaled.onnx --data {data} -o scaled.serin"));
    place.accepts("commit scaled.serin --server finch -o scaled.json");
    let server = place.serve("scaled.serin --card scaled.json");
    let ask = format!("ask --card scaled.json --server {} --queries {data} --rows 0..4", server.address);
    place.accepts(&format!("{ask} --reading scaled.reading.json"));

    let (_, forgotten) = place.exits(2, &ask);
    assert!(forgotten.contains("--reading"), "{forgotten}");
    let mut bytes = place.bytes("scaled.reading.json");
    bytes.push(b'\n');
    place.put("other.reading.json", &bytes);
    let (_, altered) = place.exits(2, &format!("{ask} --reading other.reading.json"));
    assert!(altered.contains("not the reading that the card pins"), "{altered}");

    let server = place.serve("digits.serin --card card.json");
    let ask = format!("ask --card card.json --server {} --queries digits:query --rows 0..4", server.address);
    let (_, uncalled_for) = place.exits(2, &format!("{ask} --reading scaled.reading.json"));
    assert!(uncalled_for.contains("pins no reading"), "{uncalled_for}");
}
