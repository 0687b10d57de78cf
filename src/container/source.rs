//! Reading with a position, where the end of the input is an error with a name.

use std::io::{BufReader, ErrorKind, Read, Seek};

use super::FormatError;
use super::limits::READ_STEP;

/// A reader that counts.
#[derive(Debug)]
pub(super) struct Source<R> {
    inner: R,
    offset: u64,
}

impl<R: Read> Source<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, offset: 0 }
    }

    /// A reader that already stands at an offset.
    pub fn at(inner: R, offset: u64) -> Self {
        Self { inner, offset }
    }

    /// Where the next byte comes from.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next byte, or none at the end of the input.
    pub fn next(&mut self) -> Result<Option<u8>, FormatError> {
        let mut b = [0];
        loop {
            match self.inner.read(&mut b) {
                Ok(0) => return Ok(None),
                Ok(_) => {
                    self.offset += 1;
                    return Ok(Some(b[0]));
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Fills `buf`; `within` names what is truncated if the input ends.
    pub fn exact(&mut self, buf: &mut [u8], within: &'static str) -> Result<(), FormatError> {
        let mut done = 0;
        while done < buf.len() {
            match self.inner.read(&mut buf[done..]) {
                Ok(0) => return Err(FormatError::Truncated { offset: self.offset, within }),
                Ok(n) => {
                    done += n;
                    self.offset += n as u64;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Appends `len` bytes, growing `out` only as they arrive.
    pub fn append(
        &mut self,
        out: &mut Vec<u8>,
        len: usize,
        within: &'static str,
    ) -> Result<(), FormatError> {
        let mut left = len;
        while left > 0 {
            let step = left.min(READ_STEP);
            let start = out.len();
            out.resize(start + step, 0);
            self.exact(&mut out[start..], within)?;
            left -= step;
        }
        Ok(())
    }

    /// Passes over `len` bytes, which `seen` gets.
    pub fn skip(
        &mut self,
        len: u64,
        within: &'static str,
        mut seen: impl FnMut(&[u8]),
    ) -> Result<(), FormatError> {
        let mut buf = vec![0; (len.min(READ_STEP as u64 / 16)) as usize];
        let mut left = len;
        while left > 0 {
            let step = left.min(buf.len() as u64) as usize;
            self.exact(&mut buf[..step], within)?;
            seen(&buf[..step]);
            left -= step as u64;
        }
        Ok(())
    }
}

impl<R: Read + Seek> Source<BufReader<R>> {
    /// Passes over `len` bytes of an input that has them, without reading what is not in the
    /// buffer.
    pub fn pass(&mut self, len: u64) -> Result<(), FormatError> {
        self.inner.seek_relative(len as i64)?;
        self.offset += len;
        Ok(())
    }
}
