//! Who may ask: API keys and their roles.
//!
//! A secret has 256 random bits, is shown once and kept only as its SHA-256: with that much entropy a slow
//! password hash would protect nothing and cost every request.

use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::artifact::Sha256Hex;
use crate::db::Tx;
use crate::name::Actor;
use crate::{Error, Micros, Page, PageRequest, Registry, Result, audit, row};

/// What every secret of ours starts with, so that scanners for leaked secrets know it.
pub const SECRET_PREFIX: &str = "chq_";
/// Shortest secret that is accepted from outside.
const MIN_SECRET_CHARS: usize = 8;

/// What a key may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads, and asks for predictions.
    Viewer,
    /// Changes models, services, pipelines and rollouts too.
    Editor,
    /// Hands out keys too.
    Admin,
}

impl Role {
    /// The role's name, as stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Editor => "editor",
            Role::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Role::Viewer, Role::Editor, Role::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| Error::Invalid(format!("the role {text:?} is not viewer, editor or admin")))
    }
}

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// Whose it is, or what for; the audit log knows its acts by this name.
    pub name: Actor,
    /// What it may do.
    pub role: Role,
    /// When it was created.
    pub created_at: Micros,
    /// Who created it.
    pub created_by: Actor,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<Micros>,
    /// When it was revoked.
    pub revoked_at: Option<Micros>,
}

/// The secret of a key. It is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A fresh secret: `chq_` and 64 hexadecimal digits, 256 bits.
    pub fn generate() -> Self {
        let mut bytes = [0_u8; 32];
        rand::rng().fill_bytes(&mut bytes);
        Secret(format!("{SECRET_PREFIX}{}", Sha256Hex::from_digest(&bytes)))
    }

    /// A secret from outside: at least 8 characters, printable, without spaces.
    pub fn from_outside(text: &str) -> Result<Self> {
        if text.len() < MIN_SECRET_CHARS || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Invalid(format!(
                "a key needs at least {MIN_SECRET_CHARS} printable ASCII characters and no spaces"
            )));
        }
        Ok(Secret(text.to_owned()))
    }

    /// The secret in clear, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> Sha256Hex {
        hash_of(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// The hash by which the key of a presented secret is found.
pub fn hash_of(presented: &str) -> Sha256Hex {
    Sha256Hex::of_slice(presented.as_bytes())
}

impl Registry {
    /// Creates a key; the secret is not stored and cannot be read again.
    pub async fn create_key(&self, actor: &Actor, name: &Actor, role: Role) -> Result<(ApiKey, Secret)> {
        let secret = Secret::generate();
        let key = self.add_key(actor, name, role, &secret).await?;
        Ok((key, secret))
    }

    /// Creates a key whose secret was made elsewhere. The same secret again gives the key it already has, if
    /// that has the same role and was not revoked.
    pub async fn add_key(&self, actor: &Actor, name: &Actor, role: Role, secret: &Secret) -> Result<ApiKey> {
        let now = self.now();
        let key = ApiKey {
            id: now.new_id(),
            name: name.clone(),
            role,
            created_at: now,
            created_by: actor.clone(),
            last_used_at: None,
            revoked_at: None,
        };
        let mut tx = self.db.begin().await?;
        if !insert(&mut tx, &key, &secret.hash()).await? {
            return same_key(find(&mut tx, &secret.hash()).await?, role);
        }
        record(&mut tx, actor, "key.create", &key, now).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// The key with this hash ([`hash_of`] what was presented), unless it was revoked.
    pub async fn find_key(&self, hash: &Sha256Hex) -> Result<Option<ApiKey>> {
        let row = sqlx::query("SELECT * FROM api_keys WHERE hash = $1 AND revoked_at IS NULL")
            .bind(hash.as_str())
            .fetch_optional(self.db.pool())
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// Keys, oldest first, revoked ones too.
    pub async fn list_keys(&self, page: &PageRequest) -> Result<Page<ApiKey>> {
        let rows = sqlx::query("SELECT * FROM api_keys WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(page.after_text())
            .bind(page.fetch_limit())
            .fetch_all(self.db.pool())
            .await?;
        let keys = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(Page::of_rows(keys, page, |key| key.id.to_string()))
    }

    /// Every key that works, with its hash: what a server keeps in memory to check requests without asking.
    pub async fn live_keys(&self) -> Result<Vec<(Sha256Hex, ApiKey)>> {
        let rows = sqlx::query("SELECT * FROM api_keys WHERE revoked_at IS NULL ORDER BY id")
            .fetch_all(self.db.pool())
            .await?;
        rows.iter().map(|row| Ok((row::parsed(row, "hash")?, from_row(row)?))).collect()
    }

    /// Whether any admin key works: if none does, nobody can make one.
    pub async fn has_admin_key(&self) -> Result<bool> {
        let row = sqlx::query("SELECT id FROM api_keys WHERE role = 'admin' AND revoked_at IS NULL LIMIT 1")
            .fetch_optional(self.db.pool())
            .await?;
        Ok(row.is_some())
    }

    /// Revokes a key for good. The last admin key stays: without it nobody could make another.
    pub async fn revoke_key(&self, actor: &Actor, id: Uuid) -> Result<()> {
        let now = self.now();
        let mut tx = self.db.begin().await?;
        // Locks the keys of all admins, so that two of them cannot revoke each other at the same moment.
        sqlx::query(
            "UPDATE api_keys SET last_used_at = last_used_at WHERE role = 'admin' AND revoked_at IS NULL",
        )
        .execute(&mut *tx)
        .await?;
        let row = sqlx::query("SELECT * FROM api_keys WHERE id = $1 AND revoked_at IS NULL")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let key = from_row(&row.ok_or_else(|| Error::not_found("key", id))?)?;
        let admins = sqlx::query("SELECT COUNT(*) FROM api_keys WHERE role = 'admin' AND revoked_at IS NULL")
            .fetch_one(&mut *tx)
            .await?;
        if key.role == Role::Admin && row::aggregate(&admins)? == Some(1) {
            return Err(Error::Conflict("this is the last admin key; create another first".into()));
        }
        sqlx::query("UPDATE api_keys SET revoked_at = $1 WHERE id = $2")
            .bind(now.0)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        record(&mut tx, actor, "key.revoke", &key, now).await?;
        tx.commit().await
    }

    /// Notes that a key is in use. Not audited; call it at most once a minute and key.
    pub async fn touch_key(&self, id: Uuid) -> Result<()> {
        sqlx::query("UPDATE api_keys SET last_used_at = $1 WHERE id = $2")
            .bind(self.now().0)
            .bind(id.to_string())
            .execute(self.db.pool())
            .await?;
        Ok(())
    }
}

async fn insert(tx: &mut Tx, key: &ApiKey, hash: &Sha256Hex) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO api_keys (id, name, role, hash, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (hash) DO NOTHING",
    )
    .bind(key.id.to_string())
    .bind(key.name.as_str())
    .bind(key.role.as_str())
    .bind(hash.as_str())
    .bind(key.created_at.0)
    .bind(key.created_by.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn find(tx: &mut Tx, hash: &Sha256Hex) -> Result<ApiKey> {
    let row = sqlx::query("SELECT * FROM api_keys WHERE hash = $1")
        .bind(hash.as_str())
        .fetch_one(&mut **tx)
        .await?;
    from_row(&row)
}

fn same_key(existing: ApiKey, role: Role) -> Result<ApiKey> {
    if existing.revoked_at.is_some() {
        return Err(Error::Conflict("this secret belongs to a revoked key; use another".into()));
    }
    if existing.role != role {
        let present = existing.role.as_str();
        return Err(Error::Conflict(format!(
            "this secret belongs to a key with the role {present}; use another"
        )));
    }
    Ok(existing)
}

async fn record(tx: &mut Tx, actor: &Actor, action: &'static str, key: &ApiKey, now: Micros) -> Result<()> {
    let entry = audit::Entry {
        actor,
        action,
        subject: format!("key:{}", key.id),
        before: None,
        after: Some(json!({ "name": key.name, "role": key.role })),
        reason: "",
    };
    audit::record(tx, now, entry).await.map(|_| ())
}

fn from_row(row: &AnyRow) -> Result<ApiKey> {
    Ok(ApiKey {
        id: Uuid::parse_str(&row::text(row, "id")?).map_err(Error::internal)?,
        name: row::parsed(row, "name")?,
        role: row::text(row, "role")?.parse()?,
        created_at: row::micros(row, "created_at")?,
        created_by: row::parsed(row, "created_by")?,
        last_used_at: row::optional_micros(row, "last_used_at")?,
        revoked_at: row::optional_micros(row, "revoked_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Role, Secret, hash_of};

    #[test]
    fn roles_are_ordered_and_named() {
        assert!(Role::Viewer < Role::Editor && Role::Editor < Role::Admin);
        assert_eq!("editor".parse::<Role>().unwrap(), Role::Editor);
        assert!("root".parse::<Role>().is_err());
        assert_eq!(serde_json::to_string(&Role::Admin).unwrap(), r#""admin""#);
    }

    #[test]
    fn a_secret_has_256_bits_and_keeps_quiet() {
        let (one, other) = (Secret::generate(), Secret::generate());
        assert_eq!(one.expose().len(), 4 + 64);
        assert_ne!(one, other);
        assert_eq!(format!("{one:?}"), "Secret(…)");
        assert_eq!(one.hash(), hash_of(one.expose()));
        assert!(Secret::from_outside("short").is_err());
        assert!(Secret::from_outside("with a space in it").is_err());
    }
}
