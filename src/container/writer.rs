//! Writes a long archive, block by block.

use std::io::{self, Write};

use super::checksum::crc32;
use super::{BlockHeader, BlockKind, Footer, Header, IndexEntry};

/// A long archive on its way to `out`.
#[derive(Debug)]
pub struct LongWriter<W> {
    out: W,
    footer: Footer,
    written: u64,
    content: u64,
}

impl<W: Write> LongWriter<W> {
    /// Writes the header.
    pub fn start(mut out: W, header: &Header) -> io::Result<Self> {
        let b = header.to_bytes();
        out.write_all(&b)?;
        Ok(Self { out, footer: Footer::default(), written: b.len() as u64, content: 0 })
    }

    /// Writes a block. The lengths must fit the kind ([`BlockKind::allows`]) and
    /// the header's block size.
    pub fn block(
        &mut self,
        kind: BlockKind,
        raw_len: u32,
        raw_crc: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        let head = BlockHeader {
            kind,
            raw_len,
            payload_len: payload.len() as u32,
            content_offset: self.content,
            raw_crc,
            payload_crc: crc32(payload),
        };
        let b = head.to_bytes();
        self.out.write_all(&b)?;
        self.out.write_all(payload)?;
        let entry = IndexEntry::new(kind, raw_len, payload)
            .ok_or_else(|| io::Error::other("a split block without a number of records"))?;
        self.footer.add(&entry);
        self.content += u64::from(raw_len);
        self.written += (b.len() + payload.len()) as u64;
        Ok(())
    }

    /// Writes the footer; returns the writer and the bytes of the whole archive.
    pub fn finish(mut self, sha256: [u8; 32]) -> io::Result<(W, u64)> {
        self.footer.sha256 = sha256;
        let b = self
            .footer
            .to_bytes()
            .ok_or_else(|| io::Error::other("too many blocks: choose a larger block size"))?;
        self.out.write_all(&b)?;
        Ok((self.out, self.written + b.len() as u64))
    }
}
