//! The bytes of version 1, so that no change of them goes unnoticed.

use madezip::catalog::CatalogError;
use madezip::container::Header;

use crate::toy::{pack, unpack};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect()
}

#[test]
fn short_archives() {
    // mark, form and version; profile 0, kind stored; length; CRC-32; CRC-16
    assert_eq!(hex(&pack(b"", 100)), "8da1000000000000b5e7");
    // CRC-32 of "hello" is 0x3610a686
    let hello = pack(b"hello", 100);
    assert_eq!(hex(&hello[..12]), "8da1000568656c6c6f86a610");
    // kind run: 200 zeros, whose length takes two bytes
    let run = pack(&[0; 200], 1000);
    assert_eq!(hex(&run[..6]), "8da101c80100");
}

#[test]
fn a_long_archive() {
    // 200 zeros in blocks of 150
    let archive = pack(&[0; 200], 150);
    let head = bytes(
        "8d4d445a0d0a1a0a 01 3e 00 00 0100 96000000 ffffffffffffffff
         0707070707070707070707070707070707070707070707070707070707070707",
    );
    assert_eq!(hex(&archive[..58]), hex(&head));
    let block = bytes("8d42 01 00 96000000 01000000 0000000000000000");
    assert_eq!(hex(&archive[62..82]), hex(&block));
    assert_eq!(archive[94], 0);
    let second = bytes("8d42 01 00 32000000 01000000 9600000000000000");
    assert_eq!(hex(&archive[95..115]), hex(&second));
    // two blocks: lengths 150 and 50, payload 1 of kind 1
    let footer = 128;
    assert_eq!(hex(&archive[footer..footer + 10]), "8d4900000296010932 09".replace(' ', ""));
    assert_eq!(hex(&archive[archive.len() - 4..]), "8d454e44");
    let len = archive.len() - footer;
    assert_eq!(
        hex(&archive[archive.len() - 12..archive.len() - 8]),
        hex(&(len as u32).to_le_bytes())
    );
    assert_eq!(unpack(&archive).0, vec![0; 200]);
}

#[test]
fn header_of_a_known_size() {
    let header =
        Header { profile: 0x1234, block_size: 1 << 24, content_size: Some(5), model: [0; 32] };
    let b = header.to_bytes();
    assert_eq!(hex(&b[12..26]), "3412000000010500000000000000");
}

#[test]
fn errors_are_one_line() {
    let error = CatalogError::Missing {
        key: madezip::container::ModelKey::Tag([1, 2, 3]),
        looked: vec!["a".into(), "b".into()],
    };
    let text = error.to_string();
    assert!(text.contains("010203") && text.contains("a, b") && !text.contains('\n'));
}
