//! The area under the ROC curve, of labels or of probabilities of a label.

/// Area under the ROC curve of scores whose rows are positive with the given probability: a row of probability `p`
/// counts as `p` positives and `1 − p` negatives. With probabilities 0 and 1 it is the ordinary area; equal scores
/// share their ranks. Rows without a finite score or probability are passed over. None when either side is empty.
pub fn area_under_roc(scores: &[f64], positive: &[f64]) -> Option<f64> {
    let groups = groups(scores, positive);
    let (positives, negatives) = groups.iter().fold((0.0, 0.0), |sum, g| (sum.0 + g.0, sum.1 + g.1));
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let mut below = 0.0;
    let mut won = 0.0;
    for (group_positives, group_negatives) in groups {
        won += group_positives * (below + group_negatives / 2.0);
        below += group_negatives;
    }
    Some((won / (positives * negatives)).clamp(0.0, 1.0))
}

/// Variance of the share of the other class that a row of the rarer class is ranked above, and that class's share
/// of the rows: the area's sampling error on `n` rows is √(variance / (n · share)). None when a class is empty.
///
/// As NannyML does, by the variance of the placements of one class (DeLong, DeLong & Clarke-Pearson 1988), that of
/// the other being left out; rows of equal score share their ranks here.
pub(super) fn placements(scores: &[f64], labels: &[bool]) -> Option<(f64, f64)> {
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let flip = positives > labels.len() as f64 / 2.0;
    let truth: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label != flip))).collect();
    let oriented: Vec<f64> = scores.iter().map(|score| if flip { -score } else { *score }).collect();
    let groups = groups(&oriented, &truth);
    let (rare, common) = groups.iter().fold((0.0, 0.0), |sum, g| (sum.0 + g.0, sum.1 + g.1));
    if rare <= 0.0 || common <= 0.0 {
        return None;
    }
    let (mut below, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (group_rare, group_common) in groups {
        let placement = (below + group_common / 2.0) / common;
        sum += group_rare * placement;
        squares += group_rare * placement * placement;
        below += group_common;
    }
    let mean = sum / rare;
    Some(((squares / rare - mean * mean).max(0.0), rare / (rare + common)))
}

/// Positives and negatives of each distinct score, the lowest score first.
fn groups(scores: &[f64], positive: &[f64]) -> Vec<(f64, f64)> {
    let usable = |row: &(f64, f64)| row.0.is_finite() && row.1.is_finite();
    let mut rows: Vec<(f64, f64)> =
        scores.iter().copied().zip(positive.iter().copied()).filter(usable).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let same_score = |a: &(f64, f64), b: &(f64, f64)| a.0 == b.0;
    rows.chunk_by(same_score)
        .map(|group| {
            let positives: f64 = group.iter().map(|row| row.1).sum();
            (positives, group.len() as f64 - positives)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{area_under_roc, placements};

    #[test]
    fn known_areas() {
        let labels = [0.0, 0.0, 1.0, 1.0];
        assert_eq!(area_under_roc(&[0.1, 0.4, 0.35, 0.8], &labels), Some(0.75));
        assert_eq!(area_under_roc(&[0.5; 4], &labels), Some(0.5));
        assert_eq!(area_under_roc(&[1.0, 2.0, 3.0, 4.0], &labels), Some(1.0));
        assert_eq!(area_under_roc(&[1.0, 2.0], &[1.0, 1.0]), None);
        assert_eq!(area_under_roc(&[f64::NAN, 2.0], &[1.0, 0.0]), None);
    }

    #[test]
    fn a_coin_for_a_label_is_half_right() {
        let area = area_under_roc(&[0.1, 0.2, 0.3], &[0.5; 3]).unwrap();
        assert!((area - 0.5).abs() < 1e-12);
    }

    #[test]
    fn placements_do_not_depend_on_which_class_is_called_positive() {
        let scores = [0.1, 0.4, 0.35, 0.8, 0.7];
        let labels = [false, true, false, true, false];
        let (variance, share) = placements(&scores, &labels).unwrap();
        let flipped: Vec<f64> = scores.iter().map(|score| 1.0 - score).collect();
        let not: Vec<bool> = labels.iter().map(|label| !label).collect();
        let (variance_flipped, share_flipped) = placements(&flipped, &not).unwrap();
        assert!((variance - variance_flipped).abs() < 1e-12);
        assert_eq!(share, share_flipped);
        assert!(placements(&scores, &[true; 5]).is_none());
    }
}
