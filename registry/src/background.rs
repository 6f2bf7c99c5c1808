//! Work that must not take the processor from requests: on a thread of its own, of the lowest priority.
//!
//! Threads that it starts are of the same priority. Not for short work: a thread costs some 20 µs.

use crate::{Error, Result};

/// Of the 40 levels of Unix the one that yields to all others.
const LOWEST: i32 = 19;

/// Does `work` and waits for it. Dropped, the work goes on and nobody learns of its end.
///
/// # Errors
/// `Internal` when it panics or no thread can be started.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let (sender, done) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("background".into());
    let spawned = thread.spawn(move || {
        yield_to_others();
        // Whoever waited may be gone.
        let _ = sender.send(work());
    });
    spawned.map_err(Error::internal)?;
    done.await.map_err(|_| Error::internal("the work in the background panicked"))
}

fn yield_to_others() {
    // Linux gives every thread a priority of its own; elsewhere it would be the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST) {
        tracing::debug!(error = %error, "the priority of a background thread cannot be lowered");
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn it_yields_to_others_and_panics_are_errors() {
        let priority = super::run(|| rustix::process::getpriority_process(None)).await.unwrap();
        assert_eq!(priority, Ok(super::LOWEST));
        assert_eq!(rustix::process::getpriority_process(None), Ok(0));
        let panicked = super::run(|| panic!("by design")).await;
        assert!(panicked.is_err());
    }
}
