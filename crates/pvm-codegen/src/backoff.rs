//! Waiting twice as long after each failure.
//!
//! Compiling is wasted if the code is evicted before it has run for long, or cannot be put into memory. Whether that will
//! happen again nobody knows, so requests are counted: after the k-th failure the 2^k-th request is the next to be tried.
//! The work wasted on n requests is then that of log2 n attempts, and a cause that passes is noticed before twice the
//! requests have come that had come when it passed.

/// Requests that are to be refused.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    left: u32,
}

/// At most 2^16 requests are waited for. A request that is refused costs at least 0.1 µs on its way to the interpreter
/// and back, so that many of them take as long as it takes to compile a middling region: waiting longer could not even
/// halve the time that is lost, but would keep out code that has room by now.
const MOST_DOUBLINGS: u32 = 16;

impl Backoff {
    /// Notes a failure.
    pub(crate) fn fail(&mut self) {
        self.failures = (self.failures + 1).min(MOST_DOUBLINGS);
        self.left = (1 << self.failures) - 1;
    }

    /// Whether this request is to be refused.
    pub(crate) fn refuses(&mut self) -> bool {
        let refused = self.left > 0;
        self.left -= u32::from(refused);
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_limit() {
        let mut backoff = Backoff::default();
        assert!(!backoff.refuses());
        for failures in 1..20 {
            backoff.fail();
            let requests = (1..).find(|_| !backoff.refuses());
            assert_eq!(requests, Some(1 << failures.min(16)));
            assert!(!backoff.refuses());
        }
    }

    #[test]
    fn a_failure_while_waiting_begins_a_longer_wait() {
        let mut backoff = Backoff::default();
        backoff.fail();
        backoff.fail();
        assert!(backoff.refuses());
        backoff.fail();
        assert_eq!((1..).find(|_| !backoff.refuses()), Some(8));
    }
}
