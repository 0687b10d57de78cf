//! Convolutional MADEs in model files.
//!
//! | entry | type and shape | content |
//! |---|---|---|
//! | metadata `madezip.kind` | | `bitmaps` |
//! | metadata `madezip.architecture` | | [`WindowArchitecture`] as JSON |
//! | `hidden.L.weight`, `.bias` | I16 `[H, inputs]`, I32 `[H]` | hidden layer L, from 0 |
//! | `position` | I16 `[pixels, H]` | added to the first layer's sums |
//! | `output.weight`, `.bias` | I16 `[1, H]`, I32 `[1]` | output layer |
//! | `output.position` | I32 `[pixels]` | added to the output's sum |

use super::error::ModelError;
use super::file::{KIND, ModelFile, Tensor};
use super::integer::Linear;
use super::weights::{ARCHITECTURE, architecture};
use super::window::{WindowArchitecture, WindowLayers, WindowMade};

/// The value of [`KIND`] for these models.
pub const BITMAPS: &str = "bitmaps";

impl WindowMade {
    /// Reads and checks a convolutional MADE.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        let kind = file.text(KIND)?;
        if kind != BITMAPS {
            return Err(ModelError::metadata(KIND, format!("`{kind}` instead of `{BITMAPS}`")));
        }
        let a: WindowArchitecture = architecture(file)?;
        a.check()?;
        let widths = a.widths();
        let mut names = vec!["position".to_string(), "output.position".to_string()];
        let mut linear = |name: &str, inputs: usize, outputs: usize| {
            let (w, b) = (format!("{name}.weight"), format!("{name}.bias"));
            let weights = file.values(&w, &[outputs, inputs])?;
            let bias = file.values(&b, &[outputs])?;
            names.extend([w, b]);
            Ok::<_, ModelError>(Linear { inputs, outputs, weights, bias })
        };
        let mut hidden = Vec::new();
        for l in 0..a.hidden.len() {
            hidden.push(linear(&format!("hidden.{l}"), widths[l], widths[l + 1])?);
        }
        let layers = WindowLayers {
            hidden,
            output: linear("output", widths[widths.len() - 1], 1)?,
            position: file.values("position", &[a.dims(), a.hidden[0]])?,
            output_position: file.values("output.position", &[a.dims()])?,
        };
        file.refuse_others(&names, &[])?;
        Self::new(a, layers)
    }

    /// The model file of this network.
    pub fn to_file(&self) -> ModelFile {
        let (a, l) = (self.architecture(), self.layers());
        let mut file = ModelFile::default();
        file.metadata.insert(KIND.into(), BITMAPS.into());
        file.metadata.insert(ARCHITECTURE.into(), serde_json::json!(a).to_string());
        let mut put = |name: &str, tensor| drop(file.tensors.insert(name.into(), tensor));
        put("position", Tensor::from_values(&[a.dims(), a.hidden[0]], &l.position));
        put("output.position", Tensor::from_values(&[a.dims()], &l.output_position));
        let names = (0..l.hidden.len()).map(|n| format!("hidden.{n}")).chain(["output".into()]);
        for (name, layer) in names.zip(l.hidden.iter().chain([&l.output])) {
            let shape = [layer.outputs, layer.inputs];
            put(&format!("{name}.weight"), Tensor::from_values(&shape, &layer.weights));
            put(&format!("{name}.bias"), Tensor::from_values(&shape[..1], &layer.bias));
        }
        file
    }
}
