//! Text files as users write them: UTF-8, with or without a byte order mark.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// What editors of Windows write before the text (U+FEFF).
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a text file, which must be there.
pub(crate) fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    decode(path, bytes)
}

/// Reads a text file; `None` where there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<String> {
    if let Some(encoding) = wide(&bytes) {
        return Err(Error::Encoding {
            path: path.to_owned(),
            encoding,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Error::NotText {
            path: path.to_owned(),
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        }
    })
}

/// The name of an encoding whose units have more than a byte. `>` of Windows PowerShell writes
/// UTF-16 with a byte order mark.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        // Without a mark: a letter of ASCII has an empty byte beside it.
        [0, letter, ..] | [letter, 0, ..] if *letter != 0 => Some("UTF-16"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Result<String, String> {
        decode(Path::new("pyproject.toml"), bytes.to_vec()).map_err(|error| error.chain())
    }

    fn utf16(text: &str, unit: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn other_encodings_than_utf_8_are_named() {
        let marked = "\u{feff}[project]\n";
        for bytes in [
            utf16(marked, u16::to_le_bytes),
            utf16(marked, u16::to_be_bytes),
            utf16("[project]\n", u16::to_le_bytes),
            utf16("[project]\n", u16::to_be_bytes),
        ] {
            assert_eq!(
                told(&bytes).unwrap_err(),
                "pyproject.toml is UTF-16 text, and must be UTF-8"
            );
        }
        let utf32: Vec<_> = marked
            .chars()
            .flat_map(|letter| u32::from(letter).to_le_bytes())
            .collect();
        assert!(told(&utf32).unwrap_err().contains("is UTF-32 text"));
        assert_eq!(
            told(b"a = 1\nb = 'M\xfcller'\n").unwrap_err(),
            "pyproject.toml is not UTF-8 text: line 2 has a byte that UTF-8 does not have there"
        );
        assert_eq!(told("a = 'ü'".as_bytes()).unwrap(), "a = 'ü'");
        assert_eq!(told(b"").unwrap(), "");
    }

    #[test]
    fn a_file_that_is_not_there_is_no_text_or_an_error() {
        let path = Path::new("/nowhere/at/all");
        assert_eq!(read_if_there(path).unwrap(), None);
        assert!(read(path).unwrap_err().chain().contains("/nowhere/at/all"));
    }
}
