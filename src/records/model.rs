//! The networks that rows can be coded with.

use crate::engine::records::SteppingEngine;
use crate::engine::records_native::NativeRecords;
use crate::engine::window_native::NativeWindow;
use crate::made::file::{KIND, ModelFile};
use crate::made::weights::RECORDS;
use crate::made::window::WindowMade;
use crate::made::window_file::BITMAPS;
use crate::made::{Made, ModelError, Ordering};

/// A checked model of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordsModel {
    /// The classic MADE.
    Made(Made),
    /// The convolutional MADE.
    Window(WindowMade),
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

impl RecordsModel {
    /// Whether a model of this kind (metadata [`KIND`]) codes rows.
    pub fn is_kind(kind: &str) -> bool {
        kind == RECORDS || kind == BITMAPS
    }

    /// Reads a model of either network.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        match file.text(KIND)? {
            BITMAPS => Ok(Self::Window(WindowMade::from_file(file)?)),
            _ => Ok(Self::Made(Made::from_file(file)?)),
        }
    }

    /// The model's file.
    pub fn to_file(&self) -> ModelFile {
        match self {
            Self::Made(made) => made.to_file(),
            Self::Window(made) => made.to_file(),
        }
    }

    /// Bits of a row.
    pub fn dims(&self) -> usize {
        match self {
            Self::Made(made) => made.architecture().dims,
            Self::Window(made) => made.architecture().dims(),
        }
    }

    /// Height and width of a bitmap; none for a model of any rows.
    pub fn shape(&self) -> Option<(usize, usize)> {
        match self {
            Self::Made(_) => None,
            Self::Window(made) => Some((made.architecture().height, made.architecture().width)),
        }
    }

    /// The order in which a row's bits are coded.
    pub fn ordering(&self) -> Ordering {
        match self {
            Self::Made(made) => made.ordering().clone(),
            Self::Window(made) => Ordering::natural(made.architecture().dims()),
        }
    }

    /// Probabilities of a row's bits by the scalar reference, in the order of the
    /// data.
    ///
    /// # Panics
    /// When `bits` does not have the row's length.
    pub fn probabilities(&self, bits: &[u8]) -> Vec<u16> {
        match self {
            Self::Made(made) => made.probabilities(bits),
            Self::Window(made) => made.probabilities(bits),
        }
    }

    /// The native engine.
    pub fn native(&self) -> Box<dyn SteppingEngine> {
        match self {
            Self::Made(made) => Box::new(NativeRecords::new(made)),
            Self::Window(made) => Box::new(NativeWindow::new(made)),
        }
    }
}
