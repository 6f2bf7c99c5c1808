//! From (service, key, time) to prediction ids.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::{Outcome, Target};
use crate::name::ServiceName;
use crate::prediction_log::{Log, PredictionKey, PredictionRange, prediction_keys};
use crate::{Micros, Registry, Result};

/// How far from the stated time a prediction may be.
const REACH_SECONDS: i64 = 24 * 3600;

type Resolved<'a> = Vec<(Uuid, &'a Outcome)>;

/// Gives every outcome its prediction, in the order of the call, and the places of those without one.
pub(super) async fn resolve<'a>(
    registry: &Registry,
    log: Option<&Log>,
    outcomes: &'a [Outcome],
) -> Result<(Resolved<'a>, Vec<usize>)> {
    let mut logged = HashMap::new();
    for (service, (keys, range)) in wanted(log, outcomes) {
        let found = prediction_keys(registry, log, &range, &keys).await?;
        logged.insert(service, by_key(found));
    }
    let mut resolved = Vec::with_capacity(outcomes.len());
    let mut unmatched = Vec::new();
    for (place, outcome) in outcomes.iter().enumerate() {
        let id = match &outcome.target {
            Target::Prediction(id) => Some(*id),
            Target::Key { service, key, at } => logged.get(service).and_then(|keys| {
                let pseudonym = log.map(|log| log.pseudonymiser().pseudonym(key));
                let clear = nearest(keys.get(key), *at);
                clear.or_else(|| nearest(keys.get(&pseudonym?), *at))
            }),
        };
        match id {
            Some(id) => resolved.push((id, outcome)),
            None => unmatched.push(place),
        }
    }
    Ok((resolved, unmatched))
}

/// For each service the keys that are looked for, as given and as pseudonyms, and the span to look in.
fn wanted(
    log: Option<&Log>,
    outcomes: &[Outcome],
) -> BTreeMap<ServiceName, (HashSet<String>, PredictionRange)> {
    let mut wanted: BTreeMap<ServiceName, (HashSet<String>, PredictionRange)> = BTreeMap::new();
    for outcome in outcomes {
        let Target::Key { service, key, at } = &outcome.target else { continue };
        let from = at.plus_seconds(-REACH_SECONDS);
        let to = Micros(at.plus_seconds(REACH_SECONDS).0.saturating_add(1));
        let (keys, range) = wanted
            .entry(service.clone())
            .or_insert_with(|| (HashSet::new(), PredictionRange { service: service.clone(), from, to }));
        range.from = range.from.min(from);
        range.to = range.to.max(to);
        keys.extend(log.map(|log| log.pseudonymiser().pseudonym(key)));
        keys.insert(key.clone());
    }
    wanted
}

fn by_key(found: Vec<PredictionKey>) -> HashMap<String, Vec<(Micros, Uuid)>> {
    let mut keys: HashMap<String, Vec<(Micros, Uuid)>> = HashMap::new();
    for PredictionKey { id, at, key } in found {
        keys.entry(key).or_default().push((at, id));
    }
    keys
}

/// The prediction nearest to a time; of two as near, the earlier.
fn nearest(predictions: Option<&Vec<(Micros, Uuid)>>, at: Micros) -> Option<Uuid> {
    let distance = |logged: &Micros| logged.0.abs_diff(at.0);
    let reach = (REACH_SECONDS * Micros::PER_SECOND) as u64;
    let near = predictions?.iter().filter(|(logged, _)| distance(logged) <= reach);
    near.min_by_key(|(logged, id)| (distance(logged), *logged, *id)).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::nearest;
    use crate::Micros;

    #[test]
    fn takes_the_nearest_within_a_day() {
        let hour = 3_600_000_000;
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let predictions = vec![(Micros(0), a), (Micros(10 * hour), b)];
        assert_eq!(nearest(Some(&predictions), Micros(4 * hour)), Some(a));
        assert_eq!(nearest(Some(&predictions), Micros(5 * hour)), Some(a));
        assert_eq!(nearest(Some(&predictions), Micros(6 * hour)), Some(b));
        assert_eq!(nearest(Some(&predictions), Micros(34 * hour)), Some(b));
        assert_eq!(nearest(Some(&predictions), Micros(34 * hour + 1)), None);
        assert_eq!(nearest(None, Micros(0)), None);
    }
}
