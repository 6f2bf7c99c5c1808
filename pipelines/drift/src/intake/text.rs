//! A column of free text taken in row by row.

use super::RowSample;
use crate::text_content::MOST_CHARACTERS;

/// Texts kept; the domain classifier looks at half as many.
const MOST_TEXTS: usize = 10_000;

/// A column of free text: a sample of the texts that are there, each as long as it is looked at.
#[derive(Clone, Debug)]
pub struct TextColumn {
    rows: u64,
    sample: RowSample,
    texts: Vec<Box<str>>,
}

impl TextColumn {
    /// An empty column; the seed draws the texts that are kept.
    pub fn new(seed: u64) -> Self {
        Self { rows: 0, sample: RowSample::new(MOST_TEXTS, seed), texts: Vec::new() }
    }

    /// Takes a row in; `None` is a missing value.
    pub fn add(&mut self, text: Option<&str>) {
        self.rows += 1;
        let Some(text) = text else { return };
        self.sample.offer(1).apply(&mut self.texts, |_| {
            let end = text.char_indices().nth(MOST_CHARACTERS).map_or(text.len(), |(place, _)| place);
            text[..end].into()
        });
    }

    /// Rows, missing ones included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows without a text.
    pub fn missing(&self) -> u64 {
        self.rows - self.sample.seen()
    }

    /// The kept texts.
    pub fn texts(&self) -> Vec<Option<&str>> {
        self.texts.iter().map(|text| Some(text.as_ref())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::TextColumn;

    #[test]
    fn texts_are_kept_up_to_the_limit_and_cut() {
        let mut column = TextColumn::new(1);
        for row in 0..30_000 {
            column.add((row % 2 == 0).then_some("ñandú ".repeat(1000)).as_deref());
        }
        assert_eq!((column.rows(), column.missing(), column.texts().len()), (30_000, 15_000, 10_000));
        assert_eq!(column.texts()[0].unwrap().chars().count(), 2_000);
    }
}
