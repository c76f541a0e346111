//! The built program, as its users meet it: results, exit codes, files left behind.

mod modes;
mod private;
mod reading;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use serin_datasets::digits;
use tempfile::TempDir;

/// A folder with the digits model as an ONNX file, and the program run in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.put("digits.onnx", digits::model());
        place
    }

    /// One with a model file and its card besides.
    fn compiled() -> Self {
        let place = Self::new();
        place.accepts("compile digits.onnx --data digits:calibration -o digits.serin");
        place.accepts("commit digits.serin --server finch --accuracy 0.98 -o card.json");
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
        command.args(line.split_whitespace()).current_dir(self.path()).env_remove("RUST_LOG");
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a command that must exit with this code; its output and errors.
    fn exits(&self, code: i32, line: &str) -> (String, String) {
        let Output { status, stdout, stderr } = self.run(line);
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(status.code(), Some(code), "serin {line}\n{stdout}\n{stderr}");
        (stdout, stderr)
    }

    fn accepts(&self, line: &str) -> String {
        self.exits(0, line).0
    }

    fn json(&self, code: i32, line: &str) -> Value {
        serde_json::from_str(&self.exits(code, &format!("{line} --json")).0).unwrap()
    }

    /// The names in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn serve(&self, line: &str) -> Server {
        let mut command = self.command(&format!("serve {line} --port 0 --json --until-input-ends"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let listening: Value = serde_json::from_str(&first).unwrap();
        let pin = listening["tls_pin"].as_str().map(str::to_owned);
        Server { child, address: listening["address"].as_str().unwrap().to_owned(), pin }
    }
}

/// A running `serin serve`.
struct Server {
    child: Child,
    address: String,
    pin: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn plan_of_a_thousand_queries_prints_the_published_mix() {
    let plan = Place::new().json(0, "plan --queries 1000 --bits 40");
    assert_eq!([&plan["queries"], &plan["copies"], &plan["canaries"]], [1000, 5, 4]);
    assert_eq!(plan["overhead"], 5.004);
    assert!((plan["bits"].as_f64().unwrap() - 44.568_771_542_325_91).abs() < 1e-6);
}

#[test]
fn plan_of_two_accuracies_prints_the_published_canaries() {
    let plan = Place::new().json(0, "plan --claim 0.98 --alternative 0.9 --alpha 0.001 --beta 0.001");
    assert_eq!(plan["quality"]["labelled"], serde_json::json!({ "canaries": 291, "threshold": 14 }));
    assert!(plan.get("copies").is_none());
}

#[test]
fn compile_of_digits_reports_accuracy_before_and_after() {
    let place = Place::new();
    let line = "compile digits.onnx --data digits:calibration --evaluate digits:query -o digits.serin";
    let report = place.json(0, line);
    assert_eq!(report["measured"]["samples"], 450);
    assert_eq!(report["measured"]["right_before"], 444, "as data/README.md records");
    assert!(report["measured"]["right_after"].as_u64().unwrap() >= 440);
    assert_eq!(report["parameters"], 15_338);

    let shown = place.json(0, "inspect digits.serin");
    assert_eq!(shown["multiply_adds"], 452_864);
    assert_eq!(shown["digest"], report["digest"]);
    let before = place.bytes("digits.serin");
    let (_, error) = place.exits(2, line);
    assert!(error.contains("--force"), "{error}");
    place.accepts(&format!("{line} --force --weight-bits 6"));
    assert_ne!(place.bytes("digits.serin"), before);
}

#[test]
fn compile_without_data_says_what_the_scales_are_from() {
    let text = Place::new().accepts("compile digits.onnx -o digits.serin --seed 5");
    assert!(text.contains("64 random inputs in 0..1 (seed 5)"), "{text}");
}

#[test]
fn session_with_an_honest_server_is_accepted_and_so_is_its_record() {
    let place = Place::compiled();
    let server = place.serve("digits.serin --card card.json --tls");
    let (address, pin) = (&server.address, server.pin.as_ref().unwrap());
    let line = format!(
        "ask --card card.json --server {address} --tls-pin {pin} --queries digits:query --rows 0..6 --canaries digits:canary --record a.record"
    );
    let few = format!("{line} --copies 1 --canary-count 5 --mode succinct");
    let succinct = place.json(0, &few);
    assert_eq!([&succinct["verdict"], &succinct["mode"]], ["accepted", "succinct"]);
    assert_eq!(succinct["proof"]["activation_bytes"], 0);
    let report = place.json(0, &line);
    assert_eq!(
        [&report["verdict"], &report["protocol"], &report["mode"]],
        ["accepted", "proved", "revealed"]
    );
    assert_eq!(report["asked"]["queries"], 6);
    assert!(report["worth"]["mixing_bits"].as_f64().unwrap() >= 40.0);
    assert!(report["worth"]["proof_bits"].as_f64().unwrap() >= 100.0);
    let labels = digits::samples(digits::Part::Query).labels().unwrap()[..6].to_vec();
    let answers = report["answers"].as_array().unwrap();
    let right = answers.iter().zip(labels).filter(|(answer, label)| answer["class"] == *label).count();
    assert!(right >= 5, "{right} of 6 digits");

    let verified = place.json(0, "verify a.record --card card.json");
    assert_eq!(verified["head"], report["record"]["head"]);
    assert_eq!(verified["entries"][0]["session"], succinct["session"]);
    assert_eq!(verified["entries"][1]["session"], report["session"]);
    let text = place.accepts("verify a.record --card card.json");
    for said in ["proved (succinct)", "proved (revealed)", "batch row columns", "and 0 B of activations"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let audit = place.json(0, "audit a.record --card card.json");
    assert_eq!([&audit["batches"], &audit["proved"]], [2, 2]);

    // The same record under another card, noted under another head, altered, and cut short.
    place.accepts("commit digits.serin --server finch --accuracy 0.99 -o other.json");
    place.exits(1, "verify a.record --card other.json");
    place.exits(1, &format!("verify a.record --head {}", "0".repeat(64)));
    let mut bytes = place.bytes("a.record");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    place.put("altered.record", &bytes);
    place.exits(1, "verify altered.record");
    place.put("torn.record", &place.bytes("a.record")[..middle]);
    place.exits(2, "verify torn.record");
}

#[test]
fn session_with_another_model_than_the_pinned_one_is_rejected() {
    let place = Place::compiled();
    place.put("cheap.onnx", digits::cheap_model());
    place.accepts("compile cheap.onnx --data digits:calibration -o cheap.serin");
    place.accepts("commit cheap.serin --server finch --accuracy 0.98 -o cheap.json");
    let server = place.serve("cheap.serin --card cheap.json");
    let ask = format!("--server {} --queries digits:query --rows 0..2", server.address);
    let caught = place.json(1, &format!("ask --card card.json {ask}"));
    assert_eq!([&caught["verdict"], &caught["blame"]], ["rejected", "server"]);
    // Its own card is kept, but for the accuracy that it claims: the canaries find that out.
    place.accepts(&format!("ask --card cheap.json {ask}"));
    let line = format!("ask --card cheap.json {ask} --canaries digits:canary --canary-count 300 --copies 1");
    assert_eq!(place.json(1, &line)["canaries"]["verdict"]["reasons"][0]["reason"], "error_rate");
}

#[test]
fn audit_of_honest_and_overclaiming_servers_tells_them_apart() {
    let place = Place::compiled();
    let server = place.serve("digits.serin --card card.json");
    let line = format!(
        "audit --card card.json --server {} --canaries digits:canary --record a.record",
        server.address
    );
    let audit = place.json(0, &format!("{line} --canary-count 300 --batch 128"));
    assert_eq!([&audit["batches"], &audit["proved"]], [3, 3]);
    assert_eq!(audit["labelled"]["tally"]["asked"], 300);
    let bound = |name: &str| audit["labelled"][name].as_f64().unwrap();
    assert!(bound("error_at_least") < 0.02 && bound("error_at_most") < 0.1);
    assert!(audit["labelled"]["detectable_error"].is_f64());

    let again = place.json(0, "audit a.record --card card.json");
    assert_eq!(again["labelled"], audit["labelled"]);
    place.json(2, &format!("{line} --canary-count 30 --assure 0.95"));

    place.put("cheap.onnx", digits::cheap_model());
    place.accepts("compile cheap.onnx --data digits:calibration -o cheap.serin");
    place.accepts("commit cheap.serin --server finch --accuracy 0.98 -o cheap.json");
    let cheat = place.serve("cheap.serin --card cheap.json");
    let line = format!(
        "audit --card cheap.json --server {} --canaries digits:canary --protocol plain",
        cheat.address
    );
    assert_eq!(place.json(1, &line)["verdict"], "rejected");
}

#[test]
fn bad_input_is_told_and_writes_nothing() {
    let place = Place::compiled();
    let model = place.bytes("digits.serin");
    place.put("short.serin", &model[..model.len() - 5]);
    place.put("long.serin", &[&model[..], b"more"].concat());
    let version = String::from_utf8_lossy(&model[..14]).replace('1', "9");
    place.put("version.serin", &[version.as_bytes(), &model[14..]].concat());
    place.put("unknown.onnx", &replaced(digits::model(), b"Relu", b"Rely"));
    place.put("short.onnx", &digits::model()[..30_000]);
    let mut nan = digits::model().to_vec();
    nan[30_000..30_008].fill(0xff);
    place.put("nan.onnx", &nan);
    place.put("narrow.csv", b"1,2,3\n4,5,6\n");
    place.put("word.csv", b"1,2,three\n");
    place.put("bad.json", b"{\"server\": \"finch\"}");
    let before = place.names();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port();

    let table = [
        ("inspect short.serin", "truncated"),
        ("inspect long.serin", "left after the end"),
        ("inspect version.serin", "serin-model/9"),
        ("inspect digits.onnx", "serin compile"),
        ("inspect none.serin", "check the path"),
        ("commit short.serin --server finch -o new.json", "truncated"),
        ("commit version.serin --server finch -o new.json", "serin-model/9"),
        ("commit digits.serin --server finch -o card.json", "--force"),
        ("commit digits.serin --server finch --accuracy 98 -o new.json", "0.98"),
        ("commit digits.serin --server finch -o none/new.json", "no folder"),
        ("compile unknown.onnx --data digits:calibration -o new.serin", "`Rely`"),
        ("compile nan.onnx --data digits:calibration -o new.serin", "nan.onnx is not taken"),
        ("compile short.onnx --data digits:calibration -o new.serin", "cut short"),
        ("compile none.onnx --data digits:calibration -o new.serin", "none.onnx"),
        ("compile digits.onnx --data narrow.csv -o new.serin", "shape"),
        ("compile digits.onnx --data word.csv -o new.serin", "`three`"),
        ("compile digits.onnx --data none.npy -o new.serin", "none.npy"),
        ("compile digits.onnx --data digits:calibration --weight-bits 60 -o new.serin", "between 2 and 16"),
        ("compile digits.onnx.xz -o new.serin", "xz -dk digits.onnx.xz"),
        ("serve short.serin --card card.json --port 0", "truncated"),
        ("serve digits.serin --card bad.json --port 0", "is not a card"),
        ("serve digits.serin --card none.json --port 0", "none.json"),
        (&format!("serve digits.serin --card card.json --port {taken}"), "is in use"),
        (
            "ask --card card.json --server 127.0.0.1:1 --queries digits:query --record new.record",
            "cannot reach",
        ),
        ("ask --card card.json --server 127.0.0.1:1 --queries digits:nope", "no part"),
        ("verify none.record", "none.record"),
        ("verify card.json", "serin-record/1"),
        ("audit none.record", "none.record"),
        ("audit --server 127.0.0.1:1 --card card.json", "--canaries"),
        ("bench digits.onnx --batch 0", "1 to"),
        ("bench unknown.onnx", "`Rely`"),
        (
            "ask --card card.json --server 127.0.0.1:1 --queries digits:query --mode short",
            "revealed or succinct",
        ),
        (
            "ask --card card.json --server 127.0.0.1:1 --queries digits:query --protocol plain --mode succinct",
            "leave --mode away",
        ),
        ("plan --queries 0", "at least one query"),
        ("plan --claim 0.9 --alternative 0.95", "must exceed"),
        ("plan", "required"),
    ];
    for (line, said) in table {
        let (_, error) = place.exits(2, line);
        assert!(error.contains(said), "serin {line}: should say `{said}`, said\n{error}");
    }
    assert_eq!(place.names(), before, "nothing is written");
}

#[test]
fn server_that_closes_within_its_answer_is_told_and_leaves_no_record() {
    let place = Place::compiled();
    let server = place.serve("digits.serin --card card.json");
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let upstream = TcpStream::connect(&server.address).unwrap();
    let cut = thread::spawn(move || {
        let (client, _) = proxy.accept().unwrap();
        let questions = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut { questions.0 }, &mut { questions.1 }));
        // Past card and graph, well within the answer.
        std::io::copy(&mut (&upstream).take(20_000), &mut (&client)).unwrap();
        (&client).flush().unwrap();
        client.shutdown(std::net::Shutdown::Both).unwrap();
    });
    let line = format!(
        "ask --card card.json --server {address} --queries digits:query --rows 0..8 --record new.record"
    );
    let (_, error) = place.exits(2, &line);
    assert!(error.contains("closed the connection"), "{error}");
    assert!(!place.names().contains(&"new.record".to_owned()));
    cut.join().unwrap();
}

#[test]
fn data_of_another_shape_is_refused_before_it_is_asked() {
    let place = Place::compiled();
    place.put("narrow.csv", b"1,2,3\n4,5,6\n");
    let server = place.serve("digits.serin --card card.json");
    let line =
        format!("ask --card card.json --server {} --queries narrow.csv --record new.record", server.address);
    let (_, error) = place.exits(2, &line);
    assert!(error.contains("narrow.csv") && error.contains(":shape=1x8x8"), "{error}");
    assert!(!place.names().contains(&"new.record".to_owned()));
}

#[test]
#[cfg(unix)]
fn server_told_to_stop_ends_with_code_0() {
    let place = Place::compiled();
    for signal in ["-TERM", "-INT"] {
        let mut server = place.serve("digits.serin --card card.json");
        let status = Command::new("kill").args([signal, &server.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        assert_eq!(server.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

/// Every `from` in `bytes` replaced by `to` of the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
    bytes
}
