//! The networks that are compared.

use std::path::{Path, PathBuf};

/// A network, named as its ONNX file.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub(crate) enum Network {
    /// An MLP of 784, 128, 128 and 10.
    #[value(name = "mlp_784_128_128_10")]
    Mlp,
    #[value(name = "mnist_net")]
    /// The MNIST net of MiniONN: two convolutions, two max pools, two dense layers.
    MnistNet,
    #[value(name = "resnet20")]
    /// ResNet-20 for CIFAR-10. Slow: SPU takes half a minute a batch, or more.
    Resnet20,
}

impl Network {
    /// Its file's name without the ending.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp_784_128_128_10",
            Self::MnistNet => "mnist_net",
            Self::Resnet20 => "resnet20",
        }
    }

    /// Its file in a folder of models, if it is there. That of ResNet-20 may also be in `cifar10` beside the folder.
    pub(crate) fn file(self, models: &Path) -> Option<PathBuf> {
        let file = format!("{}.onnx", self.name());
        let beside = (self == Self::Resnet20).then(|| models.join("../cifar10").join(&file));
        [Some(models.join(&file)), beside].into_iter().flatten().find(|file| file.is_file())
    }
}
