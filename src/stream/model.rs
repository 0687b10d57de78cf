//! A stream model: a part for each kind of content, and what they share.

use super::adaptive::entry;
use super::coding::{Coding, Level};
use super::content::Content;
use super::direct;
use super::effort::Effort;
use super::evidence::{Evidence, Maps, untrained_maps};
use super::language::Language;
use super::names;
use super::network::flat_values;
use super::online::Online;
use super::part::Part;
use super::signal::regions::Regions;
use super::slots::{SLOT, slot_bits};
use super::start::slots::PrimedSlots;
use crate::engine::language_native::PackedLanguage;
use crate::made::error::ModelError;
use crate::made::file::{KIND, ModelFile, Tensor};

/// Value of the metadata entry [`KIND`].
pub const STREAM: &str = "stream";
/// The tensor of a model's text.
pub(super) const TEXT: &str = "text";
/// Most bytes of a model's text: every block costs the time to read it.
pub const MAX_TEXT: usize = 1 << 20;
/// The numbers of contexts that the code is compiled for.
pub const CONTEXT_COUNTS: [usize; 3] = [8, 16, 32];

/// `with_contexts!(n, C => expression)`: the expression compiled for each number of
/// contexts that is built in, as the constant `C`, and evaluated for `n`, which
/// [`super::part::parse_contexts`] has checked.
macro_rules! with_contexts {
    ($n:expr, $c:ident => $body:expr) => {
        match $n {
            8 => {
                const $c: usize = 8;
                $body
            }
            16 => {
                const $c: usize = 16;
                $body
            }
            32 => {
                const $c: usize = 32;
                $body
            }
            n => unreachable!("{n} contexts are not built in"),
        }
    };
}
pub(crate) use with_contexts;

/// The parts of a level.
#[derive(Clone, Debug)]
pub struct Parts {
    /// For any content.
    pub plain: Part,
    /// For x86 code, if there is a part for it,
    pub x86: Option<Part>,
    /// for signals,
    pub signal: Option<Part>,
    /// and for bilevel pictures.
    pub bilevel: Option<Part>,
}

impl Parts {
    /// A part for any content, and no other.
    pub fn new(plain: Part) -> Self {
        Self { plain, x86: None, signal: None, bilevel: None }
    }

    /// These with another part for a kind of content; plain content keeps its own if there is
    /// none.
    pub fn with(mut self, content: Content, part: Option<Part>) -> Self {
        match content {
            Content::Plain => self.plain = part.unwrap_or(self.plain),
            Content::X86 => self.x86 = part,
            Content::Signal => self.signal = part,
            Content::Bilevel => self.bilevel = part,
        }
        self
    }

    /// The part for a kind of content.
    pub fn part(&self, content: Content) -> &Part {
        self.own_part(content).unwrap_or(&self.plain)
    }

    /// The part for a kind of content alone, if there is one.
    pub fn own_part(&self, content: Content) -> Option<&Part> {
        match content {
            Content::Plain => Some(&self.plain),
            Content::X86 => self.x86.as_ref(),
            Content::Signal => self.signal.as_ref(),
            Content::Bilevel => self.bilevel.as_ref(),
        }
    }

    /// The same, to be changed.
    pub fn own(&mut self, content: Content) -> Option<&mut Part> {
        match content {
            Content::Plain => Some(&mut self.plain),
            Content::X86 => self.x86.as_mut(),
            Content::Signal => self.signal.as_mut(),
            Content::Bilevel => self.bilevel.as_mut(),
        }
    }

    fn are_valid(&self) -> bool {
        Content::ALL.into_iter().all(|content| self.part(content).fits(content))
    }

    /// Reads and validates those whose names begin with `prefix`.
    fn from_file(file: &ModelFile, prefix: &str) -> Result<Self, ModelError> {
        let mut parts = Self::new(Part::from_file(file, prefix)?);
        for content in Content::SPECIAL {
            let prefix = &format!("{prefix}{}", content.prefix());
            if file.metadata.contains_key(&format!("{prefix}contexts")) {
                parts = parts.with(content, Some(Part::from_file(file, prefix)?));
            }
        }
        Ok(parts)
    }

    fn to_file(&self, file: &mut ModelFile, prefix: &str) {
        for content in Content::ALL {
            if let Some(part) = self.own_part(content) {
                part.to_file(file, &format!("{prefix}{}", content.prefix()));
            }
        }
    }
}

/// A model ready for use.
#[derive(Clone, Debug)]
pub struct StreamModel {
    /// Those of the default level.
    pub default: Parts,
    /// Those of the best level, if it has them,
    pub best: Option<Parts>,
    /// and those of the fast one.
    pub fast: Option<Parts>,
    /// What a block is read after, as if it were its beginning; at most [`MAX_TEXT`].
    pub text: Vec<u8>,
    /// Where the slots start.
    pub primed: PrimedSlots,
    language: Option<PackedLanguage>,
}

impl StreamModel {
    /// A model of one part, for any content, that starts from no statistics.
    pub fn new(plain: Part) -> Result<Self, ModelError> {
        Self::of_parts(Parts::new(plain))
    }

    /// A model of one level.
    pub fn of_parts(default: Parts) -> Result<Self, ModelError> {
        let model = Self {
            default,
            best: None,
            fast: None,
            text: Vec::new(),
            primed: PrimedSlots::default(),
            language: None,
        };
        model.checked()
    }

    /// The model with other parts of a level.
    pub fn with_level(mut self, level: Level, parts: Parts) -> Result<Self, ModelError> {
        match level {
            Level::Default => self.default = parts,
            Level::Best => self.best = Some(parts),
            Level::Fast => self.fast = Some(parts),
        }
        self.checked()
    }

    fn checked(self) -> Result<Self, ModelError> {
        let levels = Level::ALL.into_iter().filter_map(|level| self.level(level));
        if levels.into_iter().all(Parts::are_valid) {
            Ok(self)
        } else {
            Err(ModelError::metadata(
                "contexts",
                "contexts of code, signals or bilevel pictures, for other content",
            ))
        }
    }

    /// The model with a language model, or without.
    pub fn with_language(mut self, language: Option<Language>) -> Self {
        self.language = language.map(|l| PackedLanguage::new(&l));
        self
    }

    /// The language model, if there is one.
    pub fn language(&self) -> Option<Language> {
        self.language.as_ref().map(PackedLanguage::unpack)
    }

    pub(super) fn packed_language(&self) -> Option<&PackedLanguage> {
        self.language.as_ref()
    }

    /// The language model, if there is one that speaks of such content: samples are no language.
    pub(super) fn language_for(&self, coding: Coding) -> Option<&PackedLanguage> {
        self.packed_language().filter(|_| !coding.content.has_samples())
    }

    /// A level, or the default one if the model does not have it.
    pub fn level_or_default(&self, level: Level) -> Level {
        self.level(level).map_or(Level::Default, |_| level)
    }

    /// The parts of a level, if it has them.
    pub fn level(&self, level: Level) -> Option<&Parts> {
        match level {
            Level::Default => Some(&self.default),
            Level::Best => self.best.as_ref(),
            Level::Fast => self.fast.as_ref(),
        }
    }

    /// The part that codes so; of the default level if the model does not have this one, or
    /// it has no part for signals or for bilevel pictures.
    pub fn part(&self, coding: Coding) -> &Part {
        let parts = self.level(coding.level).unwrap_or(&self.default);
        self.own_part(coding).unwrap_or(&parts.plain)
    }

    /// The same, if it is for such content alone.
    pub fn own_part(&self, Coding { level, content, .. }: Coding) -> Option<&Part> {
        let of_default = || self.default.own_part(content).filter(|_| content.has_samples());
        self.level(level).unwrap_or(&self.default).own_part(content).or_else(of_default)
    }

    /// Reads and validates a model file of kind `stream`.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        if file.text(KIND)? != STREAM {
            return Err(ModelError::metadata(KIND, "not a stream model"));
        }
        let mut model = Self::of_parts(Parts::from_file(file, "")?)?;
        for level in [Level::Best, Level::Fast] {
            let prefix = level.prefix();
            if file.metadata.contains_key(&format!("{prefix}contexts")) {
                model = model.with_level(level, Parts::from_file(file, prefix)?)?;
            }
        }
        if file.tensors.contains_key(TEXT) {
            model.text = flat_values(file, TEXT)?;
            if model.text.len() > MAX_TEXT {
                return Err(ModelError::tensor(TEXT, format!("longer than {MAX_TEXT} bytes")));
            }
        }
        model.primed = PrimedSlots::from_file(file)?;
        let language = Language::from_file(file)?;
        names::refuse_others(file, &model, language.as_ref())?;
        Ok(model.with_language(language))
    }

    /// The model as a file.
    pub fn to_file(&self) -> ModelFile {
        let mut file = ModelFile::default();
        file.metadata.insert(KIND.into(), STREAM.into());
        for level in Level::ALL {
            if let Some(parts) = self.level(level) {
                parts.to_file(&mut file, level.prefix());
            }
        }
        if let Some(language) = self.language() {
            language.to_file(&mut file);
        }
        if !self.text.is_empty() {
            file.tensors.insert(TEXT.into(), Tensor::from_values(&[self.text.len()], &self.text));
        }
        self.primed.to_file(&mut file);
        file
    }

    /// Bytes that the statistics of a block of `block_len` bytes take, at most.
    pub fn memory(&self, coding: Coding, block_len: usize) -> u64 {
        let block_len = block_len + self.text.len();
        // match heads, maps, mixers and APMs, the period's votes
        const FIXED: u64 = 28 << 20;
        let contexts = self.part(coding).contexts.len();
        FIXED
            + ((SLOT as u64) << slot_bits(block_len, contexts))
            + direct::memory(block_len, contexts)
    }

    /// What is left out in a block of `block_len` bytes, the model's text among them.
    pub fn effort(&self, coding: Coding, block_len: usize) -> Effort {
        self.part(coding).effort(block_len.saturating_sub(self.text.len()))
    }

    /// The statistics at the start of a block of `block_len` bytes, the model's text among
    /// them, that has samples in some regions; `C` must be the number of contexts of the part
    /// that codes so.
    pub fn evidence<const C: usize>(
        &self,
        coding: Coding,
        regions: &Regions,
        block_len: usize,
    ) -> Evidence<'_, C> {
        let part = self.part(coding);
        let mut maps: Box<Maps<C>> = untrained_maps();
        for (map, start) in maps.iter_mut().zip(part.maps.chunks_exact(256)) {
            for (e, &(p, n)) in map.iter_mut().zip(start) {
                *e = entry(p, n.into());
            }
        }
        let contexts = &part.contexts;
        Evidence::new(
            (coding, regions),
            contexts,
            self.language_for(coding),
            &maps,
            part.limit,
            &self.primed,
            block_len,
        )
        .with_recurrent_layer(part.hears_recurrent_layer(block_len))
        .with_effort(self.effort(coding, block_len))
    }

    /// The online stage at the start of such a block.
    pub fn online<const C: usize>(&self, coding: Coding, block_len: usize) -> Online<C> {
        Online::new(&self.part(coding).weights, self.effort(coding, block_len))
    }
}
