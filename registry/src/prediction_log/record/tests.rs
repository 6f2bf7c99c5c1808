use chasqui_runtime::{FeatureKind, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::*;
use crate::name::{ModelName, ServiceName};
use crate::prediction_log::shape::FeatureColumn;

const MARK: u32 = 0x1234_5679;

fn key() -> Pseudonymiser {
    Pseudonymiser::new(b"secret")
}

fn shape(inputs: usize, personal: bool) -> Shape {
    let feature = |place: usize| FeatureColumn {
        name: format!("entrada ñ {place}"),
        kind: if place.is_multiple_of(2) { FeatureKind::Number } else { FeatureKind::Text },
        personal: personal && place == 0,
    };
    let (service, model) = (ServiceName::try_from("s").unwrap(), ModelName::try_from("m").unwrap());
    Shape::new(service, model, 3, (0..inputs).map(feature).collect(), personal)
}

fn text(rng: &mut StdRng, pool: &[String]) -> Option<usize> {
    rng.random_bool(0.7).then(|| rng.random_range(0..pool.len()))
}

fn value<'a>(rng: &mut StdRng, pool: &'a [String]) -> Value<'a> {
    match rng.random_range(0..3) {
        0 => Value::Missing,
        1 => Value::Number(rng.random::<f64>() * 1e6 - 5e5),
        _ => Value::Text(&pool[rng.random_range(0..pool.len())]),
    }
}

fn random<'a>(rng: &mut StdRng, pool: &'a [String], inputs: usize) -> Record<'a> {
    let arm = if rng.random() { Arm::Canary } else { Arm::Stable };
    Record {
        id: Uuid::from_u128(rng.random()),
        at: Micros(rng.random()),
        latency_us: rng.random(),
        rollout: rng.random_bool(0.5).then(|| RolloutMark {
            id: Uuid::from_u128(rng.random()),
            segment: rng.random(),
            arm,
        }),
        key: text(rng, pool).map(|place| pool[place].as_str()),
        request_id: text(rng, pool).map(|place| pool[place].as_str()),
        inputs: (0..inputs).map(|_| value(rng, pool)).collect(),
        label: value(rng, pool),
        score: rng.random_bool(0.5).then(|| rng.random()),
        value: rng.random_bool(0.5).then(|| rng.random()),
        error: rng.random(),
    }
}

fn pool() -> Vec<String> {
    let mark = MARK.to_le_bytes().map(char::from).iter().collect();
    vec![String::new(), "Quito".into(), "Bahía de Caráquez 🏖".into(), "x".repeat(3000), mark]
}

#[test]
fn any_record_comes_back_as_it_went() {
    let (mut rng, pool) = (StdRng::seed_from_u64(1), pool());
    for inputs in (0..40).cycle().take(2000) {
        let (shape, record) = (shape(inputs, false), random(&mut rng, &pool, inputs));
        let mut bytes = Vec::new();
        assert!(encode_shape(&mut bytes, MARK, &shape));
        assert!(encode(&mut bytes, MARK, &shape, &record, &key()));
        let mut frames = Frames::new(MARK, &bytes);
        assert_eq!(decode_shape(frames.next().unwrap()).unwrap(), shape);
        assert_eq!(decode_record(frames.next().unwrap()).unwrap(), (shape.digest(), record));
        assert!(frames.next().is_none());
        assert_eq!(frames.damaged_bytes(), 0);
    }
}

#[test]
fn any_damage_costs_only_what_it_touches() {
    let (mut rng, pool, shape) = (StdRng::seed_from_u64(2), pool(), shape(5, false));
    for _ in 0..2000 {
        let records: Vec<Record> = (0..4).map(|_| random(&mut rng, &pool, 5)).collect();
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for record in &records {
            assert!(encode(&mut bytes, MARK, &shape, record, &key()));
            ends.push(bytes.len());
        }
        let place = rng.random_range(0..bytes.len());
        bytes[place] ^= 1 << rng.random_range(0..8);
        let hit = ends.iter().position(|&end| place < end).unwrap();
        let kept: Vec<Record> =
            Frames::new(MARK, &bytes).filter_map(decode_record).map(|(_, record)| record).collect();
        let expected: Vec<Record> =
            records.into_iter().enumerate().filter(|(at, _)| *at != hit).map(|(_, record)| record).collect();
        assert_eq!(kept, expected);
    }
}

#[test]
fn any_cut_keeps_what_is_whole() {
    let (mut rng, pool, shape) = (StdRng::seed_from_u64(3), pool(), shape(3, false));
    let mut bytes = Vec::new();
    let mut ends = vec![0];
    for _ in 0..6 {
        assert!(encode(&mut bytes, MARK, &shape, &random(&mut rng, &pool, 3), &key()));
        ends.push(bytes.len());
    }
    for cut in 0..=bytes.len() {
        let whole = ends.iter().rposition(|&end| end <= cut).unwrap();
        let mut frames = Frames::new(MARK, &bytes[..cut]);
        assert_eq!(frames.by_ref().count(), whole);
        assert_eq!(frames.damaged_bytes(), cut - ends[whole]);
    }
}

#[test]
fn no_bytes_make_the_decoders_panic() {
    let mut rng = StdRng::seed_from_u64(4);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..rng.random_range(0..200)).map(|_| rng.random()).collect();
        if let Some(first) = bytes.first_mut() {
            *first = rng.random_range(0..4);
        }
        let _ = decode_record(&bytes);
        let _ = decode_shape(&bytes);
        assert!(Frames::new(MARK, &bytes).count() <= 1);
    }
}

#[test]
fn personal_values_and_keys_leave_as_pseudonyms() {
    let (shape, pool) = (shape(2, true), pool());
    let mut record = random(&mut StdRng::seed_from_u64(5), &pool, 2);
    record.inputs = vec![Value::Text("1712345678"), Value::Text("público")];
    record.key = Some("1712345678");
    record.label = Value::Missing;
    record.request_id = None;
    let mut bytes = Vec::new();
    assert!(encode(&mut bytes, MARK, &shape, &record, &key()));
    assert!(!bytes.windows(10).any(|window| window == b"1712345678"));
    let (_, logged) = decode_record(Frames::new(MARK, &bytes).next().unwrap()).unwrap();
    let pseudonym = key().pseudonym("1712345678");
    assert_eq!(logged.key, Some(pseudonym.as_str()));
    assert_eq!(logged.inputs, [Value::Text(&pseudonym), Value::Text("público")]);
}

#[test]
fn an_outsized_record_is_not_written() {
    let (shape, long, pool) = (shape(1, false), "x".repeat(MAX_PAYLOAD + 1), pool());
    let mut record = random(&mut StdRng::seed_from_u64(6), &pool, 1);
    record.inputs = vec![Value::Text(&long)];
    let mut bytes = vec![7];
    assert!(!encode(&mut bytes, MARK, &shape, &record, &key()));
    assert_eq!(bytes, [7]);
}
