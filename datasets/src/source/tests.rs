#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use flate2::{Compression, write::GzEncoder};
use ndarray::array;
use ndarray_npy::write_npy;
use std::{fs, io::Write};

fn loaded(text: &str) -> Result<Samples, DataError> {
    load(&text.parse().unwrap())
}

#[test]
fn built_in_parts_load_by_name() {
    assert_eq!(loaded("digits:query").unwrap(), digits::samples(Part::Query));
    let flat = loaded("digits:canary:shape=64:scale=16").unwrap();
    assert_eq!((flat.len(), flat.shape()), (450, &[64][..]));
    assert_eq!(flat.inputs().iter().copied().fold(0.0, f32::max), 16.0);
}

#[test]
fn texts_become_what_they_mean() {
    let source: Source = "a:b/t.csv.gz:std=0.5,2:label=first:scale=1/4:mean=-1:shape=2x3".parse().unwrap();
    let file = File { path: "a:b/t.csv.gz".into(), format: Format::Csv };
    assert_eq!(source.origin, Origin::One(file));
    assert_eq!((source.label, source.shape), (LabelColumn::First, Some(vec![2, 3])));
    assert_eq!(source.preprocess, Preprocess { scale: 0.25, mean: vec![-1.0], std: vec![0.5, 2.0] });
}

#[test]
fn texts_that_mean_nothing_are_refused() {
    let fault = |text: &str| text.parse::<Source>().unwrap_err();
    assert_eq!(fault("picture.png"), SourceError::Format("picture.png".into()));
    assert_eq!(fault("digits"), SourceError::Format("digits".into()));
    assert_eq!(fault("digits:test"), SourceError::Part(UnknownPart("test".into())));
    assert_eq!(fault("x.npy,y.csv"), SourceError::Pair("y.csv".into()));
    assert_eq!(fault("x.npy:label=last"), SourceError::Option("label".into()));
    assert_eq!(fault("x.npy:crop=3"), SourceError::Option("crop".into()));
    assert_eq!(fault("x.npy:scale=1:scale=2"), SourceError::Twice("scale".into()));
    for value in ["x.npy:scale=1/0", "x.npy:mean=1,", "x.npy:std=0", "x.npy:shape=2x0", "t.csv:label=2"] {
        assert!(matches!(fault(value), SourceError::Value { .. }), "{value}");
    }
}

#[test]
fn pairs_join_inputs_and_labels_and_blame_the_right_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    write_npy(path("x.npy"), &array![[1.0f32, 2.0], [3.0, 4.0]]).unwrap();
    let mut packed = GzEncoder::new(fs::File::create(path("y-ubyte.gz")).unwrap(), Compression::fast());
    packed.write_all(&[0, 0, 8, 1, 0, 0, 0, 2, 7, 0]).unwrap();
    packed.finish().unwrap();
    write_npy(path("bad.npy"), &array![0.5f32, 1.0]).unwrap();
    write_npy(path("three.npy"), &array![0u8, 1, 2]).unwrap();

    let samples = loaded(&format!("{},{}", path("x.npy"), path("y-ubyte.gz"))).unwrap();
    assert_eq!((samples.shape(), samples.labels()), (&[2][..], Some(&[7, 0][..])));

    let error = loaded(&format!("{},{}", path("x.npy"), path("bad.npy"))).unwrap_err();
    assert!(
        matches!(error.fault, Fault::Label { sample: 0, .. }) && error.origin == path("bad.npy"),
        "{error}"
    );
    let error = loaded(&format!("{},{}", path("x.npy"), path("three.npy"))).unwrap_err();
    assert!(matches!(error.fault, Fault::LabelCount { inputs: 2, labels: 3 }), "{error}");
}

#[test]
fn files_missing_cut_or_empty_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();

    let error = loaded(&path("absent.npy")).unwrap_err();
    assert!(
        matches!(error.fault, Fault::Io(_)) && error.to_string().starts_with(&path("absent.npy")),
        "{error}"
    );

    let whole = include_bytes!("../../data/digits.csv.gz");
    fs::write(path("cut.csv.gz"), &whole[..30_000]).unwrap();
    assert!(matches!(loaded(&path("cut.csv.gz")).unwrap_err().fault, Fault::Io(_)));

    for name in ["empty.csv", "empty.bin"] {
        fs::write(path(name), b"").unwrap();
        assert!(matches!(loaded(&path(name)).unwrap_err().fault, Fault::Empty), "{name}");
    }
}

/// Real files of the usual sets, where a developer has them beside the project; they are not part of it.
#[test]
fn real_files_load_with_their_known_shapes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/data");
    if !folder.is_dir() {
        return println!("skipped: no {}", folder.display());
    }
    let path = |name: &str| folder.join(name).display().to_string();
    let mnist = (path("mnist/t10k-images-idx3-ubyte.gz"), path("mnist/t10k-labels-idx1-ubyte.gz"));
    for (text, shape, labels) in [
        (format!("{},{}", mnist.0, mnist.1), &[10_000, 1, 28, 28][..], Some(&[7, 2, 1, 0, 4][..])),
        (path("cifar10/cifar10_test_0000_0499.bin"), &[500, 3, 32, 32], Some(&[3, 8, 8, 0, 6])),
        (path("tabular/breast_cancer_test.npz"), &[171, 30], Some(&[])),
        (path("mlperf_tiny/kws01_994.npz"), &[994, 49, 10, 1], Some(&[])),
        (path("location30/location30.npz"), &[5010, 446], Some(&[])),
        (path("imagenet/imagenet100_128.npy:scale=1/255"), &[100, 128, 128, 3], None),
    ] {
        let samples = loaded(&text).unwrap();
        assert_eq!(samples.inputs().shape(), shape, "{text}");
        assert_eq!(samples.labels().is_some(), labels.is_some(), "{text}");
        assert!(samples.labels().unwrap_or_default().starts_with(labels.unwrap_or_default()), "{text}");
    }
}
