//! Seconds since 1970 as RFC 3339 text, as `created` fields want it. Knows no clock and no time zone.

const SECONDS_PER_DAY: u64 = 86_400;

/// The last second of the year 9999: RFC 3339 has four digits for a year.
const LAST: u64 = 253_402_300_799;

/// `1970-01-01T00:00:00Z` for 0; `None` after the year 9999.
pub fn rfc3339(seconds: u64) -> Option<String> {
    if seconds > LAST {
        return None;
    }
    let (year, month, day) = civil(seconds / SECONDS_PER_DAY);
    let rest = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is a year's last one; 400 years are 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), Some(text));
        }
        assert_eq!(rfc3339(LAST + 1), None);
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut before = civil(0);
        for day in 1..200_000 {
            let today = civil(day);
            let next_day = (before.0, before.1, before.2 + 1);
            let next_month = (before.0, before.1 + 1, 1);
            assert!([next_day, next_month, (before.0 + 1, 1, 1)].contains(&today), "{before:?} then {today:?}");
            assert!(today > before && today.1 <= 12);
            before = today;
        }
    }
}
