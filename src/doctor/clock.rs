//! This machine's clock against the registry's: tokens and certificates are valid for a time.

use std::time::{Duration, SystemTime};

use super::Finding;

/// Tokens of registries commonly live for five minutes; `Date` counts whole seconds.
const TOLERATED: Duration = Duration::from_secs(120);

/// `clocks`: the registry's and ours at one moment; `None`: nobody told the time.
pub fn check(clocks: Option<(SystemTime, SystemTime)>) -> Finding {
    let Some((theirs, ours)) = clocks else { return Finding::unknown("clock", "no registry tells the time") };
    let (apart, way) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if apart <= TOLERATED {
        return Finding::fine("clock", "agrees with the registry's");
    }
    let found = format!("{} seconds {way} the registry's", apart.as_secs());
    Finding::missing("clock", found, "have the clock set by NTP: `timedatectl set-ntp true`")
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_clock_that_is_minutes_off_is_told_with_the_direction() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(check(None).state, State::Unknown);
        assert_eq!(check(Some((at(1000), at(1119)))).state, State::Fine);
        assert_eq!(check(Some((at(1000), at(1300)))).found, "300 seconds ahead of the registry's");
        assert_eq!(check(Some((at(1300), at(1000)))).found, "300 seconds behind the registry's");
    }
}
