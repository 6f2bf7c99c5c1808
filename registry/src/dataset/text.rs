//! Bytes of an uploaded text file as UTF-8, whatever encoding they came in.

use std::borrow::Cow;
use std::io::Read;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The character encodings that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TextEncoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows-1252, which contains ISO 8859-1.
    #[serde(rename = "latin-1")]
    Latin1,
    /// UTF-16, least significant byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, most significant byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

impl TextEncoding {
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Latin1 => WINDOWS_1252,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
        }
    }
}

/// Finds the encoding by byte order mark, else UTF-8 when all bytes are, else Latin-1.
///
/// A file that is UTF-8 almost everywhere is refused with the place of the first bad byte: read as Latin-1 every
/// accent in it would be silently garbled.
pub(crate) fn detect(bytes: &[u8]) -> Result<TextEncoding, Error> {
    match Encoding::for_bom(bytes) {
        Some((encoding, _)) if encoding == UTF_16LE => return Ok(TextEncoding::Utf16Le),
        Some((encoding, _)) if encoding == UTF_16BE => return Ok(TextEncoding::Utf16Be),
        Some(_) => return Ok(TextEncoding::Utf8),
        None => {}
    }
    let Err(error) = std::str::from_utf8(bytes) else { return Ok(TextEncoding::Utf8) };
    let (mut accents, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        accents += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if accents > broken {
        let place = error.valid_up_to();
        return Err(Error::Invalid(format!(
            "byte {place} is not UTF-8 although the rest of the file is; repair it, or state its encoding"
        )));
    }
    Ok(TextEncoding::Latin1)
}

/// A reader of the text as UTF-8, without the byte order mark.
pub(crate) fn reader(bytes: &[u8], encoding: TextEncoding) -> Box<dyn Read + '_> {
    if encoding == TextEncoding::Utf8 {
        return Box::new(bytes.strip_prefix(BOM).unwrap_or(bytes));
    }
    Box::new(DecodingReader {
        decoder: encoding.encoding().new_decoder_with_bom_removal(),
        rest: bytes,
        done: false,
    })
}

/// The whole text; UTF-8 is not copied.
pub(crate) fn decode(bytes: &[u8], encoding: TextEncoding) -> Result<Cow<'_, str>, Error> {
    if encoding != TextEncoding::Utf8 {
        return Ok(encoding.encoding().decode_with_bom_removal(bytes).0);
    }
    let text = std::str::from_utf8(bytes.strip_prefix(BOM).unwrap_or(bytes));
    text.map(Cow::Borrowed).map_err(|error| {
        Error::Invalid(format!("byte {} is not UTF-8; state the encoding", error.valid_up_to()))
    })
}

/// Decodes piece by piece, so that a large file is never held twice.
struct DecodingReader<'a> {
    decoder: Decoder,
    rest: &'a [u8],
    done: bool,
}

impl Read for DecodingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // A character needs up to four bytes: a smaller buffer could never take the next one.
        if self.done || buffer.len() < 4 {
            return Ok(0);
        }
        let (result, read, written, _) = self.decoder.decode_to_utf8(self.rest, buffer, true);
        self.rest = &self.rest[read..];
        self.done = result == CoderResult::InputEmpty;
        Ok(written)
    }
}

/// The beginning of the text, at most about `limit` bytes, cut after a whole line where there is one.
pub(crate) fn sample(bytes: &[u8], encoding: TextEncoding, limit: usize) -> String {
    let mut buffer = vec![0; limit];
    let mut filled = 0;
    let mut reader = reader(bytes, encoding);
    while filled + 4 <= limit {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    buffer.truncate(filled);
    let complete = filled + 4 <= limit;
    if !complete && let Some(end) = buffer.iter().rposition(|&byte| byte == b'\n') {
        buffer.truncate(end + 1);
    }
    String::from_utf8_lossy(&buffer).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> String {
        let mut text = String::new();
        reader(bytes, detect(bytes).unwrap()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn reads_every_encoding() {
        let mut utf16 = vec![0xFF, 0xFE];
        utf16.extend("Ñandú €;1".encode_utf16().flat_map(u16::to_le_bytes));
        let mut big_endian = vec![0xFE, 0xFF];
        big_endian.extend("Ñandú €;1".encode_utf16().flat_map(u16::to_be_bytes));
        assert_eq!(read_all(&utf16), "Ñandú €;1");
        assert_eq!(read_all(&big_endian), "Ñandú €;1");
        assert_eq!(read_all(b"\xEF\xBB\xBFa;b"), "a;b");
        assert_eq!(read_all("Ñandú €".as_bytes()), "Ñandú €");
        assert_eq!(read_all(b"Bah\xEDa de Car\xE1quez \x80"), "Bahía de Caráquez €");
    }

    #[test]
    fn refuses_utf8_with_a_broken_byte() {
        let mut bytes = "Bahía de Caráquez, Cañar, ".as_bytes().to_vec();
        bytes.push(0xED);
        let error = detect(&bytes).unwrap_err().to_string();
        assert!(error.contains("byte 29"), "{error}");
    }

    #[test]
    fn samples_whole_lines() {
        let text = "uno;dos\n".repeat(100);
        let cut = sample(text.as_bytes(), TextEncoding::Utf8, 100);
        assert!(cut.ends_with("dos\n") && cut.len() <= 100 && cut.len() > 80);
        assert_eq!(sample(b"a;b", TextEncoding::Utf8, 100), "a;b");
    }
}
