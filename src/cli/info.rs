//! `madezip info`, also `list`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::args::InfoArgs;
use super::console::Console;
use super::files::inputs;
use super::input::Input;
use super::json;
use super::names::is_archive_name;
use super::settings::Settings;
use super::table::table;
use crate::archive::{Member, Structure, collect, read_frame, scan};
use crate::catalog::{Entry, hex};
use crate::container::{BlockKind, IndexEntry, MODEL_FRAME};

/// One file of `info --json`.
#[derive(Debug, Serialize)]
struct Info {
    /// Its name as given.
    file: String,
    /// Its bytes.
    archive_bytes: u64,
    /// Bytes of its content.
    content_bytes: u64,
    /// What it is made of, in order.
    members: Vec<MemberInfo>,
}

/// A member in `info --json`.
#[derive(Debug, Serialize)]
struct MemberInfo {
    /// `long`, `short`, `model` (which serves the archives after it) or `skippable`.
    form: &'static str,
    /// Where it begins in the file.
    offset: u64,
    /// Its bytes in the file.
    archive_bytes: u64,
    /// Bytes of its content.
    content_bytes: u64,
    /// Arithmetic profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<u16>,
    /// Id of the model that is needed, or its first bytes, or of the one that this
    /// is; null if there is none.
    model: Option<String>,
    /// Bound of the content of a block.
    #[serde(skip_serializing_if = "Option::is_none")]
    block_size: Option<u32>,
    /// SHA-256 of the content (long form).
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// CRC-32 of the content (short form), eight hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    crc32: Option<String>,
    /// Kind of a skippable frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<u32>,
    /// The first version of madezip that reads it.
    since: &'static str,
    /// Its blocks, in order.
    blocks: Vec<BlockInfo>,
}

/// A block in `info --json`.
#[derive(Debug, Serialize)]
struct BlockInfo {
    /// `coded` (by whichever rules), `split`, `stored` or `run`.
    kind: &'static str,
    /// Bytes of its content.
    content_bytes: u32,
    /// Bytes of its payload.
    payload_bytes: u32,
    /// How many records it was split into (kind `split`).
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u32>,
}

impl From<&Member> for MemberInfo {
    fn from(m: &Member) -> Self {
        let block = |b: &IndexEntry| BlockInfo {
            kind: b.kind.name(),
            content_bytes: b.raw_len,
            payload_bytes: b.payload_len,
            records: (b.kind == BlockKind::Split).then_some(b.records),
        };
        let mut info = Self {
            form: "skippable",
            offset: m.offset,
            archive_bytes: m.len,
            content_bytes: m.content(),
            profile: None,
            model: m.model().map(|k| hex(k.bytes())),
            block_size: None,
            sha256: None,
            crc32: None,
            kind: None,
            since: since(m.blocks()),
            blocks: m.blocks().iter().map(block).collect(),
        };
        match &m.what {
            Structure::Long { header, sha256, .. } => {
                info.form = "long";
                info.profile = Some(header.profile);
                info.block_size = Some(header.block_size);
                info.sha256 = Some(hex(sha256));
            }
            Structure::Short { profile, crc32, model, .. } => {
                info.form = "short";
                info.profile = model.map(|_| *profile);
                info.crc32 = Some(format!("{crc32:08x}"));
            }
            Structure::Skippable(frame) => info.kind = Some(frame.kind),
        }
        info
    }
}

/// The first version of madezip that reads all of these blocks: kinds of later versions have
/// higher numbers.
fn since(blocks: &[IndexEntry]) -> &'static str {
    blocks.iter().map(|b| b.kind).max().unwrap_or(BlockKind::Stored).since()
}

pub(super) fn run(args: InfoArgs, settings: &Settings, console: &Console) -> Result<()> {
    let mut infos = Vec::new();
    for path in &inputs(args.files, args.recursive, is_archive_name, console) {
        match one(path) {
            Ok(info) => infos.push(info),
            Err(e) => console.error(Some(path), &e),
        }
    }
    if args.json {
        return json::print("madezip-info", &infos);
    }
    let mut text = String::new();
    if settings.verbose > 0 {
        infos.iter().for_each(|info| details(info, &mut text));
    } else if !infos.is_empty() {
        text = overview(&infos);
    }
    json::text_out(&text)
}

fn one(path: &Path) -> Result<Info> {
    let mut input = Input::open_archive(path)?;
    let mut packed = BTreeMap::new();
    let members = match input.seekable() {
        Some(file) => {
            let members = scan(file)?;
            for m in &members {
                if let Structure::Skippable(frame) = &m.what {
                    packed.insert(m.offset, read_frame(file, m.offset, frame)?);
                }
            }
            members
        }
        None => collect(input.reader(), |offset, content| drop(packed.insert(offset, content)))?,
    };
    let mut infos: Vec<MemberInfo> = members.iter().map(MemberInfo::from).collect();
    for m in infos.iter_mut().filter(|m| m.kind == Some(MODEL_FRAME)) {
        m.form = "model";
        let packed = packed.remove(&m.offset).unwrap_or_default();
        m.model = Entry::embedded(&packed).ok().map(|e| hex(&e.id));
    }
    Ok(Info {
        file: path.to_string_lossy().into_owned(),
        archive_bytes: members.iter().map(|m| m.len).sum(),
        content_bytes: members.iter().map(Member::content).sum(),
        members: infos,
    })
}

fn percent(archive: u64, content: u64) -> String {
    if content == 0 {
        "-".into()
    } else {
        format!("{:.2} %", 100.0 * archive as f64 / content as f64)
    }
}

fn overview(infos: &[Info]) -> String {
    let head =
        ["archive", "content", "bytes", "ratio", "blocks", "coded/split/run/stored", "model"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for info in infos {
        let blocks = || info.members.iter().flat_map(|m| &m.blocks);
        let count = |k: BlockKind| blocks().filter(|b| b.kind == k.name()).count();
        let mut models: Vec<&str> = info
            .members
            .iter()
            .filter_map(|m| m.model.as_deref())
            .map(|m| &m[..m.len().min(12)])
            .collect();
        models.dedup();
        rows.push(vec![
            info.file.clone(),
            info.content_bytes.to_string(),
            info.archive_bytes.to_string(),
            percent(info.archive_bytes, info.content_bytes),
            blocks().count().to_string(),
            format!(
                "{}/{}/{}/{}",
                count(BlockKind::Coded),
                count(BlockKind::Split),
                count(BlockKind::Run),
                count(BlockKind::Stored)
            ),
            if models.is_empty() { "-".into() } else { models.join(",") },
        ]);
    }
    table(&rows)
}

fn details(info: &Info, text: &mut String) {
    let _ = writeln!(
        text,
        "{}: {} bytes of content, {} bytes, {}",
        info.file,
        info.content_bytes,
        info.archive_bytes,
        percent(info.archive_bytes, info.content_bytes)
    );
    for m in &info.members {
        let _ = writeln!(text, "  {} at {}, {} bytes", m.form, m.offset, m.archive_bytes);
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(text, "    {name:14} {value}");
            }
        };
        line("content", Some(m.content_bytes.to_string()));
        line("model", m.model.clone());
        line("profile", m.profile.map(|p| p.to_string()));
        line("block size", m.block_size.map(|b| b.to_string()));
        line("SHA-256", m.sha256.clone());
        line("CRC-32", m.crc32.clone());
        line("frame kind", m.kind.map(|k| k.to_string()));
        line("read by", Some(format!("madezip {} and later", m.since)));
        for (i, b) in m.blocks.iter().enumerate() {
            let mut value = format!("{} {} → {}", b.kind, b.content_bytes, b.payload_bytes);
            if let Some(records) = b.records {
                let _ = write!(value, ", {records} records");
            }
            line(&format!("block {i}"), Some(value));
        }
    }
}
