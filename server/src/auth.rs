//! Who is asking: API keys and sessions, checked in memory.
//!
//! The keys that work are held as hashes in a map that is swapped when it changes; a request hashes what it was
//! given and looks it up, so no comparison of secrets ever takes place and the database is never asked.

mod session;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use arc_swap::ArcSwap;
use chasqui_registry::artifact::Sha256Hex;
use chasqui_registry::name::Actor;
use chasqui_registry::user::{ApiKey, Role, Secret, hash_of};
use chasqui_registry::{Micros, Registry};
use futures::future::{Ready, ready};
use uuid::Uuid;

pub use session::{COOKIE, Sessions};

use crate::problem::Problem;

/// `last_used_at` is exact to this.
const TOUCH_EVERY: i64 = 60 * Micros::PER_SECOND;

/// Who is asking.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The key's id.
    pub key: Uuid,
    /// The name under which the audit log knows what they do.
    pub actor: Actor,
    /// What they may do.
    pub role: Role,
}

impl Identity {
    /// Refuses when the role is lower than `least`.
    pub fn require(&self, least: Role) -> Result<(), Problem> {
        if self.role >= least {
            return Ok(());
        }
        let (has, needs) = (self.role.as_str(), least.as_str());
        Err(Problem::forbidden(format!("this needs the role {needs}; the key has the role {has}")))
    }
}

/// A key in memory.
#[derive(Debug)]
struct Known {
    identity: Identity,
    used_at: AtomicI64,
}

/// The keys that work.
#[derive(Debug)]
pub struct KeyRing {
    registry: Registry,
    keys: ArcSwap<HashMap<String, Arc<Known>>>,
    /// Browser sessions.
    pub sessions: Sessions,
}

impl KeyRing {
    /// Reads the keys; `secret` signs sessions and is the same on every replica.
    pub async fn open(registry: Registry, secret: &[u8]) -> chasqui_registry::Result<Self> {
        let ring = Self { registry, keys: ArcSwap::default(), sessions: Sessions::new(secret) };
        ring.refresh().await?;
        Ok(ring)
    }

    /// Reads the keys again.
    pub async fn refresh(&self) -> chasqui_registry::Result<()> {
        let live = self.registry.live_keys().await?;
        let old = self.keys.load();
        let unchanged =
            old.len() == live.len() && live.iter().all(|(hash, _)| old.contains_key(hash.as_str()));
        if unchanged {
            return Ok(());
        }
        let known = live.into_iter().map(|(hash, key)| (hash.to_string(), Arc::new(known(&key))));
        self.keys.store(Arc::new(known.collect()));
        Ok(())
    }

    /// Makes sure that an admin can get in: with the key from the configuration, else with a new one, which is
    /// returned to be shown once.
    pub async fn ensure_admin(&self, configured: Option<&str>) -> chasqui_registry::Result<Option<Secret>> {
        let (system, admin) = (Actor::system(), Actor::try_from("admin")?);
        let fresh = match configured {
            Some(text) => {
                self.registry.add_key(&system, &admin, Role::Admin, &Secret::from_outside(text)?).await?;
                None
            }
            None if self.registry.has_admin_key().await? => None,
            None => Some(self.registry.create_key(&system, &admin, Role::Admin).await?.1),
        };
        self.refresh().await?;
        Ok(fresh)
    }

    /// Whose key this is.
    pub fn by_secret(&self, presented: &str) -> Option<Identity> {
        let hash: Sha256Hex = hash_of(presented);
        self.keys.load().get(hash.as_str()).map(|known| self.used(known))
    }

    /// Whose key the value of an `Authorization` header carries; `None` is one that is not text.
    pub fn by_authorization(&self, value: Option<&str>) -> Result<Identity, Problem> {
        let presented = value
            .and_then(bearer)
            .ok_or_else(|| Problem::unauthorized("the Authorization header must be `Bearer <key>`"))?;
        self.by_secret(presented).ok_or_else(|| Problem::unauthorized("this key is not known here"))
    }

    /// The key with this id, if it still works.
    fn by_id(&self, id: Uuid) -> Option<Identity> {
        self.keys.load().values().find(|known| known.identity.key == id).map(|known| self.used(known))
    }

    fn used(&self, known: &Known) -> Identity {
        known.used_at.store(self.registry.now().0, Ordering::Relaxed);
        known.identity.clone()
    }

    /// Writes when keys were last used; not more often than once a minute and key.
    pub async fn write_usage(&self) {
        let keys = self.keys.load_full();
        let now = self.registry.now().0;
        for known in keys.values() {
            let used = known.used_at.load(Ordering::Relaxed);
            let is_recent = used != 0 && now - used < TOUCH_EVERY;
            if is_recent && let Err(error) = self.registry.touch_key(known.identity.key).await {
                tracing::warn!(error = %error, "the last use of a key could not be noted");
            }
        }
    }

    /// Who is asking, by the `Authorization` header, else by the session cookie.
    pub fn identify(&self, method: &Method, headers: &HeaderMap) -> Result<Identity, Problem> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            return self.by_authorization(value.to_str().ok());
        }
        let Some(token) = session::cookie(headers) else {
            return Err(Problem::unauthorized("a key is needed: send `Authorization: Bearer <key>`"));
        };
        let key = self.sessions.check(token, self.registry.now());
        let identity = key.and_then(|key| self.by_id(key));
        let identity =
            identity.ok_or_else(|| Problem::unauthorized("the session has ended; sign in again"))?;
        if !method.is_safe() && !session::is_same_origin(headers) {
            return Err(Problem::forbidden("a session may change things from our own pages only"));
        }
        Ok(identity)
    }

    /// Opens a session for the holder of a key: the value of the `Set-Cookie` header.
    pub fn sign_in(&self, presented: &str, secure: bool) -> Option<String> {
        let identity = self.by_secret(presented)?;
        Some(self.sessions.set_cookie(identity.key, self.registry.now(), secure))
    }
}

fn known(key: &ApiKey) -> Known {
    let identity = Identity { key: key.id, actor: key.name.clone(), role: key.role };
    Known { identity, used_at: AtomicI64::new(0) }
}

/// The credentials of `Bearer <credentials>`; the scheme in any case (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credentials.is_empty()).then_some(credentials)
}

/// Handlers take it to know who is asking; the middleware has put it there.
impl FromRequest for Identity {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let identity = request.extensions().get::<Self>().cloned();
        ready(identity.ok_or_else(|| Problem::unauthorized("a key is needed")))
    }
}

/// Handlers take it to admit admins only.
#[derive(Debug, Clone)]
pub struct Admin(pub Identity);

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let extensions = request.extensions();
        ready(match extensions.get::<Identity>() {
            Some(identity) => identity.require(Role::Admin).map(|()| Self(identity.clone())),
            None => Err(Problem::unauthorized("a key is needed")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
        assert_eq!(bearer("abc"), None);
    }
}
