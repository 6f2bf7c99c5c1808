use super::*;
use crate::features::{Feature, FeatureKind, Levels};
use crate::target::{Classes, Target};

fn uniform(random: &mut Random) -> f32 {
    (random.next() >> 40) as f32 / (1_u64 << 24) as f32
}

fn numbers(names: &[&str]) -> Vec<Feature> {
    names.iter().map(|name| Feature { name: (*name).to_owned(), kind: FeatureKind::Number }).collect()
}

fn settings() -> Boosting {
    Boosting { trees: 60, early_stopping: 0, min_leaf: 5, ..Boosting::default() }
}

fn boost(settings: &Boosting, features: &[Feature], columns: &[Encoded], target: &Target) -> BoostedModel {
    let rows = match target {
        Target::Numbers(values) => values.len(),
        Target::Classes(_, codes) => codes.len(),
    };
    let data = TrainingData { features, columns, target, rows };
    fit(settings, &data, 11, &mut |_, _, _| ControlFlow::Continue(())).unwrap()
}

fn two_classes(codes: Vec<u32>) -> Target {
    Target::Classes(Classes::Numbers(vec![0, 1]), codes)
}

#[test]
fn exclusive_or_is_learned() {
    let mut random = Random::new(1, 0);
    let columns: Vec<Vec<f32>> = (0..2).map(|_| (0..2000).map(|_| uniform(&mut random)).collect()).collect();
    let codes = (0..2000).map(|row| u32::from((columns[0][row] > 0.5) != (columns[1][row] > 0.5))).collect();
    let target = two_classes(codes);
    let encoded: Vec<Encoded> = columns.into_iter().map(Encoded::Number).collect();
    let model = boost(&settings(), &numbers(&["a", "b"]), &encoded, &target);
    let Target::Classes(_, codes) = &target else { panic!("no classes") };
    let scores = model.scores(&encoded, 2000);
    let right = scores.iter().zip(codes).filter(|(score, code)| (**score > 0.0) == (**code == 1)).count();
    assert!(right >= 1990, "{right} of 2000");
}

#[test]
fn the_direction_of_missing_values_is_learned() {
    let mut random = Random::new(2, 0);
    let column: Vec<f32> =
        (0..1000).map(|row| if row % 4 == 0 { f32::NAN } else { uniform(&mut random) }).collect();
    // Missing rows behave as the high ones in one case and as the low ones in the other.
    for missing_is_high in [true, false] {
        let high = |value: f32| if value.is_nan() { missing_is_high } else { value > 0.6 };
        let target =
            Target::Numbers(column.iter().map(|&value| if high(value) { 5.0 } else { -5.0 }).collect());
        let columns = [Encoded::Number(column.clone())];
        let model = boost(&settings(), &numbers(&["x"]), &columns, &target);
        let answers = model.scores(&[Encoded::Number(vec![f32::NAN, 0.9, 0.1])], 3);
        assert_eq!(answers[0] > 0.0, missing_is_high, "{answers:?}");
        assert!(answers[1] > 4.9 && answers[2] < -4.9, "{answers:?}");
    }
}

#[test]
fn missing_values_can_stand_alone() {
    let column: Vec<f32> =
        (0..600).map(|row| if row % 3 == 0 { f32::NAN } else { (row % 50) as f32 }).collect();
    let target = Target::Numbers(column.iter().map(|value| f64::from(u8::from(value.is_nan()))).collect());
    let columns = [Encoded::Number(column)];
    let model = boost(&settings(), &numbers(&["x"]), &columns, &target);
    let answers = model.scores(&[Encoded::Number(vec![f32::NAN, 0.0, 1e30])], 3);
    assert!(answers[0] > 0.99 && answers[1] < 0.01 && answers[2] < 0.01, "{answers:?}");
}

#[test]
fn a_first_tree_has_the_answers_of_the_formula() {
    // One split between 1 and 2: gradients of the standardised target, answers -G / (H + lambda).
    let columns = [Encoded::Number([vec![1.0; 30], vec![2.0; 10]].concat())];
    let target = Target::Numbers([vec![0.0; 30], vec![4.0; 10]].concat());
    let settings = Boosting { trees: 1, learning_rate: 1.0, lambda: 2.0, early_stopping: 0, ..settings() };
    let model = boost(&settings, &numbers(&["x"]), &columns, &target);
    let answers = model.scores(&[Encoded::Number(vec![1.0, 2.0])], 2);
    // Mean 1: the sums of residuals are -30 and 30, shrunk by 2 rows each.
    assert!((answers[0] - (1.0 - 30.0 / 32.0)).abs() < 1e-6, "{answers:?}");
    assert!((answers[1] - (1.0 + 30.0 / 12.0)).abs() < 1e-6, "{answers:?}");
}

#[test]
fn categories_are_ordered_by_their_target() {
    let mut random = Random::new(4, 0);
    let codes: Vec<u32> = (0..3000).map(|_| random.below(40) as u32).collect();
    let good = |code: u32| code.wrapping_mul(2_654_435_761).is_multiple_of(3);
    let target = two_classes(codes.iter().map(|&code| u32::from(good(code))).collect());
    let levels = Levels::Numbers((0..40).map(|level| level as f32).collect());
    let features = [Feature { name: "c".into(), kind: FeatureKind::Category(levels) }];
    let settings = Boosting { trees: 20, depth: 1, learning_rate: 0.5, ..settings() };
    let model = boost(&settings, &features, &[Encoded::Category(codes)], &target);
    let scores = model.scores(&[Encoded::Category((0..=40).collect())], 41);
    assert!((0..40).all(|code| (scores[code as usize] > 0.0) == good(code)), "{scores:?}");
    let order = model.orders[0].as_ref().unwrap();
    let mut sorted = order.clone();
    sorted.sort_by(f32::total_cmp);
    assert_eq!(sorted, (0..41).map(|place| place as f32).collect::<Vec<f32>>());
    assert!((1.0..40.0).contains(&order[40]), "an unknown level belongs between good and bad");
}

#[test]
fn three_classes_are_told_apart() {
    let mut random = Random::new(6, 0);
    let columns: Vec<Vec<f32>> = (0..2).map(|_| (0..1500).map(|_| uniform(&mut random)).collect()).collect();
    let codes: Vec<u32> = (0..1500)
        .map(|row| if columns[0][row] < 0.4 { 0 } else { 1 + u32::from(columns[1][row] < 0.5) })
        .collect();
    let encoded: Vec<Encoded> = columns.into_iter().map(Encoded::Number).collect();
    let target = Target::Classes(Classes::Numbers(vec![0, 1, 2]), codes.clone());
    let model = boost(&settings(), &numbers(&["a", "b"]), &encoded, &target);
    let scores = model.scores(&encoded, 1500);
    let right = scores
        .chunks_exact(3)
        .zip(&codes)
        .filter(|(scores, code)| (0..3).all(|class| scores[class] <= scores[**code as usize]))
        .count();
    assert!(right >= 1490, "{right} of 1500");
    assert_eq!(model.trees.len(), 180);
}

#[test]
fn noise_stops_early_and_signal_goes_on() {
    let mut random = Random::new(8, 0);
    let columns: Vec<Vec<f32>> = (0..3).map(|_| (0..2000).map(|_| uniform(&mut random)).collect()).collect();
    let noise: Vec<f64> = (0..2000).map(|_| f64::from(uniform(&mut random))).collect();
    let signal: Vec<f64> = (0..2000).map(|row| f64::from((columns[0][row] * 9.0).sin())).collect();
    let encoded: Vec<Encoded> = columns.into_iter().map(Encoded::Number).collect();
    let settings = Boosting { trees: 200, early_stopping: 10, ..settings() };
    let features = numbers(&["a", "b", "c"]);
    let of_noise = boost(&settings, &features, &encoded, &Target::Numbers(noise)).rounds();
    let of_signal = boost(&settings, &features, &encoded, &Target::Numbers(signal)).rounds();
    assert!(of_noise < 20 && of_signal > 60, "{of_noise} {of_signal}");
}

#[test]
fn the_number_of_threads_changes_nothing_and_the_seed_does() {
    let mut random = Random::new(9, 0);
    let rows = 40_000;
    let columns: Vec<Vec<f32>> = (0..16).map(|_| (0..rows).map(|_| uniform(&mut random)).collect()).collect();
    let values = (0..rows).map(|row| f64::from(columns[0][row] * columns[1][row])).collect();
    let target = Target::Numbers(values);
    let encoded: Vec<Encoded> = columns.into_iter().map(Encoded::Number).collect();
    let features: Vec<Feature> = numbers(&["x"; 16]);
    let with = |threads: usize, seed: u64| {
        let settings = Boosting { trees: 3, threads, row_fraction: 0.7, column_fraction: 0.5, ..settings() };
        let data = TrainingData { features: &features, columns: &encoded, target: &target, rows };
        fit(&settings, &data, seed, &mut |_, _, _| ControlFlow::Continue(())).unwrap()
    };
    assert_eq!(with(1, 5), with(2, 5));
    assert_eq!(with(1, 5), with(3, 5));
    assert_ne!(with(1, 5).trees, with(1, 6).trees);
}

#[test]
fn leaves_and_depth_are_bounded() {
    let mut random = Random::new(10, 0);
    let column: Vec<f32> = (0..4000).map(|_| uniform(&mut random)).collect();
    let target = Target::Numbers(column.iter().map(|&x| f64::from(x * 40.0).sin()).collect());
    let columns = [Encoded::Number(column)];
    for (depth, leaves, most) in [(3, None, 8), (12, Some(10), 10), (1, Some(100), 2)] {
        let settings = Boosting { trees: 2, depth, leaves, ..settings() };
        let model = boost(&settings, &numbers(&["x"]), &columns, &target);
        for tree in &model.trees {
            let leaves = tree.nodes.iter().filter(|node| matches!(node, Node::Leaf(_))).count();
            assert!(leaves <= most && leaves * 2 > most, "{leaves} of {most}");
        }
    }
}

#[test]
fn scores_during_training_are_those_of_the_model() {
    // With a share of the rows, most scores come from walking binned trees: they must be what trees answer.
    let mut random = Random::new(12, 0);
    let column: Vec<f32> =
        (0..900).map(|row| if row % 7 == 0 { f32::NAN } else { uniform(&mut random) }).collect();
    let codes: Vec<u32> = column.iter().map(|&x| u32::from(x.is_nan() || x < 0.3)).collect();
    let (features, columns, target) = (numbers(&["x"]), [Encoded::Number(column)], two_classes(codes));
    let settings = Boosting { row_fraction: 0.3, trees: 5, ..settings() };
    let data = TrainingData { features: &features, columns: &columns, target: &target, rows: 900 };
    let run = Run::new(&settings, &data, 700, 1);
    let mut scores = run.objective.base().repeat(900);
    let (mut grower, mut trees) = (Grower::new(&settings, &run.bins), Vec::new());
    (0..5).for_each(|round| run.round(round, &mut grower, &mut scores, &mut trees));
    let model = run.finish(trees, &run.objective.base(), grower.gains());
    for (training, answered) in scores.iter().zip(model.scores(&columns, 900)) {
        assert!((training - answered).abs() < 1e-6, "{training} {answered}");
    }
}
