//! One field's rule: whether a value is as expected, and what it should have been.

use std::collections::{HashMap, HashSet};

use chasqui_registry::service::{Category, FieldExpectation, Format, Mode, loosely};
use chasqui_runtime::DataType;

use super::format::{self, Flaw, Form};

/// A value, wherever it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Given<'a> {
    /// `null`, NaN or an empty text.
    Missing,
    /// A number; flags are 0 and 1.
    Number(f64),
    /// A text.
    Text(&'a str),
}

impl<'a> Given<'a> {
    /// A text; the empty one is missing, because ONNX has no other.
    pub(super) fn text(text: &'a str) -> Self {
        if text.is_empty() { Given::Missing } else { Given::Text(text) }
    }

    /// A number; NaN is missing.
    pub(super) fn number(number: f64) -> Self {
        if number.is_nan() { Given::Missing } else { Given::Number(number) }
    }
}

/// The part of a rule that a value breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The model cannot take a value of this type.
    Type,
    /// The record does not have the field.
    Absent,
    /// There is no value.
    Required,
    /// It is too small.
    Min,
    /// It is too great.
    Max,
    /// It is not in the list.
    Categories,
    /// It is not written as it should be.
    Format(Flaw),
    /// It is too long.
    MaxLength,
}

impl Broken {
    /// The name in answers and metrics, as it is declared.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Broken::Type => "type",
            Broken::Absent | Broken::Required => "required",
            Broken::Min => "min",
            Broken::Max => "max",
            Broken::Categories => "categories",
            Broken::Format(_) => "format",
            Broken::MaxLength => "max_length",
        }
    }
}

/// A value put right.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fixed {
    /// For a field of numbers.
    Number(f64),
    /// For a field of texts.
    Text(String),
}

/// What is expected of one field.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// The field's name.
    pub name: String,
    /// The type of the input that takes it.
    pub datatype: DataType,
    /// What becomes of a value that breaks it.
    pub mode: Mode,
    /// Whether values are never repeated in answers.
    pub is_personal: bool,
    /// The least number.
    pub min: f64,
    /// The greatest number.
    pub max: f64,
    /// The closed list.
    pub categories: Option<Categories>,
    /// How it is written.
    pub format: Option<Format>,
    /// Most characters.
    pub max_length: usize,
    is_required: bool,
}

/// A closed list.
#[derive(Debug, Clone)]
pub(super) enum Categories {
    /// In rising order.
    Numbers(Vec<f64>),
    /// Texts.
    Texts {
        /// In the order of the declaration.
        listed: Vec<String>,
        /// The same, to look up.
        exact: HashSet<String>,
        /// By what they are but for case and spaces; empty unless values are put right.
        loose: HashMap<String, usize>,
    },
}

impl Rule {
    /// Compiles a declaration.
    pub(super) fn new(
        name: &str,
        datatype: DataType,
        field: &FieldExpectation,
        mode: Mode,
        is_personal: bool,
    ) -> Self {
        Self {
            name: name.to_owned(),
            datatype,
            mode,
            is_personal,
            min: field.min.unwrap_or(f64::NEG_INFINITY),
            max: field.max.unwrap_or(f64::INFINITY),
            categories: field.categories.as_deref().map(|list| Categories::new(list, mode)),
            format: field.format,
            max_length: field.max_length.map_or(usize::MAX, |length| length as usize),
            is_required: field.required,
        }
    }

    /// Looks at a value. `slack` is the share of a bound by which the number may be off because it was rounded on
    /// its way: see [`slack`].
    pub(super) fn check(&self, given: Given<'_>, slack: f64) -> Result<Form, Broken> {
        match given {
            Given::Missing if self.is_required => Err(Broken::Required),
            Given::Missing => Ok(Form::Normal),
            Given::Number(number) => self.check_number(number, slack),
            Given::Text(text) => self.check_text(text),
        }
    }

    fn check_number(&self, number: f64, slack: f64) -> Result<Form, Broken> {
        if let Some(Categories::Numbers(list)) = &self.categories {
            let place = list.partition_point(|listed| listed + listed.abs() * slack < number);
            let is_listed =
                list.get(place).is_some_and(|listed| (listed - number).abs() <= listed.abs() * slack);
            if !is_listed {
                return Err(Broken::Categories);
            }
        }
        // With no bound, infinity times nothing is no number, and no number is below or above it.
        if number < self.min - self.min.abs() * slack {
            return Err(Broken::Min);
        }
        if number > self.max + self.max.abs() * slack {
            return Err(Broken::Max);
        }
        if self.format == Some(Format::ProvinceCode) && !format::is_province(number) {
            return Err(Broken::Format(Flaw::Shape));
        }
        Ok(Form::Normal)
    }

    fn check_text(&self, text: &str) -> Result<Form, Broken> {
        // A text has at least as many bytes as characters.
        if text.len() > self.max_length && text.chars().count() > self.max_length {
            return Err(Broken::MaxLength);
        }
        if let Some(Categories::Texts { exact, .. }) = &self.categories
            && !exact.contains(text)
        {
            return Err(Broken::Categories);
        }
        self.format.map_or(Ok(Form::Normal), |format| format::read(format, text).map_err(Broken::Format))
    }

    /// What a value certainly means, as this field takes it; `None` when that is in doubt or breaks the rule still.
    pub(super) fn fix(&self, given: Given<'_>) -> Option<Fixed> {
        if self.datatype != DataType::Bytes {
            let Given::Text(text) = given else { return None };
            let number = match self.format {
                Some(Format::DecimalComma) => format::number::with_comma(text.trim()),
                _ => format::number::certain(text),
            }?;
            return self.check(Given::number(number), 0.0).is_ok().then_some(Fixed::Number(number));
        }
        let text = match given {
            Given::Text(text) => self.fix_text(text)?,
            // A whole number below 2^53 has one decimal text; what it was before is lost with its leading zeros.
            Given::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                self.fix_text(&format!("{number}"))?
            }
            _ => return None,
        };
        (self.check(Given::text(&text), 0.0) == Ok(Form::Normal)).then_some(Fixed::Text(text))
    }

    fn fix_text(&self, text: &str) -> Option<String> {
        if let Some(Categories::Texts { listed, loose, .. }) = &self.categories {
            return loose.get(&loosely(text)).map(|place| listed[*place].clone());
        }
        match self.format {
            Some(format) => format::normal(format, text),
            None => Some(text.trim().to_owned()),
        }
    }
}

/// The share by which numbers of a type may be off a declared decimal: half a unit in the last place (IEEE 754).
pub(super) fn slack(datatype: DataType) -> f64 {
    match datatype {
        DataType::Fp16 => 1.0 / 2048.0,
        DataType::Fp32 => 1.0 / 16_777_216.0,
        _ => 0.0,
    }
}

impl Categories {
    fn new(list: &[Category], mode: Mode) -> Self {
        let mut numbers = Vec::new();
        let mut listed = Vec::new();
        for category in list {
            match category {
                Category::Number(number) => numbers.push(*number),
                Category::Text(text) => listed.push(text.clone()),
            }
        }
        if listed.is_empty() {
            numbers.sort_unstable_by(f64::total_cmp);
            return Categories::Numbers(numbers);
        }
        let exact = listed.iter().cloned().collect();
        let places = listed.iter().enumerate().map(|(place, text)| (loosely(text), place));
        let loose = if mode == Mode::Coerce { places.collect() } else { HashMap::new() };
        Categories::Texts { listed, exact, loose }
    }
}
