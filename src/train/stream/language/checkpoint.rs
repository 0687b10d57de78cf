//! Checkpoints of a language model: its layers and tables, and how many bytes it has seen.

use std::path::{Path, PathBuf};

use tch::Tensor;
use tch::nn::VarStore;

use super::TrainError;
use super::tables::Tables;

/// The name of how many bytes were seen.
const SEEN: &str = "seen";

/// The names of a table's entries and sums of squares.
fn names(table: usize) -> [String; 2] {
    [format!("table.{table}"), format!("squares.{table}")]
}

fn failed(path: &Path, reason: &dyn std::fmt::Display) -> TrainError {
    TrainError::Checkpoint { path: path.into(), reason: reason.to_string() }
}

/// Writes a checkpoint, after `seen` bytes.
pub(super) fn write(
    store: &VarStore,
    tables: &Tables,
    seen: u64,
    path: &Path,
) -> Result<(), TrainError> {
    let mut all: Vec<(String, Tensor)> = store.variables().into_iter().collect();
    for (i, values) in tables.values().enumerate() {
        for (name, values) in names(i).into_iter().zip(values) {
            all.push((name, Tensor::from_slice(values)));
        }
    }
    all.push((SEEN.into(), Tensor::from_slice(&[seen as i64])));
    let partial = path.with_extension("partial.safetensors");
    Tensor::write_safetensors(&all, &partial).map_err(|e| failed(path, &e))?;
    std::fs::rename(&partial, path).map_err(|e| failed(path, &e))
}

/// A checkpoint's tensors.
struct Read<'a> {
    path: &'a Path,
    tensors: Vec<(String, Tensor)>,
}

impl<'a> Read<'a> {
    fn new(path: &'a Path) -> Result<Self, TrainError> {
        let tensors = Tensor::read_safetensors(path).map_err(|e| failed(path, &e))?;
        Ok(Self { path, tensors })
    }

    fn get(&self, name: &str, shape: &[i64]) -> Result<&Tensor, TrainError> {
        let found = self.tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t);
        let fits = found.filter(|t| t.size() == shape);
        fits.ok_or_else(|| failed(self.path, &"does not fit these options"))
    }
}

/// Reads a checkpoint, or the mean of several (models of one origin that have learned from
/// different data are together often better on either: Wortsman et al. 2022, "model soups").
/// How many bytes the first has seen.
pub(super) fn read(
    store: &VarStore,
    tables: &mut Tables,
    paths: &[PathBuf],
) -> Result<u64, TrainError> {
    let all = paths.iter().map(|path| Read::new(path)).collect::<Result<Vec<_>, _>>()?;
    let mean = |name: &str, shape: &[i64]| -> Result<Tensor, TrainError> {
        let each = all.iter().map(|read| read.get(name, shape)).collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::stack(&each, 0).mean_dim(0, false, None))
    };
    for (name, mut variable) in store.variables() {
        let from = mean(&name, &variable.size())?;
        tch::no_grad(|| variable.copy_(&from));
    }
    for (i, values) in tables.values_mut().enumerate() {
        for (name, values) in names(i).into_iter().zip(values) {
            let n = values.len();
            mean(&name, &[n as i64])?.copy_data(values, n);
        }
    }
    let first = all.first().map(|read| read.get(SEEN, &[1])).transpose()?;
    Ok(first.map_or(0, |seen| seen.int64_value(&[0]) as u64))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::super::layers::Layers;
    use super::*;
    use crate::made::random::SplitMix64;

    /// A model, its entries from `seed`, its layers' biases `bias`.
    fn model(seed: u64, bias: f64) -> (VarStore, Tables) {
        let store = VarStore::new(Device::Cpu);
        Layers::new(&store.root(), [4, 2], Some([3, 2]));
        for (name, mut variable) in store.variables() {
            if name.ends_with("bias") {
                let _ = tch::no_grad(|| variable.fill_(bias));
            }
        }
        (store, Tables::new(&[[256, 4], [8, 2]], 4, &mut SplitMix64::new(seed)))
    }

    #[test]
    fn one_as_it_is_and_the_mean_of_several() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| dir.path().join(name).with_extension("safetensors"));
        let models = [model(1, 0.5), model(2, 1.0)];
        for (i, (path, (store, tables))) in paths.iter().zip(&models).enumerate() {
            write(store, tables, 100 + i as u64, path).unwrap();
        }
        let read_into = |paths: &[PathBuf]| {
            let (store, mut tables) = model(3, 0.0);
            let seen = read(&store, &mut tables, paths).unwrap();
            let bias = store.variables()["bias"].double_value(&[0]);
            let entries = [tables.table(0).1.to_vec(), tables.table(1).1.to_vec()];
            (seen, bias, entries)
        };
        let own = |i: usize| [models[i].1.table(0).1.to_vec(), models[i].1.table(1).1.to_vec()];
        assert_eq!(read_into(&paths[1..]), (101, 1.0, own(1)));
        let (seen, bias, entries) = read_into(&paths);
        assert_eq!((seen, bias), (100, 0.75));
        for ((mean, a), b) in entries.iter().zip(own(0)).zip(own(1)) {
            for ((mean, a), b) in mean.iter().zip(a).zip(b) {
                assert!((mean - (a + b) / 2.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn another_shape_is_refused_by_the_name_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("small.safetensors");
        let (store, tables) = model(1, 0.5);
        write(&store, &tables, 1, &path).unwrap();
        let store = VarStore::new(Device::Cpu);
        Layers::new(&store.root(), [8, 2], Some([3, 2]));
        let mut tables = Tables::new(&[[256, 8]], 8, &mut SplitMix64::new(1));
        let error = read(&store, &mut tables, &[path]).unwrap_err().to_string();
        assert!(error.contains("small.safetensors"), "{error}");
        assert!(error.contains("does not fit"), "{error}");
    }
}
