//! Figures that were published, or measured on another machine of the same kind, for peers that this run did not measure.

use super::network::Network;
use super::table::{Row, Source};

/// One figure: system, whom it holds against, network, batch, MB both ways, seconds, MB once.
type Figure = (&'static str, &'static str, Network, usize, f64, f64, Option<f64>);

/// The rows of systems for which `measured` says no.
pub(crate) fn rows(networks: &[Network], batches: &[usize], measured: impl Fn(&str) -> bool) -> Vec<Row> {
    let figures = FIGURES.iter().filter(|(system, _, network, batch, ..)| {
        networks.contains(network) && batches.contains(batch) && !measured(system)
    });
    let row = |&(system, against, network, batch, mb, seconds, once): &Figure| Row {
        bytes: Some(mb * 1e6),
        wall_s: Some(seconds),
        setup_bytes: once.map(|mb| mb * 1e6),
        ..Row::new(network.name(), batch, system, against, Source::Elsewhere)
    };
    figures.map(row).collect()
}

/// Bytes for one ReLU.
pub(crate) fn relu(measured: impl Fn(&str) -> bool) -> impl Iterator<Item = (&'static str, f64)> {
    RELU.iter().copied().filter(move |(system, _)| !measured(system))
}

/// What Fusion's authors claim of their own system, with nothing that could be run here.
pub(crate) const FUSION: &str =
    "Fusion's own claim: 48.06× less time and 30.90× less traffic than one baseline of this kind";

const MLP: Network = Network::Mlp;
const MNIST: Network = Network::MnistNet;

const FIGURES: &[Figure] = &[
    ("SPU Cheetah", "semi-honest", MLP, 1, 1.40, 0.31, None),
    ("SPU Cheetah", "semi-honest", MLP, 16, 1.92, 1.2, None),
    ("SPU Cheetah", "semi-honest", MNIST, 1, 3.31, 0.80, None),
    ("SPU Cheetah", "semi-honest", MNIST, 16, 24.2, 6.3, None),
    ("OpenCheetah", "semi-honest", MLP, 1, 1.72, 0.035, None),
    ("OpenCheetah", "semi-honest", MNIST, 1, 2.48, 0.095, None),
    ("SIMC", "malicious client", MNIST, 1, 388.0, 7.0, None),
    ("MP-SPDZ, mascot", "malicious", MLP, 1, 7.9e3, 48.0, None),
    ("MP-SPDZ, lowgear", "malicious", MLP, 1, 1.13e3, 26.0, Some(56.5e3)),
    ("MP-SPDZ, spdz2k", "malicious", MLP, 1, 5.1e3, 22.0, None),
];

const RELU: &[(&str, f64)] = &[("SPU Cheetah", 98.5), ("OpenCheetah", 57.0), ("SIMC", 12.9e3)];
