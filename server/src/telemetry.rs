//! Logs: JSON lines for machines, text on a terminal. Request ids are made here.
//!
//! Nothing secret is ever a field: keys, cookies and bodies are not logged anywhere.

use std::io::IsTerminal;

use actix_web::http::header::HeaderValue;
use rand::RngExt;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, ConfigError, LogFormat};

/// The header that carries a request's id in and out.
pub const REQUEST_ID: &str = "x-request-id";

/// The target of log lines about panics.
pub const PANIC: &str = "chasqui::panic";

/// Longest request id taken from a caller.
const MAX_REQUEST_ID: usize = 128;

/// Installs the global subscriber; a second call changes nothing.
pub fn install(config: &Config) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| ConfigError(format!("`log` is wrong: {error}; `info` is a good value")))?;
    let json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    std::panic::set_hook(Box::new(|panic| {
        // A panic inside a model is contained and counted where it is caught; here it is one line, not a page.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(target: PANIC, place, "panicked: {message}");
    }));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An embedding program may have its own subscriber; then ours is not needed.
    let _ = if json {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    Ok(())
}

/// The caller's request id when it is a decent one, else a new one.
pub fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    match given {
        Some(id) if is_decent(id.as_bytes()) => id.clone(),
        _ => new_request_id(),
    }
}

fn is_decent(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.iter().all(u8::is_ascii_graphic)
}

fn new_request_id() -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let random: u128 = rand::rng().random();
    let mut text = [0_u8; 32];
    for (position, digit) in text.iter_mut().enumerate() {
        *digit = DIGITS[(random >> (4 * position)) as usize & 15];
    }
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_decent_id_and_replaces_the_rest() {
        let given = HeaderValue::from_static("order-17");
        assert_eq!(request_id(Some(&given)), given);
        let long = "x".repeat(129);
        for bad in ["", "a b", long.as_str()] {
            let bad = HeaderValue::from_str(bad).expect("visible text is a header value");
            assert_eq!(request_id(Some(&bad)).len(), 32, "{bad:?}");
        }
        assert_ne!(request_id(None), request_id(None));
    }
}
