//! What the records of one service version look like: whose they are and what their inputs are called.

use chasqui_runtime::{FeatureKind, Signature};
use sha2::{Digest, Sha256};

use super::record::{Cursor, put_text};
use crate::name::{ModelName, ServiceName};

/// One input of the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureColumn {
    /// Its name.
    pub name: String,
    /// Whether it holds numbers or texts.
    pub kind: FeatureKind,
    /// Whether its values are logged as pseudonyms only.
    pub personal: bool,
}

impl FeatureColumn {
    /// Whether the log holds texts for it: pseudonyms always are.
    pub(crate) fn is_text(&self) -> bool {
        self.personal || matches!(self.kind, FeatureKind::Text)
    }
}

/// What the records of one service version look like; made once, when the version starts to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    service: ServiceName,
    model: ModelName,
    version: i64,
    features: Vec<FeatureColumn>,
    key_is_personal: bool,
    encoded: Vec<u8>,
    digest: u64,
}

impl Shape {
    /// A shape of named inputs; `key_is_personal` makes the log hold the keys' pseudonyms.
    pub fn new(
        service: ServiceName,
        model: ModelName,
        version: i64,
        features: Vec<FeatureColumn>,
        key_is_personal: bool,
    ) -> Self {
        let mut encoded = Vec::new();
        put_text(&mut encoded, service.as_str());
        put_text(&mut encoded, model.as_str());
        encoded.extend_from_slice(&version.to_le_bytes());
        encoded.push(u8::from(key_is_personal));
        encoded.extend_from_slice(&(features.len() as u32).to_le_bytes());
        for feature in &features {
            put_text(&mut encoded, &feature.name);
            encoded
                .push(u8::from(matches!(feature.kind, FeatureKind::Text)) | u8::from(feature.personal) << 1);
        }
        let hash = Sha256::digest(&encoded);
        let digest = hash.iter().take(8).fold(0, |digest, &byte| digest << 8 | u64::from(byte));
        Self { service, model, version, features, key_is_personal, encoded, digest }
    }

    /// The shape of a model's signature. `personal` names the inputs that are personal; the key is when it is
    /// taken from one of them.
    pub fn of_signature(
        service: &ServiceName,
        model: &ModelName,
        version: i64,
        signature: &Signature,
        personal: &Personal<'_>,
    ) -> Self {
        let is_personal = |name: &str| personal.columns.iter().any(|column| column == name);
        let features = signature.features.iter().map(|feature| FeatureColumn {
            name: feature.name.clone(),
            kind: feature.kind,
            personal: is_personal(&feature.name),
        });
        let key_is_personal = personal.key_field.is_some_and(is_personal);
        Self::new(service.clone(), model.clone(), version, features.collect(), key_is_personal)
    }

    /// The service that answered.
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// The model that answered.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The version that answered.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The inputs, in the order of the records.
    pub fn features(&self) -> &[FeatureColumn] {
        &self.features
    }

    /// Whether keys are logged as pseudonyms only.
    pub fn key_is_personal(&self) -> bool {
        self.key_is_personal
    }

    pub(crate) fn is_personal(&self, feature: usize) -> bool {
        self.features.get(feature).is_some_and(|feature| feature.personal)
    }

    /// Identifies the shape in records: the first eight bytes of its SHA-256.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let service = ServiceName::try_from(cursor.text()?).ok()?;
        let model = ModelName::try_from(cursor.text()?).ok()?;
        let version = i64::from_le_bytes(cursor.array()?);
        let key_is_personal = cursor.byte()? == 1;
        // A feature takes five bytes at least: a larger count is damage, not a reason to reserve memory.
        let count = cursor.length().filter(|&count| count <= cursor.rest.len() / 5)?;
        let mut features = Vec::with_capacity(count);
        for _ in 0..count {
            let name = cursor.text()?.to_owned();
            let flags = cursor.byte()?;
            let kind = if flags & 1 == 1 { FeatureKind::Text } else { FeatureKind::Number };
            features.push(FeatureColumn { name, kind, personal: flags & 2 == 2 });
        }
        cursor.rest.is_empty().then(|| Self::new(service, model, version, features, key_is_personal))
    }
}

/// What a service declares as personal.
#[derive(Debug, Clone, Copy)]
pub struct Personal<'a> {
    /// Names of inputs.
    pub columns: &'a [String],
    /// The input or field that the entity's key is taken from.
    pub key_field: Option<&'a str>,
}
