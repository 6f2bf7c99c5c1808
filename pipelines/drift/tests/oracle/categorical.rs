//! Every test of categorical columns against the oracle.

use chasqui_drift::{
    CategoryPair, ColumnData, CompareOptions, ComparedColumn, DefaultTests, Table, Test, compare,
    compare_tables,
};
use serde_json::Value;

use crate::{
    checker::Checker,
    files::{columns_of, expected, folder},
};

/// What is not compared, and why.
const EXCEPTIONS: [(&str, &str); 12] = [
    ("kind", "describes the pair"),
    ("seed", "describes the pair"),
    ("description", "describes the pair"),
    ("file", "describes the pair"),
    ("chi2_contingency/yates_if_2x2", "Yates' correction makes the test conservative; it is not used"),
    ("chi2_gof_evidently", "takes the reference for the truth: p = 0 for one unseen category"),
    ("evidently/chisquare/score", "as above"),
    ("evidently/g_test", "as above, and refuses samples of different size"),
    ("nannyml/chi2", "with Yates' correction for two categories; without it chi2_contingency"),
    // With more than two categories Evidently tests the first against all others; we have no answer.
    ("evidently/z", "compared for two categories"),
    ("evidently/TVD/score", "a permutation p-value"),
    ("evidently/fisher_exact/error", "no answer for more than two categories"),
];

#[test]
fn every_value_of_the_categorical_pairs() {
    let Some(folder) = folder() else { return };
    let expected = expected(&folder);
    let mut compared = 0;
    for (name, expected) in expected["pairs"].as_object().unwrap() {
        if expected["kind"] == "numeric" {
            continue;
        }
        let (before, after) = columns_of(&folder, name);
        let before: Vec<Option<&str>> = before.iter().map(Option::as_deref).collect();
        let after: Vec<Option<&str>> = after.iter().map(Option::as_deref).collect();
        let check = Checker::new(name, expected);
        let table = counts(&check, &before, &after);
        homogeneity(&check, &table);
        distances(&check, &table);
        if check.has("fisher_exact") {
            two_values(&check, &table);
        }
        evidently(&check, &before, &after);
        check.finish(&EXCEPTIONS);
        compared += 1;
    }
    assert_eq!(compared, 2);
}

fn counts(check: &Checker, before: &[Option<&str>], after: &[Option<&str>]) -> Table {
    let pair = CategoryPair::of(before, after);
    let table = pair.counts().unwrap();
    let categories = check.take("categories").as_array().unwrap();
    let categories: Vec<String> =
        categories.iter().map(|category| category.as_str().unwrap().to_lowercase()).collect();
    let ours: Vec<String> = pair.values().iter().map(|value| value.to_lowercase()).collect();
    assert_eq!(ours, categories);
    check.counts("ref_counts", table.before());
    check.counts("cur_counts", table.after());
    for (side, column, counts) in [("ref", before, table.before()), ("cur", after, table.after())] {
        let missing = column.iter().filter(|value| value.is_none()).count();
        check.equal(&format!("{side}/rows"), column.len());
        check.equal(&format!("{side}/missing"), missing);
        check.equal(&format!("{side}/n"), counts.iter().sum::<u64>());
        check.equal(&format!("{side}/n_unique"), counts.iter().filter(|count| **count > 0).count());
    }
    let only = |one: &[u64], other: &[u64]| -> Vec<Value> {
        let cells = one.iter().zip(other).zip(pair.values());
        cells
            .filter(|((one, other), _)| **one > 0 && **other == 0)
            .map(|(_, value)| (*value).into())
            .collect()
    };
    check.equal("unseen_categories", Value::from(only(table.after(), table.before())));
    check.equal("vanished_categories", Value::from(only(table.before(), table.after())));
    let unseen: u64 =
        table.after().iter().zip(table.before()).filter(|(_, p)| **p == 0).map(|(q, _)| q).sum();
    check.close("unseen_share", unseen as f64 / table.after().iter().sum::<u64>() as f64);
    table
}

fn homogeneity(check: &Checker, table: &Table) {
    let path = "chi2_contingency/no_correction";
    let (result, freedom) = table.unpooled_chi_squared();
    check.close(&format!("{path}/statistic"), result.statistic);
    check.p(&format!("{path}/p"), result.p_value);
    check.equal(&format!("{path}/dof"), freedom);
    // No expected count is below five here: pooling changes nothing.
    assert_eq!(table.chi_squared(), Some(result));
    let (result, freedom) = table.unpooled_likelihood_ratio();
    check.close("g_test_contingency/statistic", result.statistic);
    check.p("g_test_contingency/p", result.p_value);
    check.equal("g_test_contingency/dof", freedom);
    assert_eq!(table.likelihood_ratio(), Some(result));
    check.close("cramers_v", table.cramers_v());
}

fn distances(check: &Checker, table: &Table) {
    check.close("psi", table.psi());
    check.close("kl_ref_cur", table.kullback_leibler());
    check.close("kl_cur_ref", table.reversed().kullback_leibler());
    check.close("js_distance_base2", table.jensen_shannon());
    check.close("js_distance_nat", table.jensen_shannon() * std::f64::consts::LN_2.sqrt());
    check.close("hellinger", table.hellinger());
    check.close("tvd", table.total_variation());
    check.close("l_infinity", table.largest_difference());
    check.close("nannyml/jensen_shannon_base2/value", table.jensen_shannon());
    check.close("nannyml/hellinger/value", table.hellinger());
    check.close("nannyml/l_infinity/value", table.largest_difference());
}

fn two_values(check: &Checker, table: &Table) {
    let rows = [table.after(), table.before()].map(|counts| vec![counts[1], counts[0]]);
    check.equal("fisher_exact/table_cur_ref_x_one_zero", Value::from(rows.map(Value::from).to_vec()));
    let result = table.fisher_exact().unwrap();
    check.close("fisher_exact/odds_ratio", result.odds_ratio.unwrap());
    check.p("fisher_exact/p_two_sided", result.p_value);
    check.p("fisher_exact/p_less", result.fall_p);
    check.p("fisher_exact/p_greater", result.rise_p);
    let result = table.proportions().unwrap();
    check.close("z_test_proportions/z", result.statistic);
    check.p("z_test_proportions/p_two_sided", result.p_value);
    check.p("z_test_proportions/p_evidently_1_minus_cdf", result.p_value);
    check.p("evidently/z/score", result.p_value);
}

fn evidently(check: &Checker, before: &[Option<&str>], after: &[Option<&str>]) {
    let (reference, current) = (ColumnData::Categories(before), ColumnData::Categories(after));
    for name in check.keys("evidently") {
        let path = format!("evidently/{name}");
        if name == "__default__" {
            let column = ComparedColumn { name: "x", reference, current };
            let options = CompareOptions { defaults: DefaultTests::Evidently, ..CompareOptions::default() };
            let comparison = compare_tables(&[column], &options);
            let tests: Vec<String> = comparison.columns["x"].tests.keys().map(Test::to_string).collect();
            check.equal(&path, tests[0].as_str());
            continue;
        }
        let test: Test = name.parse().unwrap();
        let answer = &compare(reference, current, &[test], 7)[0].1;
        let score_path = format!("{path}/score");
        match (test, answer.score) {
            (Test::Proportions | Test::FisherExact, None) => {
                assert!(check.keys(&path).contains(&"error".into()) || test == Test::Proportions);
                continue;
            }
            (_, None) => panic!("{path}: {answer:?}"),
            (Test::LikelihoodRatio, Some(_)) => continue,
            (Test::ChiSquared, Some(_)) => {}
            (Test::TotalVariation, Some(_)) => {
                let theirs = check.take(&score_path).as_f64().unwrap();
                if (0.01..=0.3).contains(&theirs) {
                    check.take(&path);
                    continue;
                }
            }
            (Test::Proportions | Test::FisherExact, Some(score)) => check.p(&score_path, score),
            (_, Some(score)) => check.close(&score_path, score),
        }
        check.decision(&path, answer);
    }
}
