//! A stream model: a part for each kind of content, and what they share.

use super::adaptive::entry;
use super::content::Content;
use super::direct;
use super::evidence::{Evidence, Maps, untrained_maps};
use super::language::Language;
use super::network::values;
use super::part::Part;
use super::slots::{SLOT, slot_bits};
use super::start::slots::PrimedSlots;
use crate::engine::language_native::PackedLanguage;
use crate::made::error::ModelError;
use crate::made::file::{KIND, ModelFile, Tensor};

/// Value of the metadata entry [`KIND`].
pub const STREAM: &str = "stream";
/// The tensor of a model's text.
const TEXT: &str = "text";
/// Most bytes of a model's text: every block costs the time to read it.
pub const MAX_TEXT: usize = 1 << 20;
/// The numbers of contexts that the code is compiled for.
pub const CONTEXT_COUNTS: [usize; 1] = [16];

/// `with_contexts!(n, C => expression)`: the expression compiled for each number of
/// contexts that is built in, as the constant `C`, and evaluated for `n`, which
/// [`super::part::parse_contexts`] has checked.
macro_rules! with_contexts {
    ($n:expr, $c:ident => $body:expr) => {
        match $n {
            16 => {
                const $c: usize = 16;
                $body
            }
            n => unreachable!("{n} contexts are not built in"),
        }
    };
}
pub(crate) use with_contexts;

/// What the tensors and metadata of the part for x86 code begin with.
const X86: &str = "x86.";

/// A model ready for use.
#[derive(Clone, Debug)]
pub struct StreamModel {
    /// For any content.
    pub plain: Part,
    /// For x86 code, if there is a part for it.
    pub x86: Option<Part>,
    /// What a block is read after, as if it were its beginning; at most [`MAX_TEXT`].
    pub text: Vec<u8>,
    /// Where the slots start.
    pub primed: PrimedSlots,
    language: Option<PackedLanguage>,
}

impl StreamModel {
    /// A model of one part, for any content, that starts from no statistics.
    pub fn new(plain: Part) -> Result<Self, ModelError> {
        let model = Self {
            plain,
            x86: None,
            text: Vec::new(),
            primed: PrimedSlots::default(),
            language: None,
        };
        model.checked()
    }

    /// The model with a part for x86 code, or without.
    pub fn with_x86(self, x86: Option<Part>) -> Result<Self, ModelError> {
        Self { x86, ..self }.checked()
    }

    fn checked(self) -> Result<Self, ModelError> {
        if Content::ALL.into_iter().all(|content| self.part(content).fits(content)) {
            Ok(self)
        } else {
            Err(ModelError::metadata("contexts", "contexts of code, for any content"))
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

    /// The part for a kind of content.
    pub fn part(&self, content: Content) -> &Part {
        match (content, &self.x86) {
            (Content::X86, Some(x86)) => x86,
            _ => &self.plain,
        }
    }

    /// Reads and validates a model file of kind `stream`.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        if file.text(KIND)? != STREAM {
            return Err(ModelError::metadata(KIND, "not a stream model"));
        }
        let mut model = Self::new(Part::from_file(file, "")?)?;
        if file.metadata.contains_key("x86.contexts") {
            model = model.with_x86(Some(Part::from_file(file, X86)?))?;
        }
        if file.tensors.contains_key(TEXT) {
            model.text = values::<u8>(file, TEXT)?.1;
            if model.text.len() > MAX_TEXT {
                return Err(ModelError::tensor(TEXT, format!("longer than {MAX_TEXT} bytes")));
            }
        }
        model.primed = PrimedSlots::from_file(file)?;
        Ok(model.with_language(Language::from_file(file)?))
    }

    /// The model as a file.
    pub fn to_file(&self) -> ModelFile {
        let mut file = ModelFile::default();
        file.metadata.insert(KIND.into(), STREAM.into());
        self.plain.to_file(&mut file, "");
        if let Some(x86) = &self.x86 {
            x86.to_file(&mut file, X86);
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
    pub fn memory(&self, block_len: usize) -> u64 {
        let block_len = block_len + self.text.len();
        // match heads, maps, mixers and APMs, the period's votes
        const FIXED: u64 = 20 << 20;
        let all = Content::ALL.map(|content| self.part(content).contexts.len());
        let contexts = all.into_iter().fold(0, usize::max);
        FIXED
            + ((SLOT as u64) << slot_bits(block_len, contexts))
            + ((direct::LINE as u64) << direct::line_bits(block_len))
    }

    /// The statistics at the start of a block of `block_len` bytes; `C` must be
    /// the number of contexts of the content's part.
    pub fn evidence<const C: usize>(&self, content: Content, block_len: usize) -> Evidence<'_, C> {
        let part = self.part(content);
        let mut maps: Box<Maps<C>> = untrained_maps();
        for (map, start) in maps.iter_mut().zip(part.maps.chunks_exact(256)) {
            for (e, &(p, n)) in map.iter_mut().zip(start) {
                *e = entry(p, n.into());
            }
        }
        let language = self.packed_language();
        Evidence::new(content, &part.contexts, language, &maps, part.limit, &self.primed, block_len)
    }
}
