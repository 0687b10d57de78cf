//! How an archive begins, and what its first bytes say about a broken copy.

use super::FormatError;

/// First byte of everything this format writes: not ASCII, so that a transfer
/// that strips the eighth bit shows, and no first byte of UTF-8 text.
pub const MARK: u8 = 0x8d;
/// Signature of a long archive: like PNG's, a newline conversion of any kind
/// changes it, and 0x1A ends a text on systems that know such an end.
pub const LONG: [u8; 8] = [MARK, b'M', b'D', b'Z', 0x0d, 0x0a, 0x1a, 0x0a];
/// High nibble of the second byte of a short archive; the low one is the version.
pub const SHORT_NIBBLE: u8 = 0xa0;
/// Signature of a skippable frame.
pub const SKIPPABLE: [u8; 4] = [MARK, b'S', b'K', b'P'];

/// Format version written, and the newest one read. It stands at offset 8 of a
/// long archive and in the low nibble of byte 1 of a short one, in every version.
pub const VERSION: u8 = 1;

/// What a member of the input is, from its first two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A long archive.
    Long,
    /// A short archive of a version.
    Short(u8),
    /// A skippable frame.
    Skippable,
}

/// Judges the first two bytes.
pub fn form(first: [u8; 2]) -> Option<Form> {
    match first {
        [MARK, b'M'] => Some(Form::Long),
        [MARK, b'S'] => Some(Form::Skippable),
        [MARK, b] if b & 0xf0 == SHORT_NIBBLE => Some(Form::Short(b & 0x0f)),
        _ => None,
    }
}

/// Names what happened to the signature of a long archive, if these first bytes
/// show it; else the input is no archive.
pub fn diagnose(first: &[u8]) -> FormatError {
    const STRIPPED: [u8; 4] = [MARK & 0x7f, b'M', b'D', b'Z'];
    if first.starts_with(&STRIPPED) {
        return FormatError::Mangled("its bytes have lost their eighth bit");
    }
    if first.starts_with(&[0xc2, MARK, b'M', b'D', b'Z'])
        || first.starts_with(&[0xef, 0xbf, 0xbd, b'M', b'D', b'Z'])
    {
        return FormatError::Mangled("it was treated as text and recoded to UTF-8");
    }
    if first.starts_with(&LONG[..4]) {
        return FormatError::Mangled("its line ends were converted");
    }
    FormatError::NotAnArchive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_show() {
        let lf: Vec<u8> = [&LONG[..4], b"\n\x1a\n"].concat();
        let crlf: Vec<u8> = [&LONG[..4], b"\r\n\x1a\r\n"].concat();
        let cr: Vec<u8> = [&LONG[..4], b"\r\r\x1a\r"].concat();
        for broken in [lf, crlf, cr] {
            assert_ne!(broken[..LONG.len().min(broken.len())], LONG);
            assert!(diagnose(&broken).to_string().contains("line ends"));
        }
        let stripped: Vec<u8> = LONG.iter().map(|b| b & 0x7f).collect();
        assert!(diagnose(&stripped).to_string().contains("eighth bit"));
        let utf8: Vec<u8> = LONG.iter().map(|&b| char::from(b)).collect::<String>().into_bytes();
        assert!(diagnose(&utf8).to_string().contains("UTF-8"));
        let lossy = String::from_utf8_lossy(&LONG).into_owned().into_bytes();
        assert!(diagnose(&lossy).to_string().contains("UTF-8"));
        assert!(matches!(diagnose(b"PK\x03\x04"), FormatError::NotAnArchive));
    }

    #[test]
    fn one_bit_never_turns_one_form_into_another() {
        for b in [b'M', b'S', SHORT_NIBBLE | VERSION] {
            let form_of = form([MARK, b]);
            for bit in 0..8 {
                let other = form([MARK, b ^ (1 << bit)]);
                let same_kind = matches!(
                    (form_of, other),
                    (_, None) | (Some(Form::Short(_)), Some(Form::Short(_)))
                );
                assert!(same_kind, "{b:02x} bit {bit}");
            }
        }
    }
}
