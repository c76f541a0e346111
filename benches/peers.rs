//! Our figures beside those published or measured for public provers, in one table: `cargo bench --bench peers`.
//!
//! The networks are those on which the peers were measured, with synthetic 8-bit weights (speed and size do not depend on
//! them). Ours are CPU seconds on one thread of this machine; theirs were measured by us on a like machine (2 cores at
//! 2.3 GHz, CPU seconds). In `revealed` mode our proofs show the client the activations, which theirs hide; `succinct` ones do not.

use mimalloc::MiMalloc;
use serin::measure;
use serin::prover::Model;
use serin::synthetic::{Net, batch, square};
use serin_verifier::proof::Mode;

/// As in the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

struct Peer {
    system: &'static str,
    prove: f64,
    verify: Option<f64>,
    proof: Option<f64>,
}

/// A network, the batches it is measured on, and who else was measured on it.
struct Network {
    name: &'static str,
    batches: &'static [usize],
    model: fn() -> Model,
    peers: Vec<Peer>,
}

const fn peer(system: &'static str, prove: f64, verify: Option<f64>, proof: Option<f64>) -> Peer {
    Peer { system, prove, verify, proof }
}

fn lenet(pool: fn(Net) -> Net) -> Model {
    let first = pool(Net::new(1, &[1, 28, 28]).conv(1, 6, square(5, 1, 0)).rescale(0));
    let second = pool(first.conv(1, 16, square(5, 1, 0)).rescale(0));
    second.dense(120).rescale(0).dense(84).rescale(0).dense(10).finish()
}

fn cifar_264k() -> Model {
    let first = Net::new(1, &[3, 32, 32]).conv(1, 12, square(5, 1, 0)).rescale(0).max_pool(square(2, 2, 0));
    let second = first.conv(1, 33, square(5, 1, 0)).rescale(0).max_pool(square(2, 2, 0));
    second.dense(248).rescale(0).dense(173).rescale(0).dense(10).finish()
}

fn dense(widths: &[usize]) -> Model {
    let mut net = Net::new(1, &widths[..1]);
    for (i, width) in widths[1..].iter().enumerate() {
        net = if i == 0 { net.dense(*width) } else { net.rescale(0).dense(*width) };
    }
    net.finish()
}

/// VGG-16 as it is used for CIFAR-10: thirteen 3×3 convolutions, five pools, three dense layers, 15 million weights.
fn vgg16() -> Model {
    let mut net = Net::new(1, &[3, 32, 32]);
    for (channels, convolutions) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..convolutions {
            net = net.conv(1, channels, square(3, 1, 1)).rescale(0);
        }
        net = net.max_pool(square(2, 2, 0));
    }
    net.dense(512).rescale(0).dense(512).rescale(0).dense(10).finish()
}

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("no pool yet");
    let mb = |n: f64| Some(n * 1e6);
    let few: &[usize] = &[1, 8, 64];
    let networks = [
        Network {
            name: "MLP 784-128-128-10",
            batches: few,
            model: || dense(&[784, 128, 128, 10]),
            peers: vec![peer("ezkl 23.0.5", 28.8, None, None), peer("JSTprove", 0.31, None, mb(0.039))],
        },
        Network {
            name: "LeNet 28×28, max pool",
            batches: few,
            model: || lenet(|net| net.max_pool(square(2, 2, 0))),
            peers: vec![
                peer("ezkl 23.0.5", 229.0, None, mb(0.004)),
                peer("DeepProve", 1.05, Some(0.44), mb(8.0)),
                peer("JSTprove", 1.75, None, mb(0.093)),
                peer("zkCNN", 0.33, Some(0.005), mb(0.071)),
            ],
        },
        Network {
            name: "CNN 264k, CIFAR",
            batches: few,
            model: cifar_264k,
            peers: vec![peer("DeepProve", 8.0, None, mb(12.0))],
        },
        Network {
            name: "dense 4M",
            batches: few,
            model: || dense(&[4, 1024, 1024, 1024, 1024, 1024, 3]),
            peers: vec![peer("DeepProve", 5.0, None, mb(12.0))],
        },
        Network {
            name: "VGG-16, CIFAR",
            batches: &[1],
            model: vgg16,
            peers: vec![peer("zkCNN", 95.0, None, mb(0.341))],
        },
    ];
    println!(
        "{:<24} {:>5}  {:>10} {:>10} {:>7} {:>10} {:>7} {:>9} {:>11}",
        "network and system",
        "batch",
        "infer ms",
        "prove ms",
        "×infer",
        "verify ms",
        "×infer",
        "proof kB",
        "activ. kB"
    );
    for Network { name, batches, model, peers } in networks {
        let model = model();
        let once = measure::once(&model);
        println!(
            "{name}: commit {:.1} ms once, open {:.2} ms",
            once.commit_cpu_s * 1e3,
            once.open_cpu_s * 1e3
        );
        for (mode, n) in Mode::ALL.into_iter().flat_map(|mode| batches.iter().map(move |n| (mode, *n))) {
            let b = measure::batch(&model, &batch(model.graph(), 3, n), mode).expect("an honest batch");
            let ratio = |seconds: f64| seconds / b.infer_cpu_s;
            println!(
                "{:<24} {n:>5}  {:>10.3} {:>10.3} {:>7.2} {:>10.3} {:>7.2} {:>9.1} {:>11.1}",
                format!("  serin, {mode}"),
                b.infer_cpu_s * 1e3,
                b.prove_cpu_s * 1e3,
                ratio(b.prove_cpu_s),
                b.verify_cpu_s * 1e3,
                ratio(b.verify_cpu_s),
                b.proof_bytes as f64 / 1e3,
                b.activation_bytes as f64 / 1e3
            );
        }
        for Peer { system, prove, verify, proof } in peers {
            let cell =
                |value: Option<f64>, unit: f64| value.map_or("–".into(), |v| format!("{:.1}", v / unit));
            println!(
                "{:<24} {:>5}  {:>10} {:>10.0} {:>7} {:>10} {:>7} {:>9}",
                format!("  {system}"),
                1,
                "",
                prove * 1e3,
                "",
                cell(verify, 1e-3),
                "",
                cell(proof, 1e3)
            );
        }
    }
}
