//! Tables to train on.

use std::path::PathBuf;

use chasqui_trainer::{Column, ColumnData, Table};

/// Random numbers without a dependency: xorshift64* (Vigna 2016).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.uniform() * bound as f64) as usize
    }
}

pub(super) fn number(name: &str, values: Vec<f64>) -> Column {
    Column { name: name.into(), data: ColumnData::Number(values) }
}

pub(super) fn text(name: &str, values: Vec<Option<String>>) -> Column {
    Column { name: name.into(), data: ColumnData::Text(values) }
}

pub(super) fn time(name: &str, values: Vec<Option<i64>>) -> Column {
    Column { name: name.into(), data: ColumnData::Time(values) }
}

/// A file of the shared data folder, when there is one beside the workspace.
pub(super) fn shared(file: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(file);
    path.exists().then_some(path)
}

/// Reads a CSV file; columns whose cells are all numbers or empty become numbers.
pub(super) fn read_csv(path: &std::path::Path) -> Table {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut cells: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len()];
    for record in reader.records() {
        for (column, cell) in cells.iter_mut().zip(record.unwrap().iter()) {
            column.push(Some(cell.to_owned()).filter(|cell| !cell.trim().is_empty()));
        }
    }
    let column = |(name, cells): (String, Vec<Option<String>>)| {
        let numbers: Option<Vec<f64>> =
            cells.iter().map(|cell| cell.as_ref().map_or(Some(f64::NAN), |cell| cell.parse().ok())).collect();
        match numbers {
            Some(numbers) => number(&name, numbers),
            None => text(&name, cells),
        }
    };
    Table::new(names.into_iter().zip(cells).map(column).collect()).unwrap()
}

/// Shop-like rows: two numbers with gaps, a text category, a numeric one, and targets for every task.
pub(super) fn shop(rows: usize, seed: u64) -> Table {
    let mut random = Random(seed);
    let cities = ["Quito", "Guayaquil", "Cuenca", "Loja", "Manta"];
    let (mut price, mut year, mut city, mut store) = (vec![], vec![], vec![], vec![]);
    let (mut sales, mut bought, mut size, mut day) = (vec![], vec![], vec![], vec![]);
    for row in 0..rows {
        let cost = random.uniform() * 20.0 + 1.0;
        let when = 2013.0 + (5 * row / rows) as f64;
        let place = random.below(cities.len());
        let shop = [3.0, 14.0, 27.0, 44.0][random.below(4)];
        let level = 400.0 + 30.0 * (when - 2013.0) - 12.0 * cost
            + 80.0 * place as f64
            + if shop > 20.0 && cost > 10.0 { 150.0 } else { 0.0 };
        let noise = (random.uniform() - 0.5) * 60.0;
        price.push(if random.uniform() < 0.1 { f64::NAN } else { cost });
        year.push(when);
        city.push((random.uniform() > 0.05).then(|| cities[place].to_owned()));
        store.push(shop);
        sales.push(level + noise);
        bought.push(Some(if level + noise > 520.0 { "sí" } else { "no" }.to_owned()));
        size.push(((level + noise) / 200.0).floor().clamp(1.0, 3.0));
        day.push(Some(row as i64 * 86_400_000_000));
    }
    Table::new(vec![
        number("price", price),
        number("year", year),
        text("city", city),
        number("store", store),
        number("sales", sales),
        text("bought", bought),
        number("size", size),
        time("day", day),
    ])
    .unwrap()
}
