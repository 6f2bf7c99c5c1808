//! A chain of shops that does not exist, in cities that do: a day of it at a time, for ever.
//!
//! Sales follow the weekday, the quincena, the national holidays, promotions and prices. From the day of the
//! shock on, prices are higher, customers buy less than prices alone explain, and more by promotion.

use chasqui_drift::calendar::Calendar;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// City, province, shops in it, their usual size beside the others'.
const PLACES: [(&str, &str, usize, f64); 16] = [
    ("Quito", "Pichincha", 7, 1.5),
    ("Guayaquil", "Guayas", 7, 1.6),
    ("Cuenca", "Azuay", 4, 1.2),
    ("Santo Domingo", "Santo Domingo de los Tsáchilas", 3, 1.0),
    ("Ambato", "Tungurahua", 3, 1.0),
    ("Manta", "Manabí", 2, 1.0),
    ("Portoviejo", "Manabí", 2, 0.8),
    ("Machala", "El Oro", 2, 0.9),
    ("Loja", "Loja", 2, 0.8),
    ("Riobamba", "Chimborazo", 2, 0.8),
    ("Ibarra", "Imbabura", 1, 0.9),
    ("Esmeraldas", "Esmeraldas", 1, 0.7),
    ("Latacunga", "Cotopaxi", 1, 0.7),
    ("Quevedo", "Los Ríos", 1, 0.7),
    ("Babahoyo", "Los Ríos", 1, 0.6),
    ("Tena", "Napo", 1, 0.5),
];

/// Product family, its units beside the others', how much a promotion lifts it, how prices lower it.
const FAMILIES: [(&str, f64, f64, f64); 5] = [
    ("alimentos", 3.0, 1.25, -0.8),
    ("bebidas", 1.8, 1.5, -1.4),
    ("limpieza", 1.0, 1.4, -1.0),
    ("cuidado personal", 0.7, 1.45, -1.2),
    ("hogar", 0.5, 1.7, -1.8),
];

/// What the model may know of a shop's family on a day before it begins, and what was sold in the end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Such as `T07`.
    pub(super) store: String,
    /// The shop's province.
    pub(super) province: &'static str,
    /// The product family.
    pub(super) family: &'static str,
    /// Monday is 1.
    pub(super) day_of_week: i8,
    /// Salaries were paid today or yesterday.
    pub(super) payday: bool,
    /// Nobody works by law.
    pub(super) holiday: bool,
    /// The family is on promotion in this shop.
    pub(super) promotion: bool,
    /// Mean price beside the year's usual, 1 = as usual.
    pub(super) price: f64,
    /// Units a day that the year's plan expects.
    pub(super) plan: f64,
    /// Units sold.
    pub(super) units: f64,
}

#[derive(Debug)]
struct Line {
    store: String,
    province: &'static str,
    family: usize,
    base: f64,
}

/// The chain, standing at the morning of a day.
#[derive(Debug)]
pub(super) struct Chain {
    lines: Vec<Line>,
    today: Date,
    shock: Option<Date>,
    random: StdRng,
}

impl Chain {
    /// The chain on the morning of `first`.
    pub(super) fn new(first: Date, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut lines = Vec::new();
        let mut number = 0;
        for (_, province, shops, size) in PLACES {
            for _ in 0..shops {
                number += 1;
                let size = size * random.random_range(0.75..1.25);
                for (family, (_, units, ..)) in FAMILIES.iter().enumerate() {
                    let base = 60.0 * size * units * random.random_range(0.85..1.15);
                    let store = format!("T{number:02}");
                    lines.push(Line { store, province, family, base });
                }
            }
        }
        Self { lines, today: first, shock: None, random }
    }

    /// The day that [`Chain::next_day`] tells next.
    pub(super) fn today(&self) -> Date {
        self.today
    }

    /// Lets the economic shock begin this morning.
    pub(super) fn begin_shock(&mut self) {
        self.shock = Some(self.today);
    }

    /// What was known this morning of every shop and family, and what they sold; it is the next morning then.
    pub(super) fn next_day(&mut self) -> Vec<Row> {
        let (today, shocked) = (self.today, self.shock.is_some());
        let payday = is_payday(today);
        let holiday = Calendar::default().is_day_off(today);
        let mut rows = Vec::with_capacity(self.lines.len());
        for line in &mut self.lines {
            let (family, _, lift, elasticity) = FAMILIES[line.family];
            let promotion = self.random.random_bool(0.2);
            let price = (if shocked { 1.16 } else { 1.0 }) + normal(&mut self.random) * 0.03;
            let lift = if shocked { lift * 1.2 } else { lift };
            let expected = line.base
                * weekday_factor(today.weekday())
                * season_factor(today)
                * if payday { 1.18 } else { 1.0 }
                * if holiday { 0.7 } else { 1.0 }
                * if promotion { lift } else { 1.0 }
                * price.powf(elasticity)
                * if shocked { 0.78 } else { 1.0 };
            let units = (expected * (normal(&mut self.random) * 0.08).exp()).round();
            rows.push(Row {
                store: line.store.clone(),
                province: line.province,
                family,
                day_of_week: today.weekday().to_monday_one_offset(),
                payday,
                holiday,
                promotion,
                price: (price * 1e4).round() / 1e4,
                plan: line.base.round(),
                units,
            });
        }
        self.today = today.saturating_add(1.day());
        rows
    }
}

/// A standard normal number (Box and Muller 1958, eq. 1).
fn normal(random: &mut StdRng) -> f64 {
    let u: f64 = random.random_range(f64::MIN_POSITIVE..1.0);
    let v: f64 = random.random();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn weekday_factor(day: Weekday) -> f64 {
    match day {
        Weekday::Monday => 0.9,
        Weekday::Tuesday => 0.85,
        Weekday::Wednesday => 0.88,
        Weekday::Thursday => 0.92,
        Weekday::Friday => 1.05,
        Weekday::Saturday => 1.3,
        Weekday::Sunday => 1.1,
    }
}

/// December sells more, January less.
fn season_factor(day: Date) -> f64 {
    match (day.month(), day.day()) {
        (12, 10..=24) => 1.45,
        (12, _) => 1.15,
        (1, _) => 0.88,
        _ => 1.0,
    }
}

/// The quincena and the end of the month, and the day after each.
fn is_payday(day: Date) -> bool {
    matches!(day.day(), 15 | 16 | 1) || day == day.last_of_month()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::Chain;

    #[test]
    fn shops_keep_the_holidays_of_the_calendar() {
        let of = |day| Chain::new(day, 7).next_day().remove(0).holiday;
        assert!(of(date(2026, 2, 16)), "Monday of Carnival");
        assert!(of(date(2026, 4, 3)), "Good Friday");
        // Sunday 24 May 2026 is kept on the Monday.
        assert_eq!([of(date(2026, 5, 24)), of(date(2026, 5, 25))], [false, true]);
        assert!(!of(date(2026, 3, 3)));
    }

    #[test]
    fn the_same_seed_sells_the_same() {
        let (mut a, mut b) = (Chain::new(date(2026, 3, 1), 7), Chain::new(date(2026, 3, 1), 7));
        assert_eq!(a.today(), date(2026, 3, 1));
        assert_eq!(a.next_day(), b.next_day());
    }

    #[test]
    fn the_shock_raises_prices_and_lowers_sales() {
        let mut chain = Chain::new(date(2026, 3, 2), 7);
        let mean = |rows: &[super::Row], of: fn(&super::Row) -> f64| {
            rows.iter().map(of).sum::<f64>() / rows.len() as f64
        };
        let before = chain.next_day();
        chain.begin_shock();
        let after = chain.next_day();
        assert!(mean(&after, |r| r.price) > mean(&before, |r| r.price) + 0.1);
        assert!(mean(&after, |r| r.units) < mean(&before, |r| r.units) * 0.85);
    }
}
