//! Records networks in model files.
//!
//! | entry | type and shape | content |
//! |---|---|---|
//! | metadata `madezip.kind` | | `records` |
//! | metadata `madezip.architecture` | | [`Architecture`] as JSON |
//! | `ordering` | U32 `[D]` | rank of each dimension, 1..=D |
//! | `degrees.L` | U32 `[K, H]` | degrees of hidden layer L under each mask |
//! | `hidden.L.weight`, `.bias` | I16 `[H, inputs]`, I32 `[H]` | hidden layer L, from 0 |
//! | `output.weight`, `.bias` | I16 `[D, inputs]`, I32 `[D]` | output layer |
//! | `direct.weight` | I16 `[D, D]` | direct links, if the architecture has them |
//!
//! Any further tensor is refused; further metadata is free text for people.

use super::architecture::Architecture;
use super::error::ModelError;
use super::file::{KIND, ModelFile, Tensor};
use super::integer::Linear;
use super::network::{Layers, Made};
use super::ordering::Ordering;

/// The value of [`KIND`] for these models.
pub const RECORDS: &str = "records";
/// Key of the metadata entry that holds the architecture.
pub const ARCHITECTURE: &str = "madezip.architecture";

impl Made {
    /// Reads and checks a records network.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        let kind = file.text(KIND)?;
        if kind != RECORDS {
            return Err(ModelError::metadata(KIND, format!("`{kind}` instead of `{RECORDS}`")));
        }
        let architecture: Architecture = serde_json::from_str(file.text(ARCHITECTURE)?)
            .map_err(|e| ModelError::metadata(ARCHITECTURE, e.to_string()))?;
        architecture.check()?;
        let (dims, widths) = (architecture.dims, architecture.widths());
        let ordering = Ordering::from_ranks(file.values::<u32>("ordering", &[dims])?)?;
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
        let mut degrees = vec![Vec::new(); architecture.masks];
        for (l, &width) in architecture.hidden.iter().enumerate() {
            let name = format!("degrees.{l}");
            let all = file.values::<u32>(&name, &[architecture.masks, width])?;
            for (mask, layer) in degrees.iter_mut().zip(all.chunks_exact(width)) {
                mask.push(layer.to_vec());
            }
            names.push(name);
        }
        file.refuse_other_tensors(&names)?;
        Self::new(architecture, ordering, degrees, Layers { hidden, output, direct })
    }

    /// The model file of this network.
    pub fn to_file(&self) -> ModelFile {
        let mut file = ModelFile::default();
        file.metadata.insert(KIND.into(), RECORDS.into());
        let json = serde_json::json!(self.architecture()).to_string();
        file.metadata.insert(ARCHITECTURE.into(), json);
        let ranks = self.ordering().ranks();
        let mut put = |name: String, tensor| drop(file.tensors.insert(name, tensor));
        put("ordering".into(), Tensor::from_values(&[ranks.len()], ranks));
        for (l, &width) in self.architecture().hidden.iter().enumerate() {
            let all: Vec<u32> = self.degrees().iter().flat_map(|m| m[l].clone()).collect();
            put(format!("degrees.{l}"), Tensor::from_values(&[self.degrees().len(), width], &all));
        }
        let mut linear = |name: &str, layer: &Linear, bias: bool| {
            let shape = [layer.outputs, layer.inputs];
            put(format!("{name}.weight"), Tensor::from_values(&shape, &layer.weights));
            if bias {
                put(format!("{name}.bias"), Tensor::from_values(&shape[..1], &layer.bias));
            }
        };
        let layers = self.layers();
        for (l, layer) in layers.hidden.iter().enumerate() {
            linear(&format!("hidden.{l}"), layer, true);
        }
        linear("output", &layers.output, true);
        if let Some(direct) = &layers.direct {
            linear("direct", direct, false);
        }
        file
    }
}
