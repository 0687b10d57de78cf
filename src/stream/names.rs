//! The names that a file of a stream model may have (FORMAT.md §11.1, §15.1, §17.1). What
//! nothing reads is refused: a later program may mean something by it.

use super::coding::Level;
use super::content::Content;
use super::effort;
use super::language::{INPUTS, Language};
use super::model::{StreamModel, TEXT};
use super::part::RECURRENT_TO;
use super::start::weights::OnlineWeights;
use crate::made::error::ModelError;
use crate::made::file::ModelFile;

/// Metadata of a part, behind its prefix, with [`effort::NAMES`],
const PART_METADATA: [&str; 3] = ["contexts", "limit", RECURRENT_TO];
/// its tables
const PART_TABLES: [&str; 10] = [
    "maps.probability",
    "maps.count",
    "previous.1",
    "previous.2",
    "previous.3",
    "partial",
    "matched.1",
    "matched.2",
    "seen",
    "gate_table",
];
/// and its layers.
const PART_LAYERS: [&str; 5] = ["costs", "context", "first", "second", "gates"];
/// Tensors of the language model's recurrent layer.
const RECURRENT: [&str; 9] = [
    "table",
    "input.weight",
    "input.bias",
    "gates.weight",
    "skip.weight",
    "skip.bias",
    "second.weight",
    "output.weight",
    "output.bias",
];

/// Weights and bias of a layer.
fn layer(name: &str) -> [String; 2] {
    [format!("{name}.weight"), format!("{name}.bias")]
}

/// An error if the file has a name that is of no use to what was read from it.
pub(super) fn refuse_others(
    file: &ModelFile,
    model: &StreamModel,
    language: Option<&Language>,
) -> Result<(), ModelError> {
    let (mut tensors, mut metadata) = (vec![TEXT.to_string()], Vec::new());
    for level in Level::ALL {
        let Some(parts) = model.level(level) else { continue };
        for content in Content::ALL.into_iter().filter(|&c| parts.own_part(c).is_some()) {
            let prefix = format!("{}{}", level.prefix(), content.prefix());
            let own = |name: &str| format!("{prefix}{name}");
            metadata.extend(PART_METADATA.map(own));
            metadata.extend(effort::NAMES.map(own));
            tensors.extend(PART_TABLES.map(own));
            tensors.extend(PART_LAYERS.iter().flat_map(|name| layer(&own(name))));
            tensors.extend(OnlineWeights::names().map(own));
        }
    }
    if !model.primed.as_slice().is_empty() {
        metadata.push("primed".into());
        tensors.extend(
            ["levels", "frequencies", "coded", "parts"].map(|name| format!("primed.{name}")),
        );
    }
    if let Some(language) = language {
        metadata.push(INPUTS.into());
        tensors.push("language.bias".into());
        tensors.extend((1..=language.inputs.len()).map(|i| format!("language.table.{i}")));
        tensors.extend(["language.second", "language.output"].iter().flat_map(|name| layer(name)));
        if language.recurrent.is_some() {
            tensors.extend(RECURRENT.map(|name| format!("language.recurrent.{name}")));
        }
    }
    file.refuse_others(&tensors, &metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::file::Tensor;
    use crate::stream::testing::Random;

    const CONTEXTS: &str = "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell";

    #[test]
    fn what_is_not_read_is_refused() {
        let file = Random(7).model(CONTEXTS).to_file();
        assert!(StreamModel::from_file(&file).is_ok());
        type Change = fn(&mut ModelFile);
        let changes: [(&str, Change); 8] = [
            ("future", |f| drop(f.metadata.insert("future".into(), "1".into()))),
            ("best.signal.limit", |f| {
                drop(f.metadata.insert("best.signal.limit".into(), "9".into()))
            }),
            ("sparing_sure", |f| drop(f.metadata.insert("best.sparing_sure".into(), "9".into()))),
            ("future.weight", |f| put(f, "future.weight")),
            ("best.signal.partial", |f| put(f, "best.signal.partial")),
            ("second", |f| put(f, "x86.second.weight")),
            ("language.table.99", |f| put(f, "language.table.99")),
            ("primed.levels", |f| put(f, "primed.levels")),
        ];
        for (name, change) in changes {
            let mut other = file.clone();
            change(&mut other);
            let error = StreamModel::from_file(&other).unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
        }
        let mut noted = file.clone();
        noted.metadata.insert("madezip.note".into(), "for people".into());
        assert!(StreamModel::from_file(&noted).is_ok());
    }

    fn put(file: &mut ModelFile, name: &str) {
        file.tensors.insert(name.into(), Tensor::from_values(&[1], &[1u8]));
    }
}
