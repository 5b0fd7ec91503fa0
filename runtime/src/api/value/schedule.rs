//! Cron schedules with Kubernetes' meaning: five fields, Sunday 0 or 7, `@`-forms, time zones.
//!
//! The `cron` crate parses the single fields; what differs from it is here: it wants seconds, counts Sunday as 1
//! and joins day-of-month with day-of-week by AND. Next times follow robfig/cron v3, which Kubernetes uses, also
//! where clocks are set forward (a time that does not exist is left out) and back (an hour that comes twice fires
//! twice). Never asks a clock.
//!
//! Start reading at [`Schedule::parse`] and [`Schedule::next_after`].

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, Months, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

use super::Timestamp;

pub use parse::{ParseScheduleError, zone};

/// How many missed runs are too many to be normal: a clock jumped, or a deadline is missing.
///
/// Kubernetes' number; a warning is given above it, nothing else changes.
pub const MISSED_RUNS_MAX: u64 = 100;

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// `@every`: a fixed distance in whole seconds, counted from the last time.
    Every(Duration),
    Fields(Fields),
}

/// The wanted values of each field as bit sets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fields {
    minutes: u64,
    hours: u64,
    days_of_month: u64,
    months: u64,
    days_of_week: u64,
    /// Whether day-of-month or day-of-week is left open, so that both must match; else one is enough.
    either_day_open: bool,
}

/// The most recent time at which a run was due, and how many were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The latest due time.
    pub at: Timestamp,
    /// How many due times there were, estimated as Kubernetes does from the distance of the first two.
    pub missed: u64,
}

impl Due {
    /// Whether so many runs were missed that a person should look ([`MISSED_RUNS_MAX`]).
    pub fn too_many(&self) -> bool {
        self.missed > MISSED_RUNS_MAX
    }
}

impl Schedule {
    /// Parses five fields or an `@`-form.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed. A `TZ=` prefix is an error here, as on a CronJob;
    /// [`Schedule::parse_with_prefix`] understands it.
    pub fn parse(text: &str) -> Result<Self, ParseScheduleError> {
        if text.contains("TZ=") {
            return Err(ParseScheduleError::ZonePrefix { text: text.to_owned() });
        }
        Ok(Self { text: text.to_owned(), rule: parse::rule(text)? })
    }

    /// Parses a schedule that may start with `TZ=zone` or `CRON_TZ=zone`.
    ///
    /// # Errors
    /// As [`Schedule::parse`], and for an unknown zone.
    pub fn parse_with_prefix(text: &str) -> Result<(Self, Option<Tz>), ParseScheduleError> {
        let Some(rest) = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) else {
            return Ok((Self::parse(text)?, None));
        };
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        Ok((Self::parse(rest.trim())?, Some(zone(name)?)))
    }

    /// Returns the first time strictly after `after`, by the wall clock of `zone`.
    ///
    /// Gives up after five years, as Kubernetes does, and returns `None`: `0 0 31 2 *` never comes.
    pub fn next_after(&self, after: Timestamp, zone: Tz) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every(distance) => Some(after.whole_secs() + *distance),
            Rule::Fields(fields) => fields.next_after(after.secs(), zone).map(Timestamp::from_secs),
        }
    }

    /// Returns the latest due time after `earliest` and not after `now`, if there is one.
    pub fn most_recent_before(&self, earliest: Timestamp, now: Timestamp, zone: Tz) -> Option<Due> {
        let first = self.next_after(earliest, zone).filter(|first| *first <= now)?;
        let Some(second) = self.next_after(first, zone).filter(|second| *second <= now) else {
            return Some(Due { at: first, missed: 1 });
        };
        let elapsed = now.since(first).as_secs();
        let missed = elapsed / second.since(first).as_secs().max(1) + 1;
        let at = match &self.rule {
            Rule::Every(distance) => {
                first + *distance * u32::try_from(elapsed / distance.as_secs()).unwrap_or(u32::MAX)
            }
            Rule::Fields(_) => self.latest(second, now, zone),
        };
        Some(Due { at, missed })
    }

    /// Finds the latest due time in `known..=now` by halving: `next_after` never goes back in time.
    fn latest(&self, known: Timestamp, now: Timestamp, zone: Tz) -> Timestamp {
        let (mut latest, mut end) = (known, now);
        while latest < end {
            let middle = Timestamp::from_secs(latest.secs() + (end.secs() - latest.secs()) / 2);
            match self.next_after(middle, zone).filter(|next| *next <= now) {
                Some(next) => latest = next,
                None if middle <= latest => break,
                None => end = middle,
            }
        }
        latest
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const fn has(set: u64, value: u32) -> bool {
    set & (1 << value) != 0
}

impl Fields {
    fn day_matches(&self, wall: NaiveDateTime) -> bool {
        let by_month = has(self.days_of_month, wall.day());
        let by_week = has(self.days_of_week, wall.weekday().num_days_from_sunday());
        if self.either_day_open { by_month && by_week } else { by_month || by_week }
    }

    /// Walks from the coarsest field to the finest, and starts over whenever a field wraps around.
    fn next_after(&self, after: i64, zone: Tz) -> Option<i64> {
        let mut clock = WallClock { unix: after.checked_add(1)?, zone, rewound: false };
        let last_year = clock.wall().year() + 5;
        loop {
            if clock.wall().year() > last_year {
                return None;
            }
            if self.reach_month(&mut clock) && self.reach_day(&mut clock) && self.reach_time(&mut clock) {
                return Some(clock.unix);
            }
        }
    }

    /// Moves to a wanted month; false if the year ended on the way.
    fn reach_month(&self, clock: &mut WallClock) -> bool {
        while !has(self.months, clock.wall().month()) {
            let first = clock.wall().date().with_day(1).unwrap_or_default();
            clock.rewind(|_| first.and_time(NaiveTime::MIN));
            clock.set(clock.wall().checked_add_months(Months::new(1)).unwrap_or(NaiveDateTime::MAX));
            if clock.wall().month() == 1 {
                return false;
            }
        }
        true
    }

    /// Moves to a wanted day; false if the month ended on the way.
    fn reach_day(&self, clock: &mut WallClock) -> bool {
        while !self.day_matches(clock.wall()) {
            clock.rewind(|wall| wall.date().and_time(NaiveTime::MIN));
            clock.set(clock.wall().checked_add_days(Days::new(1)).unwrap_or(NaiveDateTime::MAX));
            // Where a change of the clocks swallowed midnight, the day starts an hour early or late.
            let hour = i64::from(clock.wall().hour());
            if hour > 12 {
                clock.unix += (24 - hour) * 3600;
            } else {
                clock.unix -= hour * 3600;
            }
            if clock.wall().day() == 1 {
                return false;
            }
        }
        true
    }

    /// Moves to a wanted hour and minute; false if a day or an hour ended on the way.
    fn reach_time(&self, clock: &mut WallClock) -> bool {
        while !has(self.hours, clock.wall().hour()) {
            clock.rewind(|wall| wall.date().and_hms_opt(wall.hour(), 0, 0).unwrap_or(wall));
            clock.unix += 3600;
            if clock.wall().hour() == 0 {
                return false;
            }
        }
        while !has(self.minutes, clock.wall().minute()) {
            clock.truncate_to_minute();
            clock.unix += 60;
            if clock.wall().minute() == 0 {
                return false;
            }
        }
        if clock.wall().second() != 0 {
            clock.rewound = true;
            clock.unix += 60 - i64::from(clock.wall().second());
            return false;
        }
        true
    }
}

/// A moment read on the wall clock of a zone.
struct WallClock {
    unix: i64,
    zone: Tz,
    /// Whether the fields below the one that moved are at their lowest already.
    rewound: bool,
}

impl WallClock {
    fn offset(&self, unix: i64) -> i64 {
        let utc = DateTime::from_timestamp(unix, 0).unwrap_or_default().naive_utc();
        i64::from(self.zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
    }

    fn wall(&self) -> NaiveDateTime {
        DateTime::from_timestamp(self.unix + self.offset(self.unix), 0)
            .unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
            .naive_utc()
    }

    /// Moves to a wall time. One that does not exist, or exists twice, is read as Go's `time.Date` reads it: with
    /// the offset found by taking the wall time for UTC, corrected once.
    fn set(&mut self, wall: NaiveDateTime) {
        let as_utc = wall.and_utc().timestamp();
        let guess = as_utc - self.offset(as_utc);
        self.unix = as_utc - self.offset(guess);
    }

    fn rewind(&mut self, lowest: impl FnOnce(NaiveDateTime) -> NaiveDateTime) {
        if !self.rewound {
            self.rewound = true;
            self.set(lowest(self.wall()));
        }
    }

    fn truncate_to_minute(&mut self) {
        if !self.rewound {
            self.rewound = true;
            self.unix -= self.unix.rem_euclid(60);
        }
    }
}
