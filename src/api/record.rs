//! One record at a time.

use super::Model;
use crate::codec::CodecError;
use crate::error::Error;
use crate::split::{RecordCoder, Split, Splitter};

/// Turns one slice into one payload and back, without a header: for values of a
/// database, messages, log lines. Each is coded by itself from the state that the
/// model starts from; going back to it takes time with the record's length, not with
/// the model's tables.
///
/// The payload has no checksum: wrap it in one where bytes may be damaged. A model
/// that was trained on such records (`madezip train --kind stream`) makes them far
/// smaller than the default one does.
///
/// ```
/// use madezip::{Model, RecordCodec, Split};
///
/// let model = Model::default_model()?;
/// let mut codec = RecordCodec::new(&model)?;
/// let records: [&[u8]; 3] = [b"{\"id\":17,\"name\":\"fox\"}", b"", b"the quick brown fox"];
/// for record in records {
///     let payload = codec.encode(record)?;
///     assert!(payload.len() <= record.len());
///     assert_eq!(codec.decode(&payload, 1000)?, record);
/// }
///
/// // where a line feed ends every record, its payload need not say where it ends
/// let mut lines = RecordCodec::new(&model)?.split(Split::Lines);
/// let payload = lines.encode(b"the quick brown fox\n")?;
/// assert_eq!(lines.decode(&payload, 1000)?, b"the quick brown fox\n");
/// # Ok::<(), madezip::Error>(())
/// ```
pub struct RecordCodec<'m> {
    coder: Box<dyn RecordCoder + 'm>,
    rule: Option<Split>,
}

impl std::fmt::Debug for RecordCodec<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordCodec").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl<'m> RecordCodec<'m> {
    /// A codec of a model; keep it, for it takes megabytes and milliseconds to make.
    ///
    /// # Errors
    /// The model is one of rows of bits.
    pub fn new(model: &'m Model) -> Result<Self, Error> {
        let coder = model.codec().records().ok_or(Error::Record(CodecError::NoRecords))?;
        Ok(Self { coder, rule: None })
    }

    /// Every record ends by this rule, and nowhere before its last byte. Payloads
    /// then are some bits smaller, and need a codec with the same rule.
    pub fn split(mut self, rule: Split) -> Self {
        self.rule = Some(rule);
        self
    }

    /// The payload of a record: its ideal length under the model, rounded up to
    /// bytes, and without a rule some bits that tell the end.
    ///
    /// # Errors
    /// The record does not end by the rule of [`Self::split`].
    pub fn encode(&mut self, record: &[u8]) -> Result<Vec<u8>, Error> {
        if let Some(rule) = self.rule {
            let mut splitter = Splitter::new(rule, false);
            let end = record.iter().position(|&byte| splitter.push(byte));
            if end.is_none_or(|end| end + 1 != record.len()) {
                return Err(Error::RecordEnd);
            }
        }
        self.coder.encode(record, self.rule.is_none()).map(|coded| coded.0).map_err(Error::Record)
    }

    /// The record of a payload, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// The payload is not one of this model and rule, which most that are not, are
    /// seen to be; or the record is longer.
    pub fn decode(&mut self, payload: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
        let mut record = Vec::new();
        let mut splitter = self.rule.map(|rule| Splitter::new(rule, false));
        let done = match &mut splitter {
            None => self.coder.decode(payload, None, limit, &mut record),
            Some(splitter) => {
                let mut ends = |byte| splitter.push(byte);
                self.coder.decode(payload, Some(&mut ends), limit, &mut record)
            }
        };
        done.map(|()| record).map_err(Error::Record)
    }
}
