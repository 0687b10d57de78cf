//! The state of a training run in a safetensors file.

use super::TrainError;
use super::adam::Adam;
use super::run::{Position, State};
use std::path::Path;
use tch::{Device, Kind, Tensor};

const POSITION: &str = "position";

/// Writes the state, whole or not at all.
pub fn save(path: &Path, state: &State) -> Result<(), TrainError> {
    let mut named = Vec::new();
    let groups: [(&str, &[Tensor]); 6] = [
        ("p", &state.adam.parameters),
        ("m", &state.adam.m),
        ("v", &state.adam.v),
        ("average", &state.adam.average),
        ("best", &state.best),
        ("start", &state.start),
    ];
    for (group, tensors) in groups {
        for (i, t) in tensors.iter().enumerate() {
            named.push((format!("{group}.{i}"), t.detach().to_device(Device::Cpu).contiguous()));
        }
    }
    let text = serde_json::json!(state.position).to_string();
    named.push((POSITION.into(), Tensor::from_slice(text.as_bytes())));
    let partial = path.with_extension("partial");
    Tensor::write_safetensors(&named, &partial)?;
    Ok(std::fs::rename(&partial, path)?)
}

/// Reads the state; tensors must have the shapes of `like`.
pub fn load(path: &Path, like: &[Tensor], fingerprint: &str) -> Result<State, TrainError> {
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
    Ok(State { adam, best: group("best")?, start: group("start")?, position })
}
