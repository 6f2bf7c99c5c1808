//! A bounded queue between the threads that answer and the one that counts.
//!
//! Its bound is in rows, because a request may bring one row or ten thousand. When it is full, whoever brings
//! more waits for a moment: losing a count silently would make drift and rollouts wrong.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Items with the number of rows that each stands for.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    drained: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    rows: usize,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue for about `capacity` rows.
    pub(super) fn new(capacity: usize) -> Self {
        let state = State { items: VecDeque::new(), rows: 0, is_closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), drained: Condvar::new(), capacity }
    }

    /// Puts an item in, after waiting for space if need be; says whether it waited. An item larger than the
    /// whole queue goes in when the queue is empty. After [`Queue::close`] it is taken without waiting.
    pub(super) fn push(&self, item: T, rows: usize) -> bool {
        let mut state = self.lock();
        let mut waited = false;
        while state.rows > 0 && state.rows + rows > self.capacity && !state.is_closed {
            waited = true;
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.rows += rows;
        state.items.push_back((item, rows));
        let was_empty = state.items.len() == 1;
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
        waited
    }

    /// Moves everything into `into`, after waiting up to `patience` for something. Says whether more may come.
    pub(super) fn take(&self, into: &mut Vec<T>, patience: Duration) -> bool {
        let mut state = self.lock();
        if state.items.is_empty() && !state.is_closed {
            let waited = self.filled.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        into.extend(state.items.drain(..).map(|(item, _)| item));
        state.rows = 0;
        let may_come = !state.is_closed;
        drop(state);
        self.drained.notify_all();
        may_come
    }

    /// Rows that wait.
    pub(super) fn rows(&self) -> usize {
        self.lock().rows
    }

    /// Says that nothing more is expected.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_full_queue_makes_writers_wait_and_loses_nothing() {
        let queue = Arc::new(Queue::new(10));
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let queue = Arc::clone(&queue);
                std::thread::spawn(move || {
                    for item in 0..100 {
                        queue.push(writer * 100 + item, 3);
                    }
                })
            })
            .collect();
        let mut seen = Vec::new();
        while seen.len() < 400 {
            assert!(queue.rows() <= 10);
            queue.take(&mut seen, Duration::from_secs(10));
        }
        for writer in writers {
            writer.join().expect("a writer does not panic");
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..400).collect::<Vec<_>>());
    }

    #[test]
    fn an_outsized_item_goes_into_an_empty_queue() {
        let queue = Queue::new(10);
        assert!(!queue.push('a', 1000));
        let mut seen = Vec::new();
        assert!(queue.take(&mut seen, Duration::ZERO));
        queue.close();
        assert!(!queue.take(&mut seen, Duration::from_secs(10)));
        assert_eq!(seen, ['a']);
    }
}
