//! Records networks in model files.
//!
//! | entry | type and shape | content |
//! |---|---|---|
//! | metadata `madezip.kind` | | `records`, or `mixtures` for several orderings |
//! | metadata `madezip.architecture` | | [`Architecture`] as JSON |
//! | `ordering` | U32 `[D]`; mixtures: `[O, D]` | rank of each dimension, 1..=D |
//! | `degrees.L` | U32 `[O·K, H]` | degrees of hidden layer L under each mask |
//! | `hidden.L.weight`, `.bias` | I16 `[H, inputs]`, I32 `[H]` | hidden layer L, from 0 |
//! | `output.weight`, `.bias` | I16 `[D, inputs]`, I32 `[D]` | output layer |
//! | `direct.weight` | I16 `[D, D]` | direct links, if the architecture has them |
//!
//! Any further tensor or metadata is refused, but for metadata `madezip.…`, free text for people.

use serde::de::DeserializeOwned;

use super::architecture::{Architecture, MAX_MASKS};
use super::error::ModelError;
use super::file::{KIND, ModelFile, Tensor};
use super::integer::Linear;
use super::mixture::Mixture;
use super::network::{Layers, Made};
use super::ordering::Ordering;
use super::unique;

/// The value of [`KIND`] for a network under one ordering.
pub const RECORDS: &str = "records";
/// The value of [`KIND`] for a network under several orderings.
pub const MIXTURES: &str = "mixtures";
/// Key of the metadata entry that holds the architecture.
pub const ARCHITECTURE: &str = "madezip.architecture";

/// Reads the architecture of a file, a JSON object: a structure would be read from a list, too.
pub(super) fn architecture<T: DeserializeOwned>(file: &ModelFile) -> Result<T, ModelError> {
    unique::object(file.text(ARCHITECTURE)?.as_bytes())
        .and_then(|object| serde_json::from_value(object.into()))
        .map_err(|e| ModelError::metadata(ARCHITECTURE, e.to_string()))
}

/// What the files of both kinds hold.
struct Parts {
    architecture: Architecture,
    orderings: Vec<Ordering>,
    /// `[ordering, mask][layer][unit]`.
    degrees: Vec<Vec<Vec<u32>>>,
    layers: Layers,
}

impl Parts {
    fn read(file: &ModelFile, kind: &str) -> Result<Self, ModelError> {
        let found = file.text(KIND)?;
        if found != kind {
            return Err(ModelError::metadata(KIND, format!("`{found}` instead of `{kind}`")));
        }
        let architecture: Architecture = architecture(file)?;
        architecture.check()?;
        let (dims, widths) = (architecture.dims, architecture.widths());
        let ranks = if kind == RECORDS {
            file.values::<u32>("ordering", &[dims])?
        } else {
            let shape = file.tensors.get("ordering").map_or(&[][..], |t| t.shape());
            let count = shape.first().copied().unwrap_or(0);
            ModelError::check_limit("the number of orderings", count as u64, MAX_MASKS as u64)?;
            file.values::<u32>("ordering", &[count, dims])?
        };
        let orderings = ranks.chunks_exact(dims).map(|ranks| Ordering::from_ranks(ranks.to_vec()));
        let orderings = orderings.collect::<Result<Vec<_>, _>>()?;
        let mut names = vec!["ordering".to_string()];
        let mut linear = |name: &str, inputs: usize, outputs: usize, bias: bool| {
            let (w, b) = (format!("{name}.weight"), format!("{name}.bias"));
            let linear = Linear {
                inputs,
                outputs,
                weights: file.values(&w, &[outputs, inputs])?,
                bias: if bias { file.values(&b, &[outputs])? } else { vec![0; outputs] },
            };
            names.push(w);
            names.extend(bias.then_some(b));
            Ok::<_, ModelError>(linear)
        };
        let mut hidden = Vec::new();
        for l in 0..architecture.hidden.len() {
            hidden.push(linear(&format!("hidden.{l}"), widths[l], widths[l + 1], true)?);
        }
        let output = linear("output", widths[widths.len() - 1], dims, true)?;
        let direct =
            if architecture.direct { Some(linear("direct", dims, dims, false)?) } else { None };
        let masks = architecture.masks * orderings.len();
        let mut degrees = vec![Vec::new(); masks];
        for (l, &width) in architecture.hidden.iter().enumerate() {
            let name = format!("degrees.{l}");
            let all = file.values::<u32>(&name, &[masks, width])?;
            for (mask, layer) in degrees.iter_mut().zip(all.chunks_exact(width)) {
                mask.push(layer.to_vec());
            }
            names.push(name);
        }
        file.refuse_others(&names, &[])?;
        Ok(Self { architecture, orderings, degrees, layers: Layers { hidden, output, direct } })
    }

    fn write(&self, kind: &str) -> ModelFile {
        let mut file = ModelFile::default();
        file.metadata.insert(KIND.into(), kind.into());
        let json = serde_json::json!(self.architecture).to_string();
        file.metadata.insert(ARCHITECTURE.into(), json);
        let ranks: Vec<u32> = self.orderings.iter().flat_map(Ordering::ranks).copied().collect();
        let several = [self.orderings.len(), self.architecture.dims];
        let shape = if kind == RECORDS { &several[1..] } else { &several[..] };
        let mut put = |name: String, tensor| drop(file.tensors.insert(name, tensor));
        put("ordering".into(), Tensor::from_values(shape, &ranks));
        for (l, &width) in self.architecture.hidden.iter().enumerate() {
            let all: Vec<u32> = self.degrees.iter().flat_map(|m| m[l].clone()).collect();
            put(format!("degrees.{l}"), Tensor::from_values(&[self.degrees.len(), width], &all));
        }
        for (name, layer) in self.layers.named() {
            let shape = [layer.outputs, layer.inputs];
            put(format!("{name}.weight"), Tensor::from_values(&shape, &layer.weights));
            if name != "direct" {
                put(format!("{name}.bias"), Tensor::from_values(&shape[..1], &layer.bias));
            }
        }
        file
    }
}

impl Made {
    /// Reads and checks a network under one ordering.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        let Parts { architecture, mut orderings, degrees, layers } = Parts::read(file, RECORDS)?;
        let ordering = orderings.pop().ok_or_else(|| ModelError::tensor("ordering", "is empty"))?;
        Self::new(architecture, ordering, degrees, layers)
    }

    /// The model file of this network.
    pub fn to_file(&self) -> ModelFile {
        let parts = Parts {
            architecture: self.architecture().clone(),
            orderings: vec![self.ordering().clone()],
            degrees: self.degrees().to_vec(),
            layers: self.layers(),
        };
        parts.write(RECORDS)
    }
}

impl Mixture {
    /// Reads and checks a network under several orderings.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        let Parts { architecture, orderings, degrees, layers } = Parts::read(file, MIXTURES)?;
        Self::new(architecture, orderings, degrees, layers)
    }

    /// The model file of this network.
    pub fn to_file(&self) -> ModelFile {
        let all = self.components();
        let parts = Parts {
            architecture: all[0].architecture().clone(),
            orderings: all.iter().map(|made| made.ordering().clone()).collect(),
            degrees: all.iter().flat_map(|made| made.degrees().to_vec()).collect(),
            layers: self.layers().clone(),
        };
        parts.write(MIXTURES)
    }
}
