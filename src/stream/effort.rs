//! What is left out where it would change little and time counts: a byte of a long
//! repetition needs no language model, a bit that is nearly certain no network.

use crate::made::error::ModelError;
use crate::made::file::ModelFile;

/// The metadata entries of [`Sparing`]: its `from`, then what it leaves out.
pub(super) const NAMES: [&str; 4] = [FROM, LANGUAGE, DIRECT, SURE];
const FROM: &str = "sparing_from";
const LANGUAGE: &str = "sparing_language";
const DIRECT: &str = "sparing_direct";
const SURE: &str = "sparing_sure";

/// From where on something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The language model is silent for a byte whose long match has at least this length.
    pub no_language: u32,
    /// No context has a direct line for a byte whose long match has at least this length.
    pub no_direct: u32,
    /// The network is not asked about a bit for which five quarters of the mean logit of the
    /// weight sets, without the network's, is at least this or below its negative.
    pub sure: i32,
}

impl Effort {
    /// Nothing is left out.
    pub const FULL: Self = Self { no_language: u32::MAX, no_direct: u32::MAX, sure: i32::MAX };
}

/// What a part leaves out in long blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sparing {
    /// Bytes of the shortest block that something is left out in.
    pub from: u64,
    /// What is left out there.
    pub effort: Effort,
}

impl Sparing {
    /// Reads that of a part; `None` if it has none.
    pub fn from_file(file: &ModelFile) -> Result<Option<Self>, ModelError> {
        let Some(from) = file.number(FROM)? else {
            return match [LANGUAGE, DIRECT, SURE].iter().find(|&&k| file.metadata.contains_key(k)) {
                Some(&key) => Err(ModelError::metadata(key, format!("without {FROM}"))),
                None => Ok(None),
            };
        };
        let effort = Effort {
            no_language: file.number(LANGUAGE)?.unwrap_or(u32::MAX),
            no_direct: file.number(DIRECT)?.unwrap_or(u32::MAX),
            sure: file.number::<u16>(SURE)?.map_or(i32::MAX, i32::from),
        };
        Ok(Some(Self { from, effort }))
    }

    /// Puts it into the file of a part.
    pub fn to_file(&self, file: &mut ModelFile) {
        let Self { from, effort: Effort { no_language, no_direct, sure } } = self;
        let mut put = |key: &str, value: String| drop(file.metadata.insert(key.into(), value));
        put(FROM, from.to_string());
        for (key, length) in [(LANGUAGE, no_language), (DIRECT, no_direct)] {
            if *length != u32::MAX {
                put(key, length.to_string());
            }
        }
        if *sure != i32::MAX {
            put(SURE, sure.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_it_back() {
        for (no_language, no_direct, sure) in
            [(0, 32, 1000), (u32::MAX, u32::MAX, i32::MAX), (32, u32::MAX, 65535)]
        {
            let effort = Effort { no_language, no_direct, sure };
            let sparing = Sparing { from: u64::MAX, effort };
            let mut file = ModelFile::default();
            sparing.to_file(&mut file);
            assert_eq!(Sparing::from_file(&file).unwrap(), Some(sparing));
        }
        assert_eq!(Sparing::from_file(&ModelFile::default()).unwrap(), None);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (key, value) in [
            (FROM, "18446744073709551616"),
            (LANGUAGE, "4294967296"),
            (DIRECT, "-1"),
            (DIRECT, "+1"),
            (SURE, "65536"),
            (SURE, ""),
            (SURE, "1e3"),
        ] {
            let mut file = ModelFile::default();
            file.metadata.insert(FROM.into(), "1".into());
            file.metadata.insert(key.into(), value.into());
            assert!(Sparing::from_file(&file).is_err(), "{key} {value}");
        }
    }
}
