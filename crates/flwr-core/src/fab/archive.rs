//! The zip container. Reading is done by the `zip` crate, within bounds. Writing is done here:
//! a bundle's hash covers every byte of it, and the `zip` crate cannot write the headers that
//! Python's `zipfile` writes (external attributes without a file type, versions 2.0 throughout,
//! no extra fields).

use std::io::{Cursor, Read};

use bytes::Bytes;
use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

use super::{FabError, Files, MAX_BYTES};

/// Most entries of a bundle; Flower has no limit of its own here.
pub(super) const MAX_ENTRIES: usize = 10_000;
/// Most bytes that a bundle unpacks to. Builders store without compression, so an honest bundle
/// unpacks to less than [`MAX_BYTES`]; the rest is room for tools that do compress.
pub(super) const MAX_INFLATED: u64 = 64 * 1024 * 1024;

// Layout: PKWARE's APPNOTE; values: what flwr 1.17 to 1.22 write.
const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Begins the record just before [`END`] that says where the directory of a zip64 archive is.
const LOCATOR_64: u32 = 0x0706_4b50;
/// Length of that record.
const LOCATOR_64_LEN: usize = 20;
/// Length of the end record without its comment.
const END_LEN: usize = 22;
/// Longest comment behind the end record.
const MAX_COMMENT: usize = 0xffff;
/// "Version needed" and "made by": 2.0.
const VERSION: u8 = 20;
/// "Made on": Unix.
const UNIX: u8 = 3;
/// Flag bit 11: the name is UTF-8. Python sets it for names beyond ASCII only.
const UTF8: u16 = 1 << 11;
const STORED: u16 = 0;
/// 2024-10-01 in DOS form; the time is midnight, 0.
const DATE: u16 = (2024 - 1980) << 9 | 10 << 5 | 1;
/// Permissions 0600 and no file type.
const ATTRIBUTES: u32 = 0o600 << 16;

/// Writes the entries, stored, in this order.
pub(super) fn write(entries: &[(String, Bytes)]) -> Result<Vec<u8>, FabError> {
    if entries.len() > MAX_ENTRIES {
        return Err(FabError::TooMany(entries.len()));
    }
    let size = written_size(entries);
    if size > MAX_BYTES {
        return Err(FabError::TooLarge(size));
    }
    let mut out = Vec::with_capacity(size);
    let mut directory = Vec::new();
    for (name, bytes) in entries {
        let offset = fits(out.len())?;
        let fields = common_fields(name, bytes)?;
        put32(&mut out, LOCAL);
        out.extend([VERSION, 0]);
        out.extend_from_slice(&fields);
        out.extend([0, 0]); // no extra field
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(bytes);
        put_central(&mut directory, name, &fields, offset);
    }
    put_end(&mut out, &directory, entries.len())?;
    Ok(out)
}

/// Known beforehand, as nothing is compressed.
fn written_size(entries: &[(String, Bytes)]) -> usize {
    let entry = |(name, bytes): &(String, Bytes)| 30 + 46 + 2 * name.len() + bytes.len();
    entries.iter().map(entry).sum::<usize>() + END_LEN
}

/// The run of fields that local and central headers share: flags to name length.
fn common_fields(name: &str, bytes: &[u8]) -> Result<Vec<u8>, FabError> {
    let name_len = u16::try_from(name.len()).map_err(|_| FabError::Path(name.to_owned()))?;
    let size = fits(bytes.len())?;
    let mut fields = Vec::with_capacity(22);
    let flags = if name.is_ascii() { 0 } else { UTF8 };
    for value in [flags, STORED, 0, DATE] {
        put16(&mut fields, value);
    }
    for value in [crc32fast::hash(bytes), size, size] {
        put32(&mut fields, value);
    }
    put16(&mut fields, name_len);
    Ok(fields)
}

fn put_central(out: &mut Vec<u8>, name: &str, fields: &[u8], offset: u32) {
    put32(out, CENTRAL);
    out.extend([VERSION, UNIX, VERSION, 0]);
    out.extend_from_slice(fields);
    out.extend([0; 8]); // no extra field, no comment, disk 0, no internal attributes
    put32(out, ATTRIBUTES);
    put32(out, offset);
    out.extend_from_slice(name.as_bytes());
}

fn put_end(out: &mut Vec<u8>, directory: &[u8], count: usize) -> Result<(), FabError> {
    let offset = fits(out.len())?;
    let count = u16::try_from(count).map_err(|_| FabError::TooMany(count))?;
    out.extend_from_slice(directory);
    put32(out, END);
    out.extend([0; 4]); // one disk
    put16(out, count);
    put16(out, count);
    put32(out, fits(directory.len())?);
    put32(out, offset);
    out.extend([0; 2]); // no comment
    Ok(())
}

fn fits(size: usize) -> Result<u32, FabError> {
    u32::try_from(size).map_err(|_| FabError::TooLarge(size))
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Reads all files of an archive.
pub(super) fn read(bytes: &[u8]) -> Result<Files, FabError> {
    if bytes.len() > MAX_BYTES {
        return Err(FabError::TooLarge(bytes.len()));
    }
    if is_zip64(bytes) {
        return Err(FabError::Format("it is a zip64 archive"));
    }
    let counted = count_entries(bytes)?;
    if counted > MAX_ENTRIES {
        return Err(FabError::TooMany(counted));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(FabError::Zip)?;
    // The reader keeps one of several entries with the same name; another reader may keep
    // another one. Fewer entries than counted are therefore a fault.
    if archive.len() != counted || archive.offset() != 0 {
        return Err(FabError::Format("its directory is ambiguous"));
    }
    let mut files = Files::new();
    let mut left = MAX_INFLATED;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(FabError::Zip)?;
        if let Some((path, contents)) = read_entry(file, &mut left)? {
            if files.contains_key(&path) {
                return Err(FabError::Duplicate(path));
            }
            files.insert(path, contents);
        }
    }
    Ok(files)
}

/// One file; `None` for a directory. Takes what it read from `left`.
fn read_entry<R: Read>(
    file: ZipFile<'_, R>,
    left: &mut u64,
) -> Result<Option<(String, Vec<u8>)>, FabError> {
    let path = name(&file)?;
    if !is_safe(path.strip_suffix('/').unwrap_or(&path)) {
        return Err(FabError::Path(path));
    }
    if !is_plain(&file) {
        return Err(FabError::NotAFile(path));
    }
    if !matches!(
        file.compression(),
        CompressionMethod::Stored | CompressionMethod::Deflated
    ) {
        return Err(FabError::Format("an entry is compressed in an unusual way"));
    }
    if file.is_dir() {
        return Ok(None);
    }
    let mut contents = Vec::new();
    // One byte more than allowed tells "just fits" from "does not"; the size in the header is
    // only a claim.
    let read = file.take(*left + 1).read_to_end(&mut contents);
    let read = read.map_err(|error| FabError::Zip(error.into()))? as u64;
    *left = left.checked_sub(read).ok_or(FabError::Inflated)?;
    Ok(Some((path, contents)))
}

/// The name of an entry. Python's `zipfile` reads a name beyond ASCII as UTF-8 where bit 11 says so,
/// and as code page 437 elsewhere. The `zip` crate does not look at the bit.
fn name<R: Read>(file: &ZipFile<'_, R>) -> Result<String, FabError> {
    let raw = file.name_raw();
    let is_marked = raw.is_ascii() || file.flags().as_u16() & UTF8 != 0;
    match str::from_utf8(raw) {
        Ok(name) if is_marked => Ok(name.to_owned()),
        _ => Err(FabError::Format(
            "the name of an entry is not UTF-8, or not marked as such",
        )),
    }
}

/// No link, device or the like, and not encrypted. Python's builder writes no file type at all.
fn is_plain<R: Read>(file: &ZipFile<'_, R>) -> bool {
    const TYPE: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    const DIRECTORY: u32 = 0o040_000;
    let kind = file.unix_mode().unwrap_or(0) & TYPE;
    !file.encrypted() && (kind == 0 || kind == REGULAR || (kind == DIRECTORY && file.is_dir()))
}

/// Whether a path stays below the directory it is unpacked to, on every system.
pub(super) fn is_safe(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(part) && !path.contains(|c: char| c == '\\' || c.is_control())
}

/// Whether there is an end record of a zip64 archive. Such a record has a second number of entries,
/// and the reader reserves memory by that number. Builders write zip64 for sizes that no bundle has.
fn is_zip64(bytes: &[u8]) -> bool {
    bytes.windows(LOCATOR_64_LEN + 4).any(|window| {
        window.starts_with(&LOCATOR_64.to_le_bytes()) && window.ends_with(&END.to_le_bytes())
    })
}

/// The number of entries that the end record tells. The record must be the very end, and stand right
/// behind the directory that it names: Python's `zipfile` takes the directory that stands there,
/// other readers take the one that the record's offset names, and both must be the same one.
fn count_entries(bytes: &[u8]) -> Result<usize, FabError> {
    let no_end = FabError::Format("it is not a zip archive");
    if !bytes.starts_with(&LOCAL.to_le_bytes()) {
        return Err(no_end);
    }
    let from = bytes.len().saturating_sub(END_LEN + MAX_COMMENT);
    let at = bytes[from..]
        .windows(4)
        .rposition(|window| window == END.to_le_bytes())
        .ok_or(no_end)?;
    let (before, end) = bytes.split_at(from + at);
    if end.len() < END_LEN {
        return Err(FabError::Format("its end is missing"));
    }
    let short = |at: usize| u64::from(u16::from_le_bytes([end[at], end[at + 1]]));
    let long = |at: usize| short(at) | short(at + 2) << 16;
    let (count, size, offset, comment) = (short(10), long(12), long(16), short(20));
    if offset + size != before.len() as u64 || END_LEN as u64 + comment != end.len() as u64 {
        return Err(FabError::Format("its directory is ambiguous"));
    }
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}
