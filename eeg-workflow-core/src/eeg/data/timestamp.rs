//! A point in time with microseconds, as recordings date themselves.

use std::fmt;

/// Microseconds since 1970-01-01T00:00:00 UTC, between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Timestamp {
    /// From microseconds since 1970. None outside the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        let range = days_from_civil(1, 1, 1) * DAY..days_from_civil(10_000, 1, 1) * DAY;
        range.contains(&micros).then_some(Self(micros))
    }

    /// From twenty digits, year to microseconds (`20150128095832552388`), in UTC.
    /// None when these are not a date.
    pub fn from_digits(digits: &str) -> Option<Self> {
        if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        // A day that does not exist comes back as another one.
        if year < 1 || civil_from_days(days) != (year, month, day) {
            return None;
        }
        let seconds = (hour * 60 + minute) * 60 + second;
        Self::from_micros(days * DAY + seconds * SECOND + number(14, 20)?)
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Twenty digits, as [`Self::from_digits`] reads them.
    pub fn to_digits(self) -> String {
        let ((year, month, day), rest) = self.split();
        let (seconds, micros) = (rest / SECOND, rest % SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}{micros:06}")
    }

    /// The date, and the microseconds since its midnight.
    fn split(self) -> ((i64, i64, i64), i64) {
        (civil_from_days(self.0.div_euclid(DAY)), self.0.rem_euclid(DAY))
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 as Python's `datetime.isoformat` writes it: `2015-01-28T09:58:32.552388+00:00`,
    /// without a fraction when there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), rest) = self.split();
        let (seconds, micros) = (rest / SECOND, rest % SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        write!(f, "+00:00")
    }
}

/// Days since 1970-01-01 of a date in the Gregorian calendar
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`]: (year, month, day).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}
