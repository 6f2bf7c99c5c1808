//! What every black-box test starts from: the real binary on a folder of its own, and a client for it.
//! The tests live in `api/` (one module per route or promise), `contract/`, `journeys/` and `load/`.

mod document;
mod peers;
mod server;

pub use peers::{chromium, postgres_database, python, s3_bucket, s3_endpoint};
pub use server::{ADMIN_KEY, Answer, Server, ServerBuilder, binary};
