//! The file of transactions as store-days beside each store's own past.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use jiff::Span;
use jiff::civil::Date;

/// Days of the past that a day is measured by, and how many of them must be known.
const PAST: i32 = 28;
const FEWEST: usize = 21;

/// One store on one day.
pub(crate) struct StoreDay {
    pub(crate) date: Date,
    pub(crate) store: String,
    /// Transactions beside the mean of the store's four weeks before; 1 is as usual.
    pub(crate) level: f64,
}

/// Every store-day with four weeks behind it, in the order of time. None, said aloud, when the file is not there.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn store_days() -> Option<Vec<StoreDay>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/favorita/transactions.csv");
    if !path.is_file() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    let text = fs::read_to_string(path).unwrap();
    let mut sold: BTreeMap<&str, BTreeMap<Date, f64>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let mut cells = line.split(',');
        let (date, store, count) = (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap());
        sold.entry(store).or_default().insert(date.parse().unwrap(), count.trim().parse().unwrap());
    }
    let mut days: Vec<StoreDay> = sold.iter().flat_map(|(store, days)| of_store(store, days)).collect();
    days.sort_by(|a, b| a.date.cmp(&b.date).then_with(|| a.store.cmp(&b.store)));
    Some(days)
}

fn of_store(store: &str, days: &BTreeMap<Date, f64>) -> Vec<StoreDay> {
    let mut found = Vec::new();
    for (date, count) in days {
        let past: Vec<f64> = (1..=PAST)
            .filter_map(|back| days.get(&date.checked_sub(Span::new().days(back)).ok()?))
            .copied()
            .collect();
        if past.len() >= FEWEST {
            let level = count / (past.iter().sum::<f64>() / past.len() as f64);
            found.push(StoreDay { date: *date, store: store.to_owned(), level });
        }
    }
    found
}
