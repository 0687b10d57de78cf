//! The state of a training run in a safetensors file.

use super::TrainError;
use super::adam::Adam;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Where a run stands, beside its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Position {
    /// What the run must have in common with the one that wrote this.
    pub fingerprint: String,
    /// Whether the second phase is under way.
    pub quantized: bool,
    /// Epochs of the phase that are done.
    pub epoch: usize,
    /// Best validation loss of the phase, nats per row.
    pub best: f64,
    /// Its epoch, from 1; 0 is the state the phase began with.
    pub best_epoch: usize,
    /// Steps of the optimizer.
    pub step: i64,
}

const POSITION: &str = "position";

/// Writes the state, whole or not at all.
pub fn save(
    path: &Path,
    position: &Position,
    adam: &Adam,
    best: &[Tensor],
    start: &[Tensor],
) -> Result<(), TrainError> {
    let mut named = Vec::new();
    let groups: [(&str, &[Tensor]); 6] = [
        ("p", &adam.parameters),
        ("m", &adam.m),
        ("v", &adam.v),
        ("average", &adam.average),
        ("best", best),
        ("start", start),
    ];
    for (group, tensors) in groups {
        for (i, t) in tensors.iter().enumerate() {
            named.push((format!("{group}.{i}"), t.detach().to_device(Device::Cpu).contiguous()));
        }
    }
    let text = serde_json::json!(position).to_string();
    named.push((POSITION.into(), Tensor::from_slice(text.as_bytes())));
    let partial = path.with_extension("partial");
    Tensor::write_safetensors(&named, &partial)?;
    Ok(std::fs::rename(&partial, path)?)
}

/// What [`save`] wrote.
pub struct Saved {
    pub position: Position,
    pub adam: Adam,
    pub best: Vec<Tensor>,
    pub start: Vec<Tensor>,
}

/// Reads the state; tensors must have the shapes of `like`.
pub fn load(path: &Path, like: &[Tensor], fingerprint: &str) -> Result<Saved, TrainError> {
    let bad = |text: &str| TrainError::Checkpoint(format!("{}: {text}", path.display()));
    let named = Tensor::read_safetensors(path).map_err(|e| bad(&e.to_string()))?;
    let find = |name: &str| {
        named.iter().find(|(n, _)| n == name).map(|(_, t)| t).ok_or_else(|| bad("is incomplete"))
    };
    let text = Vec::<u8>::try_from(find(POSITION)?).map_err(|_| bad("has no position"))?;
    let position: Position =
        serde_json::from_slice(&text).map_err(|_| bad("has no readable position"))?;
    if position.fingerprint != fingerprint {
        return Err(bad(&format!(
            "belongs to another run: it says {}, this run is {fingerprint}",
            position.fingerprint
        )));
    }
    let group = |name: &str| {
        like.iter()
            .enumerate()
            .map(|(i, l)| {
                let t = find(&format!("{name}.{i}"))?;
                if t.size() != l.size() || t.kind() != Kind::Float {
                    return Err(bad("has tensors of other shapes"));
                }
                Ok(t.to_device(l.device()))
            })
            .collect::<Result<Vec<_>, _>>()
    };
    let adam = Adam {
        parameters: group("p")?.into_iter().map(|p| p.set_requires_grad(true)).collect(),
        m: group("m")?,
        v: group("v")?,
        average: group("average")?,
        step: position.step,
    };
    Ok(Saved { adam, best: group("best")?, start: group("start")?, position })
}
