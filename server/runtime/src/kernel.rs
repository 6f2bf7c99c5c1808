//! The operators of `ai.onnx.ml`, evaluated over our own arrays.
//!
//! They serve both engines: the native plan runs them directly, tract through a wrapper.

mod dot;
mod encoders;
mod features;
mod linear;
mod scaling;
mod support_vectors;

use tract_onnx::pb::NodeProto;

use crate::ModelError;
use crate::array::{Array, Results};
use crate::attributes::Attributes;
use crate::classes::Classes;
use crate::forest::classifier::Classifier;
use crate::forest::regressor::Regressor;
pub(crate) use encoders::CategoryMapper;
use encoders::{LabelEncoder, OneHotEncoder};
use features::FeatureVectorizer;
pub(crate) use features::concat;
use linear::{LinearClassifier, LinearRegressor};
use scaling::{Binarizer, Imputer, Normalizer, Scaler};
use support_vectors::{VectorClassifier, VectorRegressor};

/// One operator with its checked parameters.
#[derive(Debug)]
pub(crate) enum Kernel {
    TreeClassifier(Classifier),
    TreeRegressor(Regressor),
    LinearClassifier(LinearClassifier),
    LinearRegressor(LinearRegressor),
    VectorClassifier(VectorClassifier),
    VectorRegressor(VectorRegressor),
    Scaler(Scaler),
    Imputer(Imputer),
    Normalizer(Normalizer),
    Binarizer(Binarizer),
    LabelEncoder(LabelEncoder),
    CategoryMapper(CategoryMapper),
    OneHotEncoder(OneHotEncoder),
    ArrayFeatureExtractor,
    FeatureVectorizer(FeatureVectorizer),
    /// Hands its input on: maps of class to probability are given out as the table beneath them.
    ZipMap,
}

/// Names of the operators that [`Kernel::read`] knows.
pub(crate) const OPERATORS: [&str; 17] = [
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "LinearClassifier",
    "LinearRegressor",
    "SVMClassifier",
    "SVMRegressor",
    "Scaler",
    "Imputer",
    "Normalizer",
    "Binarizer",
    "LabelEncoder",
    "CategoryMapper",
    "OneHotEncoder",
    "ArrayFeatureExtractor",
    "FeatureVectorizer",
    "ZipMap",
];

impl Kernel {
    /// Reads an operator; `None` when it is not one of [`OPERATORS`]. `double` says that the graph computes in
    /// double precision somewhere, which decides how trees compare.
    pub(crate) fn read(node: &NodeProto, double: bool) -> Result<Option<Kernel>, ModelError> {
        let attributes = Attributes(node);
        Ok(Some(match node.op_type.as_str() {
            "TreeEnsemble" => Kernel::TreeRegressor(Regressor::read_ensemble(attributes, double)?),
            "TreeEnsembleClassifier" => Kernel::TreeClassifier(Classifier::read(attributes, double)?),
            "TreeEnsembleRegressor" => Kernel::TreeRegressor(Regressor::read(attributes, double)?),
            "LinearClassifier" => Kernel::LinearClassifier(LinearClassifier::read(attributes)?),
            "LinearRegressor" => Kernel::LinearRegressor(LinearRegressor::read(attributes)?),
            "SVMClassifier" => Kernel::VectorClassifier(VectorClassifier::read(attributes)?),
            "SVMRegressor" => Kernel::VectorRegressor(VectorRegressor::read(attributes)?),
            "Scaler" => Kernel::Scaler(Scaler::read(attributes)?),
            "Imputer" => Kernel::Imputer(Imputer::read(attributes)?),
            "Normalizer" => Kernel::Normalizer(Normalizer::read(attributes)?),
            "Binarizer" => Kernel::Binarizer(Binarizer::read(attributes)),
            "LabelEncoder" => match CategoryMapper::of_positions(attributes)? {
                Some(mapper) => Kernel::CategoryMapper(mapper),
                None => Kernel::LabelEncoder(LabelEncoder::read(attributes)?),
            },
            "CategoryMapper" => Kernel::CategoryMapper(CategoryMapper::read(attributes)?),
            "OneHotEncoder" => Kernel::OneHotEncoder(OneHotEncoder::read(attributes)?),
            "ArrayFeatureExtractor" => Kernel::ArrayFeatureExtractor,
            "FeatureVectorizer" => Kernel::FeatureVectorizer(FeatureVectorizer::read(attributes)?),
            "ZipMap" => Kernel::ZipMap,
            _ => return Ok(None),
        }))
    }

    /// Computes the outputs. Shapes that do not fit are [`ModelError::Input`].
    pub(crate) fn evaluate<'a>(&self, inputs: &[Array<'a>]) -> Result<Results<'a>, ModelError> {
        let input =
            inputs.first().ok_or_else(|| ModelError::Invalid("an operator has no input".to_owned()))?;
        let result = match self {
            Kernel::TreeClassifier(classifier) => {
                return Ok(classifier.evaluate(input)?.into_iter().collect());
            }
            Kernel::LinearClassifier(classifier) => {
                return Ok(classifier.evaluate(input)?.into_iter().collect());
            }
            Kernel::VectorClassifier(classifier) => {
                return Ok(classifier.evaluate(input)?.into_iter().collect());
            }
            Kernel::TreeRegressor(regressor) => regressor.evaluate(input)?,
            Kernel::VectorRegressor(regressor) => regressor.evaluate(input)?,
            Kernel::LinearRegressor(regressor) => regressor.evaluate(input)?,
            Kernel::Scaler(scaler) => scaler.evaluate(input)?,
            Kernel::Imputer(imputer) => imputer.evaluate(input)?,
            Kernel::Normalizer(normalizer) => normalizer.evaluate(input)?,
            Kernel::Binarizer(binarizer) => binarizer.evaluate(input)?,
            Kernel::LabelEncoder(encoder) => encoder.evaluate(input)?,
            Kernel::CategoryMapper(mapper) => mapper.evaluate(input)?,
            Kernel::OneHotEncoder(encoder) => encoder.evaluate(input)?,
            Kernel::ArrayFeatureExtractor => features::extract(inputs)?,
            Kernel::FeatureVectorizer(vectorizer) => vectorizer.evaluate(inputs)?,
            Kernel::ZipMap => input.clone(),
        };
        Ok([result].into_iter().collect())
    }

    /// The class labels, of a classifier.
    pub(crate) fn classes(&self) -> Option<&Classes> {
        match self {
            Kernel::TreeClassifier(classifier) => Some(classifier.classes()),
            Kernel::LinearClassifier(classifier) => Some(classifier.classes()),
            Kernel::VectorClassifier(classifier) => Some(classifier.classes()),
            _ => None,
        }
    }

    /// Columns that the operator reads, where it says.
    pub(crate) fn columns(&self) -> Option<usize> {
        match self {
            Kernel::TreeClassifier(classifier) => Some(classifier.forest().features()),
            Kernel::TreeRegressor(regressor) => Some(regressor.forest().features()),
            Kernel::LinearClassifier(classifier) => Some(classifier.columns()),
            Kernel::LinearRegressor(regressor) => Some(regressor.columns()),
            Kernel::VectorClassifier(classifier) => Some(classifier.columns()),
            Kernel::VectorRegressor(regressor) => Some(regressor.columns()),
            _ => None,
        }
    }

    /// Bytes kept in memory beyond the enum itself, where they matter.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Kernel::TreeClassifier(classifier) => classifier.forest().memory_bytes(),
            Kernel::TreeRegressor(regressor) => regressor.forest().memory_bytes(),
            Kernel::LinearClassifier(classifier) => classifier.memory_bytes(),
            Kernel::LinearRegressor(regressor) => regressor.memory_bytes(),
            Kernel::VectorClassifier(classifier) => classifier.memory_bytes(),
            Kernel::VectorRegressor(regressor) => regressor.memory_bytes(),
            Kernel::LabelEncoder(encoder) => encoder.memory_bytes(),
            Kernel::CategoryMapper(mapper) => mapper.memory_bytes(),
            Kernel::OneHotEncoder(encoder) => encoder.categories() * 64,
            _ => 0,
        }
    }
}
