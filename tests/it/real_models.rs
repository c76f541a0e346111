//! Conformance on real networks: those of the development data, where that folder lies beside the workspace.
//!
//! Without it the tests say so and check nothing: users have no such folder.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serin::import::calibrate::calibrate;
use serin::import::lower::{Compiled, Precision, compile, lower};
use serin::import::read;
use serin::protocol::{Host, Kind, Protocol, converse};
use serin::prover::Model;
use serin::synthetic::batch;
use serin_circuits::reference;
use serin_datasets::digits::{self, Part};
use serin_datasets::{Samples, Source, load, synthetic};
use serin_verifier::proof::Mode;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use crate::world::SESSION;

/// Samples of CIFAR-10, prepared as the ResNets take them.
fn cifar(folder: &Path, name: &str, samples: Range<usize>) -> Samples {
    let path = folder.join("data/cifar10").join(name).display().to_string();
    let prepared = "scale=0.00392157:mean=0.485,0.456,0.406:std=0.229,0.224,0.225";
    load(&format!("{path}:{prepared}").parse::<Source>().unwrap()).unwrap().slice(samples).unwrap()
}

/// Networks beyond this are left to the harness: the reference engine is not fast.
const MOST_MULTIPLY_ADDS: u64 = 3_000_000;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// Every ONNX file below the folder's models but those for ImageNet, too large for the reference engine.
fn models(folder: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder.join("models")).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.filter(|path| path.is_dir()).flat_map(|path| fs::read_dir(path).unwrap());
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    files.retain(|path| !path.parent().is_some_and(|folder| folder.ends_with("imagenet")));
    files.sort();
    files
}

fn conforms(name: &str, Compiled { graph, weights, .. }: Compiled) {
    let model = Model::new(graph, weights);
    let inputs = batch(model.graph(), 5, 3);
    let trace = model.infer(&inputs);
    let expected = reference::infer(model.graph(), model.weights(), inputs.clone());
    assert_eq!(trace.output(), &expected, "{name}");
    for mode in Mode::ALL {
        let proof = model.prove("s", &SESSION, &inputs, &trace, mode).unwrap();
        let statement = Statement { mode, ..model.statement("s", &SESSION, &inputs, trace.output()) };
        let accepted = verify(&statement, &proof).unwrap_or_else(|r| panic!("{name}, {mode}: {r}"));
        assert!(accepted.soundness.bits > 100.0, "{name}, {mode}");
    }
    let host = Host::new("s", model, None).with_private().unwrap_or_else(|unfit| panic!("{name}: {unfit}"));
    let reply = converse(&host, Kind::Private, |client| client.ask(&SESSION, &inputs)).unwrap();
    let reply = reply.unwrap_or_else(|error| panic!("{name}, in private: {error}"));
    assert_eq!(reply.outputs, expected, "{name}, in private");
}

#[test]
fn real_network_of_any_kind_is_proved_and_computed_in_private_exactly_or_refused_by_name() {
    let Some(folder) = folder() else { return };
    let (mut proved, mut refused) = (0, 0);
    for path in models(&folder) {
        let name = path.file_stem().unwrap().to_string_lossy();
        let float = match read(&fs::read(&path).unwrap()) {
            Ok(float) => float,
            Err(refusal) => {
                eprintln!("{name}: {refusal}");
                assert!(refusal.to_string().contains('`'), "{name}: `{refusal}` names no node");
                refused += 1;
                continue;
            }
        };
        let samples = synthetic::uniform(3, 4, &float.reading().sample_shape, 0.0..1.0).unwrap();
        let compiled = compile(&float, samples.inputs(), None, Precision::default()).unwrap();
        if compiled.graph.multiply_adds() > MOST_MULTIPLY_ADDS {
            eprintln!("{name}: left to the harness, {} multiply-adds", compiled.graph.multiply_adds());
            continue;
        }
        conforms(&name, compiled);
        proved += 1;
    }
    eprintln!("{proved} proved, {refused} refused");
    assert!(proved >= 20, "only {proved} networks were proved");
}

/// Real images through a real network that neither end sees whole.
#[test]
fn resnet_on_real_images_in_private_returns_the_very_integers() {
    let Some(folder) = folder() else { return };
    let float = read(&fs::read(folder.join("models/cifar10/resnet20.onnx")).unwrap()).unwrap();
    let calibration =
        calibrate(&float, cifar(&folder, "cifar10_train_0000_1999.bin", 0..20).inputs()).unwrap();
    let (graph, weights, encoder) = lower(&float, &calibration, Precision::default()).unwrap();
    let test = cifar(&folder, "cifar10_test_0000_0499.bin", 0..2);
    let inputs = encoder.encode(test.inputs()).unwrap();
    let host = Host::new("resnet", Model::new(graph, weights), None).with_private().unwrap();
    let expected = host.model().infer(&inputs).output().clone();
    let reply = converse(&host, Kind::Private, |client| client.ask(&SESSION, &inputs)).unwrap().unwrap();
    assert_eq!(reply.outputs, expected);
}

#[test]
fn digits_network_on_real_samples_loses_little_to_integers_and_is_proved() {
    let float = read(digits::model()).unwrap();
    let calibration = digits::samples(Part::Calibration);
    let compiled = compile(&float, calibration.inputs(), calibration.labels(), Precision::default()).unwrap();
    let queries = digits::samples(Part::Query);
    let inputs = compiled.encoder.encode(queries.inputs()).unwrap();
    let answers = reference::infer(&compiled.graph, &compiled.weights, inputs);
    assert!(right(&answers, &queries) >= 440, "{} of {} right", right(&answers, &queries), queries.len());
    conforms("digits", compiled);
}

#[test]
fn mnist_network_on_real_samples_keeps_its_accuracy() {
    let Some(folder) = folder() else { return };
    let float = read(&fs::read(folder.join("models/mnist/convnet_maxpool.onnx")).unwrap()).unwrap();
    let mnist = |name: &str| folder.join("data/mnist").join(name).display().to_string();
    let (images, labels) = (mnist("t10k-images-idx3-ubyte.gz"), mnist("t10k-labels-idx1-ubyte.gz"));
    let source: Source = format!("{images},{labels}:scale=1/255").parse().unwrap();
    let samples = load(&source).unwrap();
    let calibration = samples.slice(0..100).unwrap();
    let compiled = compile(&float, calibration.inputs(), calibration.labels(), Precision::default()).unwrap();
    let test = samples.slice(1000..2000).unwrap();
    let inputs = compiled.encoder.encode(test.inputs()).unwrap();
    let answers = serin::prover::infer::infer(&compiled.graph, &compiled.weights, &inputs);
    // Published for floats: 97.92 % of all 10,000.
    assert!(right(&answers, &test) >= 955, "{} of 1000 right", right(&answers, &test));
}

#[test]
fn resnet_with_padded_shortcuts_keeps_its_accuracy_in_integers_and_is_proved() {
    let Some(folder) = folder() else { return };
    let float = read(&fs::read(folder.join("models/cifar10/resnet20.onnx")).unwrap()).unwrap();
    let cifar = |name: &str, samples: Range<usize>| cifar(&folder, name, samples);
    let calibration = calibrate(&float, cifar("cifar10_train_0000_1999.bin", 0..50).inputs()).unwrap();
    let (graph, weights, encoder) = lower(&float, &calibration, Precision::default()).unwrap();
    let test = cifar("cifar10_test_0000_0499.bin", 0..100);
    let inputs = encoder.encode(test.inputs()).unwrap();
    let answers = serin::prover::infer::infer(&graph, &weights, &inputs);
    let reals = calibrate(&float, test.inputs()).unwrap().outputs;
    let integer = right(&answers, &test);
    let agreeing = reals.outer_iter().enumerate().filter(|(n, logits)| {
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        logits.iter().position(|v| *v == greatest) == best(answers.sample(*n))
    });
    let agreeing = agreeing.count();
    eprintln!("{integer} of 100 right, {agreeing} as in floats");
    // onnxruntime has 91 % of the first 500 right.
    assert!(integer >= 88 && agreeing >= 95, "{integer} right, {agreeing} as in floats");
    let model = Model::new(graph, weights);
    let asked = inputs.select(&[0]).unwrap();
    let trace = model.infer(&asked);
    assert_eq!(trace.output().values(), answers.sample(0));
    for mode in Mode::ALL {
        let proof = model.prove("s", &SESSION, &asked, &trace, mode).unwrap();
        let statement = Statement { mode, ..model.statement("s", &SESSION, &asked, trace.output()) };
        verify(&statement, &proof).unwrap();
    }
}

fn best(logits: &[i32]) -> Option<usize> {
    let best = logits.iter().max()?;
    logits.iter().position(|v| v == best)
}

fn right(answers: &serin_circuits::tensor::Tensor, samples: &Samples) -> usize {
    let labels = samples.labels().unwrap().iter().enumerate();
    labels.filter(|(n, label)| best(answers.sample(*n)) == Some(**label as usize)).count()
}
