//! Lines of a stream that comes in pieces: numbered from 1, empty ones passed over, and never more of one held than
//! the limit.

use actix_web::web::{Bytes, BytesMut};

/// A line, without what ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub number: u64,
    /// Its bytes; `None` when there were more than the limit.
    pub bytes: Option<Bytes>,
}

/// Takes pieces and gives lines.
#[derive(Debug)]
pub struct Lines {
    limit: usize,
    /// The number of the line that `rest` begins.
    number: u64,
    rest: BytesMut,
    /// Whether the line was too long already and its rest is thrown away.
    is_skipping: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, number: 1, rest: BytesMut::new(), is_skipping: false }
    }

    /// The lines that end in the next piece.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut parts = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.add(part);
            if parts.peek().is_some() {
                lines.extend(self.end());
            }
        }
        lines
    }

    /// The last line, when nothing ended it.
    pub fn finish(&mut self) -> Option<Line> {
        self.end()
    }

    /// The number of the line that would come next.
    pub fn number(&self) -> u64 {
        self.number
    }

    fn add(&mut self, part: &[u8]) {
        if self.is_skipping {
            return;
        }
        if self.rest.len() + part.len() > self.limit {
            self.is_skipping = true;
            self.rest = BytesMut::new();
            return;
        }
        self.rest.extend_from_slice(part);
    }

    fn end(&mut self) -> Option<Line> {
        let number = self.number;
        self.number += 1;
        if std::mem::take(&mut self.is_skipping) {
            return Some(Line { number, bytes: None });
        }
        let bytes = self.rest.split().freeze();
        let is_empty = bytes.iter().all(u8::is_ascii_whitespace);
        (!is_empty).then_some(Line { number, bytes: Some(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(limit: usize, pieces: &[&[u8]]) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::new(limit);
        let mut found: Vec<Line> = pieces.iter().flat_map(|piece| lines.push(piece)).collect();
        found.extend(lines.finish());
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        found.into_iter().map(|line| (line.number, line.bytes.map(text))).collect()
    }

    fn line(number: u64, text: &str) -> (u64, Option<String>) {
        (number, Some(text.into()))
    }

    #[test]
    fn lines_are_numbered_and_empty_ones_passed_over() {
        assert_eq!(all(9, &[b"a\n\n \r\nb", b"c\nd"]), [line(1, "a"), line(4, "bc"), line(5, "d")]);
        assert_eq!(all(9, &[b"", b"\n"]), []);
    }

    #[test]
    fn a_line_beyond_the_limit_is_told_and_the_next_is_read() {
        assert_eq!(all(3, &[b"abcd", b"efgh\nabc\n", b"abcd"]), [(1, None), line(2, "abc"), (3, None)]);
    }

    proptest! {
        #[test]
        fn where_pieces_end_does_not_matter(text in "[a\n ]{0,60}", cut in 0_usize..60) {
            let cut = cut.min(text.len());
            let (first, second) = text.as_bytes().split_at(cut);
            prop_assert_eq!(all(5, &[first, second]), all(5, &[text.as_bytes()]));
        }
    }
}
