//! When a failed request is tried again: a schedule of delays, jitter, and the registry's own `Retry-After`.
//!
//! Values only, so that tests wait for nothing; the waiting itself is in `session`.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

/// When a failed request is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait before each further attempt, in order; as many retries as entries.
    pub delays: Vec<Duration>,
    /// The longest `Retry-After` that is obeyed; a registry that asks for more has failed.
    pub longest: Duration,
}

/// Gives up at once: for one attempt among several places.
pub(super) static ONCE: RetryPolicy = RetryPolicy { delays: Vec::new(), longest: Duration::ZERO };

impl Default for RetryPolicy {
    /// Five retries within about half a minute.
    fn default() -> RetryPolicy {
        let delays = [500, 1_000, 3_000, 8_000, 16_000].map(Duration::from_millis).to_vec();
        RetryPolicy { delays, longest: Duration::from_secs(300) }
    }
}

impl RetryPolicy {
    /// A policy that retries `times` times at once; for tests.
    pub fn immediate(times: usize) -> RetryPolicy {
        RetryPolicy { delays: vec![Duration::ZERO; times], longest: Duration::ZERO }
    }

    /// The number of the attempt after one; after one that took as long as we wait at all, the last.
    pub(super) fn next(&self, attempt: usize, took_long: bool) -> usize {
        if took_long { self.delays.len().max(attempt + 1) } else { attempt + 1 }
    }

    /// The wait after the failure of attempt number `attempt` (from 0); `None` to give up. `random` in 0..1 spreads
    /// the waits of many clients between half the delay and the whole.
    pub(super) fn wait(&self, attempt: usize, retry_after: Option<Duration>, random: f64) -> Option<Duration> {
        let delay = self.delays.get(attempt)?.mul_f64(0.5 + random / 2.0);
        match retry_after {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked.max(delay)),
            None => Some(delay),
        }
    }
}

/// A number in 0..1; the standard library's hasher keys are random, which is enough to spread clients.
pub(super) fn random() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

/// Reads `Retry-After`, seconds or a date (RFC 9110 §10.2.3); a date gone by is no wait, nonsense is `None`.
pub(super) fn parse_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(parse_retry_after(" 120 ", now), Some(120 * SECOND));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:40 GMT", now), Some(3 * SECOND));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon", now), None);
        assert_eq!(parse_retry_after("-1", now), None);
    }

    #[test]
    fn the_schedule_ends_and_jitter_stays_within_half_and_whole() {
        let policy = RetryPolicy { delays: vec![2 * SECOND], longest: 10 * SECOND };
        assert_eq!(policy.wait(0, None, 0.0), Some(SECOND));
        assert_eq!(policy.wait(0, None, 1.0), Some(2 * SECOND));
        assert_eq!(policy.wait(1, None, 0.0), None);
    }

    #[test]
    fn retry_after_lengthens_a_wait_and_an_endless_one_is_a_failure() {
        let policy = RetryPolicy { delays: vec![2 * SECOND], longest: 10 * SECOND };
        assert_eq!(policy.wait(0, Some(5 * SECOND), 0.0), Some(5 * SECOND));
        assert_eq!(policy.wait(0, Some(Duration::ZERO), 0.0), Some(SECOND));
        assert_eq!(policy.wait(0, Some(11 * SECOND), 0.0), None);
    }

    #[test]
    fn random_stays_in_range() {
        assert!((0..100).map(|_| random()).all(|value| (0.0..1.0).contains(&value)));
    }
}
