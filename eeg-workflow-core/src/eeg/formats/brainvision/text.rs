//! From bytes of some code page to text.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Decodes a header or marker file by the code page that it names (UTF-8 when it names none;
/// `ANSI` is Windows-1252). What is not valid in that code page, or a code page that nobody
/// knows, is read as Latin-1, in which any byte is a letter.
pub(super) fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Windows-1252 has no letters for these; encoding_rs takes them as control characters.
    let undefined = |b: &u8| matches!(b, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    let encoding = match code_page(bytes) {
        None => Some(UTF_8),
        Some("ANSI") => Some(WINDOWS_1252).filter(|_| !bytes.iter().any(undefined)),
        Some(name) => Encoding::for_label(name.as_bytes())
            .or_else(|| Encoding::for_label(format!("cp{name}").as_bytes())),
    };
    let text = encoding.and_then(|e| e.decode_without_bom_handling_and_without_replacement(bytes));
    match text {
        Some(text) => text.into_owned(),
        None => encoding_rs::mem::decode_latin1(bytes).into_owned(),
    }
}

/// What follows the first `Codepage=` on its line.
fn code_page(bytes: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"Codepage=";
    let at = bytes.windows(KEY.len()).position(|w| w == KEY)?;
    let rest = bytes.get(at + KEY.len()..)?;
    let line = rest.split(|b| *b == b'\n').next()?;
    let name = std::str::from_utf8(line).ok()?.trim();
    (!name.is_empty()).then_some(name)
}
