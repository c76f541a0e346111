//! The float evaluator held against onnxruntime on real networks, where the development data are at hand.
//!
//! `REFERENCE` names, for each model, the data and preprocessing it was trained for; the logits are what onnxruntime 1.31 computed on
//! the first samples. Without the folder `../shared/data` beside the workspace the tests say so and check nothing.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, Axis, IxDyn, Slice};
use serin_circuits::quant::dequantise;
use serin_circuits::reference::infer;
use serin_datasets::{Source, load};

use super::calibrate::calibrate;
use super::lower::{Precision, compile, lower};
use super::{FloatGraph, read};

/// Model, samples, and whether the file ends in a softmax.
const REFERENCE: &[(&str, &str, bool)] = &[
    ("mnist/convnet_maxpool", MNIST, false),
    ("mnist/convnet_avgpool", MNIST, false),
    ("mnist/mnist-8_onnxzoo", MNIST_RAW, false),
    ("mnist/opt-mnist", MNIST_RAW, false),
    ("mnist/mnist-net_256x4", MNIST, false),
    ("mnist/mnist2x10", MNIST, false),
    ("mnist/cnn_max_mninst3", MNIST, false),
    ("mnist/muse_mlp", MNIST_HALF, false),
    (
        "cifar10/resnet_2b",
        "{cifar}:scale=0.00392157:mean=0.4914,0.4822,0.4465:std=0.247,0.2435,0.2616",
        false,
    ),
    ("cifar10/oval_base_kw", "{cifar}:scale=0.00392157:mean=0.485,0.456,0.406:std=0.225", false),
    ("cifar10/deepprove_cnn_cifar", "{cifar}:scale=0.00392157:mean=0.5:std=0.5", false),
    ("cifar10/minionn_relu6", "{cifar}:scale=0.00392157", false),
    ("cifar10/resnet20", CIFAR, false),
    ("cifar10/resnet20_bn", CIFAR, false),
    ("cifar10/resnet32", CIFAR, false),
    ("tabular/breast_cancer_mlp", "{data}/tabular/breast_cancer_test.npz", false),
    ("tabular/digits_mlp", "{data}/tabular/digits_test.npz", false),
    ("mlperf_tiny/kws_fp32", "{data}/mlperf_tiny/kws01_994.npz:shape=1x49x10:mean=83:std=1.710266", true),
];
/// Pictures of the large networks' tests.
const PICTURES: usize = 2;
const CIFAR: &str = "{cifar}:scale=0.00392157:mean=0.485,0.456,0.406:std=0.229,0.224,0.225";
const MNIST: &str = "{mnist}:scale=0.00392157";
const MNIST_RAW: &str = "{mnist}";
const MNIST_HALF: &str = "{mnist}:scale=0.00392157:mean=0.5";

/// The folder of development data, if it is there.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

/// The samples that a line of `REFERENCE` names, shaped for `graph`.
pub(crate) fn samples(folder: &Path, line: &str, graph: &FloatGraph) -> (ArrayD<f32>, Option<Vec<u32>>) {
    let data = folder.join("data");
    let data = data.to_str().unwrap();
    let line = line
        .replace("{mnist}", "{data}/mnist/t10k-images-idx3-ubyte.gz,{data}/mnist/t10k-labels-idx1-ubyte.gz")
        .replace("{cifar}", "{data}/cifar10/cifar10_test_0000_0499.bin")
        .replace("{data}", data);
    let (inputs, labels) = load(&line.parse::<Source>().unwrap()).unwrap().into_parts();
    let mut shape = vec![inputs.len_of(Axis(0))];
    shape.extend(&graph.reading().sample_shape);
    (inputs.into_shape_with_order(IxDyn(&shape)).unwrap(), labels)
}

fn model(folder: &Path, name: &str) -> FloatGraph {
    let bytes = std::fs::read(folder.join(format!("models/{name}.onnx"))).unwrap();
    read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn softmax(mut logits: ArrayD<f32>) -> ArrayD<f32> {
    for mut row in logits.outer_iter_mut() {
        let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.mapv_inplace(|x| (x - greatest).exp());
        row /= row.sum();
    }
    logits
}

#[test]
fn float_run_of_real_models_agrees_with_onnxruntime() {
    let Some(folder) = folder() else { return };
    for &(name, line, ends_in_softmax) in REFERENCE {
        let graph = model(&folder, name);
        let reference = folder.join(format!("ref/{}.logits.npy", name.replace('/', "_")));
        let reference: Source = reference.to_str().unwrap().parse().unwrap();
        let reference = load(&reference).unwrap().into_parts().0;
        let (inputs, _) = samples(&folder, line, &graph);
        let count = reference.len_of(Axis(0)).min(100);
        let first = |array: &ArrayD<f32>| array.slice_axis(Axis(0), Slice::from(..count)).to_owned();
        let mut outputs = graph.run(&first(&inputs), |_, _| {}).unwrap();
        assert_eq!(graph.notes().len(), usize::from(ends_in_softmax), "{name}");
        if ends_in_softmax {
            outputs = softmax(outputs);
        }
        let difference = &outputs - &first(&reference);
        let [difference, size] =
            [&difference, &reference].map(|a| a.iter().fold(0f32, |most, x| most.max(x.abs())));
        println!("{name}: max |difference| {difference:e}, max |logit| {size}, {count} samples");
        // Networks on raw pixels answer with logits in the thousands, where a float sum in another order is off by more.
        assert!(difference < 1e-3_f32.max(2e-6 * size), "{name}: {difference}");
    }
}

#[test]
fn squeezenet_on_real_pictures_agrees_with_onnxruntime_in_floats_and_integers() {
    let Some(folder) = folder() else { return };
    let graph = model(&folder, "imagenet/squeezenet1.0");
    let array = |path: &str| {
        let source: Source = folder.join(path).to_str().unwrap().parse().unwrap();
        load(&source).unwrap().into_parts().0
    };
    // Rows, columns and RGB become the channels B, G, R, rows and columns.
    let pictures = array("data/imagenet/imagenet100_224.npy");
    let mean = [104.0, 117.0, 123.0];
    let inputs = ArrayD::from_shape_fn(IxDyn(&[PICTURES, 3, 224, 224]), |at| {
        pictures[[at[0], at[2], at[3], 2 - at[1]]] - mean[at[1]]
    });
    let reference = array("ref/imagenet_squeezenet1.0.logits.npy");
    let calibration = calibrate(&graph, &inputs).unwrap();
    let size = reference.iter().fold(0f32, |most, x| most.max(x.abs()));
    let difference =
        calibration.outputs.iter().zip(&reference).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    println!("max |difference| {difference:e}, max |logit| {size}");
    assert!(difference < 2e-5 * size, "{difference} of {size}");
    let (integer, weights, encoder) = lower(&graph, &calibration, Precision::default()).unwrap();
    let answers = infer(&integer, &weights, encoder.encode(&inputs).unwrap());
    let exponent = integer.output().exponent;
    let reals = answers.values().iter().map(|&q| dequantise(q, exponent));
    let error = reals.zip(&reference).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    println!("integers: max |difference| {error}");
    assert!(error < 0.1 * size, "{error} of {size}");
}

#[test]
fn models_measured_on_other_provers_are_read_and_run() {
    let Some(folder) = folder() else { return };
    for entry in std::fs::read_dir(folder.join("models/peers")).unwrap() {
        let path = entry.unwrap().path();
        let graph =
            read(&std::fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut shape = vec![2];
        shape.extend(&graph.reading().sample_shape);
        let output = graph.run(&ArrayD::from_elem(IxDyn(&shape), 0.5), |_, _| {}).unwrap();
        assert!(output.iter().all(|x| x.is_finite()), "{}", path.display());
    }
}

#[test]
fn models_with_other_operators_are_refused_by_node_and_operator() {
    let Some(folder) = folder() else { return };
    for (name, op) in [
        ("mnist/ffnn_sigmoid_6x200", "Sigmoid"),
        ("mnist/mnist5x20_leaky_relu", "LeakyRelu"),
        ("cifar10/vit_pgd_2_3_16", "Shape"),
        ("cifar10/resnet20_int8_qdq", "DequantizeLinear"),
    ] {
        let bytes = std::fs::read(folder.join(format!("models/{name}.onnx"))).unwrap();
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(&format!("is a `{op}`, which serin does not take")), "{name}: {error}");
    }
}

#[test]
fn integer_forms_of_real_models_answer_like_the_float_models() {
    let Some(folder) = folder() else { return };
    // The reference engine, which measures them, is not fast.
    let large = ["cifar10/minionn_relu6", "cifar10/resnet20", "cifar10/resnet20_bn", "cifar10/resnet32"];
    for &(name, line, _) in REFERENCE.iter().filter(|(name, ..)| !large.contains(name)) {
        let graph = model(&folder, name);
        let (inputs, labels) = samples(&folder, line, &graph);
        let count = inputs.len_of(Axis(0)).min(100);
        let inputs = inputs.slice_axis(Axis(0), Slice::from(..count)).to_owned();
        let labels = labels.map(|labels| labels[..count].to_vec());
        let compiled = compile(&graph, &inputs, labels.as_deref(), Precision::default());
        let report = compiled.unwrap_or_else(|error| panic!("{name}: {error}")).report;
        println!(
            "{name}: {} of {count} agree, right {:?}, max |error| {} of {}",
            report.agreeing, report.right, report.max_logit_error, report.max_logit
        );
        assert!(report.agreeing * 100 >= count * 90, "{name}: {} of {count}", report.agreeing);
    }
}
