//! The networks that rows can be coded with.

use crate::engine::records::SteppingEngine;
use crate::engine::records_native::NativeRecords;
use crate::engine::window_native::NativeWindow;
#[cfg(feature = "torch")]
use crate::engine::{
    EngineError, records::RecordsEngine, records_torch::TorchRecords, torch::TorchDevice,
    window_torch::TorchWindow,
};
use crate::made::file::{KIND, ModelFile};
use crate::made::weights::{MIXTURES, RECORDS};
use crate::made::window::WindowMade;
use crate::made::window_file::BITMAPS;
use crate::made::{Made, Mixture, ModelError, Ordering};

/// A checked model of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsModel {
    /// The classic MADE.
    Made(Made),
    /// The convolutional MADE.
    Window(WindowMade),
    /// The classic MADE under several orderings.
    Mixture(Mixture),
}

impl From<Made> for RecordsModel {
    fn from(made: Made) -> Self {
        Self::Made(made)
    }
}

impl From<WindowMade> for RecordsModel {
    fn from(made: WindowMade) -> Self {
        Self::Window(made)
    }
}

impl From<Mixture> for RecordsModel {
    fn from(mixture: Mixture) -> Self {
        Self::Mixture(mixture)
    }
}

impl RecordsModel {
    /// Whether a model of this kind (metadata [`KIND`]) codes rows.
    pub fn is_kind(kind: &str) -> bool {
        [RECORDS, BITMAPS, MIXTURES].contains(&kind)
    }

    /// Reads a model of any of these.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        match file.text(KIND)? {
            BITMAPS => Ok(Self::Window(WindowMade::from_file(file)?)),
            MIXTURES => Ok(Self::Mixture(Mixture::from_file(file)?)),
            _ => Ok(Self::Made(Made::from_file(file)?)),
        }
    }

    /// The model's file.
    pub fn to_file(&self) -> ModelFile {
        match self {
            Self::Made(made) => made.to_file(),
            Self::Window(made) => made.to_file(),
            Self::Mixture(mixture) => mixture.to_file(),
        }
    }

    /// The networks under one ordering each that rows are mixed of: itself, if
    /// there is one ordering.
    pub fn components(&self) -> Vec<Self> {
        match self {
            Self::Mixture(mixture) => {
                mixture.components().iter().cloned().map(Self::Made).collect()
            }
            one => vec![one.clone()],
        }
    }

    /// Bits of a row.
    pub fn dims(&self) -> usize {
        match self {
            Self::Made(made) => made.architecture().dims,
            Self::Window(made) => made.architecture().dims(),
            Self::Mixture(mixture) => mixture.components()[0].architecture().dims,
        }
    }

    /// Height and width of a bitmap; none for a model of any rows.
    pub fn shape(&self) -> Option<(usize, usize)> {
        match self {
            Self::Made(_) | Self::Mixture(_) => None,
            Self::Window(made) => Some((made.architecture().height, made.architecture().width)),
        }
    }

    /// The order in which a row's bits are coded; of several, the first.
    pub fn ordering(&self) -> Ordering {
        match self {
            Self::Made(made) => made.ordering().clone(),
            Self::Window(made) => Ordering::natural(made.architecture().dims()),
            Self::Mixture(mixture) => mixture.components()[0].ordering().clone(),
        }
    }

    /// Probabilities of a row's bits by the scalar reference, in the order of the
    /// data; of several orderings, under the first.
    ///
    /// # Panics
    /// When `bits` does not have the row's length.
    pub fn probabilities(&self, bits: &[u8]) -> Vec<u16> {
        match self {
            Self::Made(made) => made.probabilities(bits),
            Self::Window(made) => made.probabilities(bits),
            Self::Mixture(mixture) => mixture.components()[0].probabilities(bits),
        }
    }

    /// The native engine; of several orderings, for the first.
    pub fn native(&self) -> Box<dyn SteppingEngine> {
        match self {
            Self::Made(made) => Box::new(NativeRecords::new(made)),
            Self::Window(made) => Box::new(NativeWindow::new(made)),
            Self::Mixture(mixture) => Box::new(NativeRecords::new(&mixture.components()[0])),
        }
    }

    /// The torch engine; of several orderings, for the first.
    #[cfg(feature = "torch")]
    pub fn torch(&self, device: TorchDevice) -> Result<Box<dyn RecordsEngine>, EngineError> {
        Ok(match self {
            Self::Made(made) => Box::new(TorchRecords::new(made, device)?),
            Self::Window(made) => Box::new(TorchWindow::new(made, device)?),
            Self::Mixture(mixture) => {
                Box::new(TorchRecords::new(&mixture.components()[0], device)?)
            }
        })
    }
}
