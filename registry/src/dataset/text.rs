//! Bytes of an uploaded text file as UTF-8, whatever encoding they came in.

use std::borrow::Cow;
use std::io::Read;
use std::str::Utf8Error;

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
    /// As people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "Latin-1",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
        }
    }

    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Latin1 => WINDOWS_1252,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
        }
    }
}

/// Finds the encoding by byte order mark, else by [`Census`].
pub(crate) fn detect(bytes: &[u8]) -> Result<TextEncoding, Error> {
    if let Some(encoding) = marked(bytes) {
        return Ok(encoding);
    }
    if std::str::from_utf8(bytes).is_ok() {
        return Ok(TextEncoding::Utf8);
    }
    let mut census = Census::default();
    census.add(bytes);
    census.conclude()
}

/// The encoding that a byte order mark states.
pub(crate) fn marked(bytes: &[u8]) -> Option<TextEncoding> {
    match Encoding::for_bom(bytes)? {
        (encoding, _) if encoding == UTF_16LE => Some(TextEncoding::Utf16Le),
        (encoding, _) if encoding == UTF_16BE => Some(TextEncoding::Utf16Be),
        _ => Some(TextEncoding::Utf8),
    }
}

/// What all bytes of a text say about its encoding, piece by piece: UTF-8 when all of them are, else Latin-1.
///
/// A file that is UTF-8 almost everywhere is refused with the place of the first bad byte: read as Latin-1 every
/// accent in it would be silently garbled.
#[derive(Default)]
pub(crate) struct Census {
    /// The bytes before `rest`.
    seen: u64,
    /// The beginning of a character that the next piece may complete.
    rest: Vec<u8>,
    first_bad: Option<u64>,
    accents: u64,
    broken: u64,
}

impl Census {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        let mut joined = std::mem::take(&mut self.rest);
        let mut piece = if joined.is_empty() {
            piece
        } else {
            joined.extend_from_slice(piece);
            joined.as_slice()
        };
        while let Err(error) = self.add_valid(piece) {
            let (_, rest) = piece.split_at(error.valid_up_to());
            let Some(length) = error.error_len() else {
                self.rest = rest.to_vec();
                return;
            };
            self.add_broken();
            self.seen += length as u64;
            piece = &rest[length..];
        }
    }

    /// Adds what is UTF-8 at the beginning of `piece`.
    fn add_valid(&mut self, piece: &[u8]) -> Result<(), Utf8Error> {
        let (text, ended) = match std::str::from_utf8(piece) {
            Ok(text) => (text, Ok(())),
            Err(error) => {
                (std::str::from_utf8(&piece[..error.valid_up_to()]).unwrap_or_default(), Err(error))
            }
        };
        self.accents += text.chars().filter(|letter| !letter.is_ascii()).count() as u64;
        self.seen += text.len() as u64;
        ended
    }

    fn add_broken(&mut self) {
        self.broken += 1;
        self.first_bad.get_or_insert(self.seen);
    }

    /// # Errors
    /// `Invalid` with the place of the first byte that is not UTF-8 in a file that is meant to be.
    pub(crate) fn conclude(mut self) -> Result<TextEncoding, Error> {
        if !self.rest.is_empty() {
            self.add_broken();
        }
        match self.first_bad {
            None => Ok(TextEncoding::Utf8),
            Some(place) if self.accents > self.broken => Err(Error::Invalid(format!(
                "byte {place} is not UTF-8 although the rest of the file is; repair it, or state its encoding"
            ))),
            Some(_) => Ok(TextEncoding::Latin1),
        }
    }
}

/// A reader of the text as UTF-8, without the byte order mark.
pub(crate) fn reader<'a>(source: impl Read + Send + 'a, encoding: TextEncoding) -> Box<dyn Read + Send + 'a> {
    if encoding == TextEncoding::Utf8 {
        return Box::new(Unmarked { source, head: [0; BOM.len()], filled: 0, given: 0, begun: false });
    }
    Box::new(DecodingReader {
        decoder: encoding.encoding().new_decoder_with_bom_removal(),
        source,
        input: vec![0; 1 << 16],
        taken: 0,
        filled: 0,
        ended: false,
        done: false,
        spill: Vec::new(),
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

/// Passes bytes on, without a UTF-8 byte order mark at their beginning.
struct Unmarked<R> {
    source: R,
    head: [u8; BOM.len()],
    filled: usize,
    given: usize,
    begun: bool,
}

impl<R: Read> Unmarked<R> {
    fn begin(&mut self) -> std::io::Result<()> {
        self.begun = true;
        while self.filled < self.head.len() {
            match self.source.read(&mut self.head[self.filled..])? {
                0 => break,
                count => self.filled += count,
            }
        }
        if self.head[..self.filled] == *BOM {
            self.given = self.filled;
        }
        Ok(())
    }
}

impl<R: Read> Read for Unmarked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !self.begun {
            self.begin()?;
        }
        if self.given == self.filled {
            return self.source.read(buffer);
        }
        let count = (&self.head[self.given..self.filled]).read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

/// Decodes piece by piece, so that a large file is never held whole.
struct DecodingReader<R> {
    decoder: Decoder,
    source: R,
    input: Vec<u8>,
    taken: usize,
    filled: usize,
    /// The source has no more.
    ended: bool,
    done: bool,
    /// A character for which the reader's buffer was too small.
    spill: Vec<u8>,
}

/// Bytes that any character fits into.
const CHARACTER_BYTES: usize = 4;

impl<R: Read> DecodingReader<R> {
    fn decode(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while !self.done {
            if self.taken == self.filled && !self.ended {
                self.filled = self.source.read(&mut self.input)?;
                self.taken = 0;
                self.ended = self.filled == 0;
            }
            let input = &self.input[self.taken..self.filled];
            let (result, read, written, _) = self.decoder.decode_to_utf8(input, buffer, self.ended);
            self.taken += read;
            self.done = self.ended && result == CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

impl<R: Read> Read for DecodingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.spill.is_empty() && buffer.len() >= CHARACTER_BYTES {
            return self.decode(buffer);
        }
        if self.spill.is_empty() {
            let mut room = [0; CHARACTER_BYTES];
            let count = self.decode(&mut room)?;
            self.spill.extend_from_slice(&room[..count]);
        }
        let count = buffer.len().min(self.spill.len());
        buffer[..count].copy_from_slice(&self.spill[..count]);
        self.spill.drain(..count);
        Ok(count)
    }
}

/// The beginning of the text, at most about `limit` bytes, cut after a whole line where there is one.
pub(crate) fn sample(reader: &mut dyn Read, limit: usize) -> String {
    let mut buffer = vec![0; limit];
    let mut filled = 0;
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
    fn a_census_in_pieces_says_the_same() {
        let mut broken = "Bahía de Caráquez, Cañar, ".as_bytes().to_vec();
        broken.push(0xED);
        for bytes in ["año, ñandú €".as_bytes(), b"Bah\xEDa de Car\xE1quez", &broken, b"abc\xC3", b""] {
            for size in 1..=bytes.len().max(1) {
                let mut census = Census::default();
                bytes.chunks(size).for_each(|piece| census.add(piece));
                let (pieces, whole) = (census.conclude(), detect(bytes));
                assert_eq!(format!("{pieces:?}"), format!("{whole:?}"), "{size}");
            }
        }
    }

    /// Gives one byte at a time.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn readers_bear_sources_that_give_little_at_once() {
        let mut utf16 = vec![0xFF, 0xFE];
        utf16.extend("Ñandú €;1".encode_utf16().flat_map(u16::to_le_bytes));
        for (bytes, encoding) in [
            (utf16.as_slice(), TextEncoding::Utf16Le),
            ("\u{FEFF}Ñandú €;1".as_bytes(), TextEncoding::Utf8),
            ("Ñandú €;1".as_bytes(), TextEncoding::Utf8),
            (b"\xD1and\xFA \x80;1", TextEncoding::Latin1),
        ] {
            let mut text = String::new();
            reader(Trickle(bytes), encoding).read_to_string(&mut text).unwrap();
            assert_eq!(text, "Ñandú €;1");
        }
    }

    #[test]
    fn samples_whole_lines() {
        let text = "uno;dos\n".repeat(100);
        let sample = |text: &[u8]| super::sample(&mut reader(text, TextEncoding::Utf8), 100);
        let cut = sample(text.as_bytes());
        assert!(cut.ends_with("dos\n") && cut.len() <= 100 && cut.len() > 80);
        assert_eq!(sample(b"a;b"), "a;b");
    }
}
