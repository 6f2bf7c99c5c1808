//! Drift of free text: a domain classifier over hashed words, pairs of words and letter trigrams.

use std::collections::BTreeMap;

use crate::{DomainResult, NotApplicable, domain::classify, reference::fnv1a};

/// Positions that n-grams are hashed to (Weinberger et al. 2009).
const WIDTH: usize = 1 << 16;
/// Characters of a text that are looked at.
pub(crate) const MOST_CHARACTERS: usize = 2_000;

/// Whether current texts can be told from reference ones by their words. Missing texts take no part; `seed` splits
/// the rows.
pub fn text_content(
    reference: &[Option<&str>],
    current: &[Option<&str>],
    seed: u64,
) -> Result<DomainResult, NotApplicable> {
    let texts: [Vec<&str>; 2] = [reference, current].map(|column| column.iter().flatten().copied().collect());
    classify([texts[0].len(), texts[1].len()], WIDTH, seed, |side, row| {
        let mut counts: BTreeMap<u32, f32> = BTreeMap::new();
        for gram in grams(texts[side][row]) {
            *counts.entry(gram).or_default() += 1.0;
        }
        // Repetition counts less and less; every text has length 1.
        for count in counts.values_mut() {
            *count = 1.0 + count.ln();
        }
        let length = counts.values().map(|count| count * count).sum::<f32>().sqrt();
        counts.into_iter().map(|(gram, count)| (gram, count / length)).collect()
    })
}

/// Hashes of the lower-cased words, of their pairs and of their letter trigrams.
fn grams(text: &str) -> Vec<u32> {
    let text: String = text.chars().take(MOST_CHARACTERS).flat_map(char::to_lowercase).collect();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut grams: Vec<u32> = words.iter().map(|word| position("w", word)).collect();
    grams.extend(words.windows(2).map(|pair| position("p", &pair.join(" "))));
    for word in &words {
        let letters: Vec<char> = std::iter::once(' ').chain(word.chars()).chain([' ']).collect();
        grams.extend(letters.windows(3).map(|three| position("t", &three.iter().collect::<String>())));
    }
    grams
}

fn position(kind: &str, gram: &str) -> u32 {
    let hash = fnv1a(kind.as_bytes()) ^ fnv1a(gram.as_bytes()).rotate_left(17);
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u32 % WIDTH as u32
}

#[cfg(test)]
mod tests {
    use super::text_content;
    use crate::NotApplicable;

    fn complaints(words: &[&str], rows: usize) -> Vec<String> {
        (0..rows)
            .map(|row| {
                let word = |step: usize| words[(row * step + row / 7) % words.len()];
                format!("el {} de mi {} no {}", word(3), word(5), word(11))
            })
            .collect()
    }

    fn borrowed(texts: &[String]) -> Vec<Option<&str>> {
        texts.iter().map(|text| Some(text.as_str())).collect()
    }

    #[test]
    fn the_same_texts_are_not_told_apart_and_new_ones_are() {
        let usual = ["pedido", "pago", "tarjeta", "llega", "cuenta", "funciona", "saldo"];
        let other = ["vuelo", "hotel", "maleta", "reserva", "sale", "aparece", "abre"];
        let (before, same, new) = (complaints(&usual, 400), complaints(&usual, 300), complaints(&other, 300));
        let unchanged = text_content(&borrowed(&before), &borrowed(&same), 1).unwrap();
        assert!((unchanged.auc - 0.5).abs() < 0.1 && unchanged.p_value > 0.01, "{unchanged:?}");
        let changed = text_content(&borrowed(&before), &borrowed(&new), 1).unwrap();
        assert!(changed.auc > 0.99 && changed.p_value < 1e-12, "{changed:?}");
    }

    #[test]
    fn few_texts_have_no_answer() {
        assert_eq!(
            text_content(&[Some("hola"); 3], &[Some("hola"); 9], 1),
            Err(NotApplicable::TooFewRows(10))
        );
        assert_eq!(text_content(&[None; 30], &[Some("hola"); 30], 1), Err(NotApplicable::EmptyReference));
        // Texts without a letter.
        let silent = text_content(&[Some("…"); 30], &[Some(""); 30], 1).unwrap();
        assert_eq!(silent.auc, 0.5);
    }
}
