//! Turns the text of a schedule into field sets. Knows robfig/cron's grammar; never looks at a time.

use std::str::FromStr;
use std::time::Duration;

use chrono_tz::Tz;
use cron::TimeUnitSpec;

use super::{Fields, Rule};

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseScheduleError {
    /// There is no text.
    #[error("the schedule is empty: give five fields such as `0 3 * * *`, or `@daily`")]
    Empty,
    /// There are more or fewer than five fields.
    #[error("expected exactly 5 fields (minute hour day-of-month month day-of-week), found {found}: `{text}`{hint}")]
    FieldCount {
        /// How many there are.
        found: usize,
        /// The schedule.
        text: String,
        /// What may be meant; empty, or starts with a semicolon.
        hint: &'static str,
    },
    /// One field is wrong.
    #[error("{field} `{value}`: {problem}; allowed are {allowed}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// The part of the field that is wrong.
        value: String,
        /// What is wrong, and the nearest valid value where there is one.
        problem: String,
        /// What the field takes.
        allowed: &'static str,
    },
    /// An `@`-form that does not exist.
    #[error("unrecognized descriptor `{text}`: did you mean `{nearest}`?")]
    Descriptor {
        /// The schedule.
        text: String,
        /// The descriptor that is spelled most alike.
        nearest: &'static str,
    },
    /// The duration after `@every` is wrong.
    #[error("`{text}` is no duration: write it as `@every 1h30m` (units h, m, s), one second or more")]
    Distance {
        /// The text after `@every`.
        text: String,
    },
    /// A `TZ=` or `CRON_TZ=` prefix where none is taken.
    #[error("`{text}` names a time zone in the schedule: set `timeZone` instead")]
    ZonePrefix {
        /// The schedule.
        text: String,
    },
    /// A time zone that does not exist.
    #[error("`{name}` is no time zone of the IANA database, such as `Europe/Berlin` or `UTC`")]
    Zone {
        /// The zone's name.
        name: String,
    },
}

/// Finds a time zone by its IANA name; the empty name is UTC, as in Go.
///
/// # Errors
/// For a name that the database does not have; names are told apart by case.
pub fn zone(name: &str) -> Result<Tz, ParseScheduleError> {
    if name.is_empty() {
        return Ok(Tz::UTC);
    }
    Tz::from_str(name).map_err(|_| ParseScheduleError::Zone { name: name.to_owned() })
}

/// What a field takes.
struct Bounds {
    field: &'static str,
    allowed: &'static str,
    min: u32,
    /// The largest value that `*` and `n/step` reach.
    max: u32,
    /// The largest value that may be written: Sunday is also 7.
    max_written: u32,
    names: &'static [&'static str],
}

const MINUTE: Bounds = Bounds { field: "minute", allowed: "0 to 59", min: 0, max: 59, max_written: 59, names: &[] };
const HOUR: Bounds = Bounds { field: "hour", allowed: "0 to 23", min: 0, max: 23, max_written: 23, names: &[] };
const DAY: Bounds = Bounds { field: "day-of-month", allowed: "1 to 31", min: 1, max: 31, max_written: 31, names: &[] };
const MONTH: Bounds = Bounds {
    field: "month",
    allowed: "1 to 12 or JAN to DEC",
    min: 1,
    max: 12,
    max_written: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Bounds = Bounds {
    field: "day-of-week",
    allowed: "0 to 7 (0 and 7 are Sunday) or SUN to SAT",
    min: 0,
    max: 6,
    max_written: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

const DESCRIPTORS: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@every 1h", ""),
];

/// Parses a schedule without zone prefix.
pub(super) fn rule(text: &str) -> Result<Rule, ParseScheduleError> {
    if text.trim().is_empty() {
        return Err(ParseScheduleError::Empty);
    }
    if let Some(distance) = text.strip_prefix("@every ") {
        return every(distance).map(Rule::Every);
    }
    if text.starts_with('@') {
        let known = DESCRIPTORS.iter().find(|(name, fields)| *name == text && !fields.is_empty());
        let Some((_, fields)) = known else {
            return Err(ParseScheduleError::Descriptor { text: text.to_owned(), nearest: nearest_descriptor(text) });
        };
        return self::fields(fields).map(Rule::Fields);
    }
    fields(text).map(Rule::Fields)
}

fn nearest_descriptor(text: &str) -> &'static str {
    let shared = |name: &str| name.bytes().zip(text.to_ascii_lowercase().bytes()).take_while(|(a, b)| a == b).count();
    DESCRIPTORS.iter().rev().map(|(name, _)| *name).max_by_key(|name| shared(name)).unwrap_or("@daily")
}

/// Parses Go's form of a duration, as far as a schedule can use it.
fn every(text: &str) -> Result<Duration, ParseScheduleError> {
    let wrong = || ParseScheduleError::Distance { text: text.to_owned() };
    let (mut rest, mut secs) = (text.trim().strip_prefix('+').unwrap_or(text.trim()), 0.0_f64);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        secs += number
            * match &rest[..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return Err(wrong()),
            };
        rest = &rest[unit..];
    }
    // Go's durations end at 292 years; fractions of a second are cut off, and less than one becomes one.
    if secs <= 0.0 || secs >= 9.2e9 {
        return Err(wrong());
    }
    Ok(Duration::from_secs((secs as u64).max(1)))
}

fn fields(text: &str) -> Result<Fields, ParseScheduleError> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = parts[..] else {
        let hint = if parts.len() == 6 { "; a field for seconds is not part of the format" } else { "" };
        return Err(ParseScheduleError::FieldCount { found: parts.len(), text: text.to_owned(), hint });
    };
    let minute = values(minute, &MINUTE)?;
    let hour = values(hour, &HOUR)?;
    let day = values(day, &DAY)?;
    let month = values(month, &MONTH)?;
    let weekday = values(weekday, &WEEKDAY)?;
    let list = |field: &Values, shift: u32| {
        field.listed.iter().map(|value| (value + shift).to_string()).collect::<Vec<_>>().join(",")
    };
    // The crate counts Sunday as 1 and has a first field for seconds.
    let shifted = Values { listed: weekday.listed.iter().map(|day| day % 7).collect(), star: weekday.star };
    let translated = format!(
        "0 {} {} {} {} {}",
        list(&minute, 0),
        list(&hour, 0),
        list(&day, 0),
        list(&month, 0),
        list(&shifted, 1)
    );
    let parsed = cron::Schedule::from_str(&translated).map_err(|_| ParseScheduleError::FieldCount {
        found: parts.len(),
        text: text.to_owned(),
        hint: "",
    })?;
    Ok(Fields {
        minutes: bits(parsed.minutes(), 0),
        hours: bits(parsed.hours(), 0),
        days_of_month: bits(parsed.days_of_month(), 0),
        months: bits(parsed.months(), 0),
        days_of_week: bits(parsed.days_of_week(), 1),
        either_day_open: day.star || weekday.star,
    })
}

fn bits(unit: &impl TimeUnitSpec, shift: u32) -> u64 {
    unit.iter().fold(0, |set, value| set | 1 << (value - shift))
}

/// The values a field lists, and whether it has a bare star.
struct Values {
    listed: Vec<u32>,
    star: bool,
}

fn values(text: &str, bounds: &Bounds) -> Result<Values, ParseScheduleError> {
    let mut all = Values { listed: Vec::new(), star: false };
    for part in text.split(',').filter(|part| !part.is_empty()) {
        range(part, bounds, &mut all)?;
    }
    if all.listed.is_empty() {
        return Err(wrong(bounds, text, "lists no value".to_owned()));
    }
    Ok(all)
}

fn wrong(bounds: &Bounds, value: &str, problem: String) -> ParseScheduleError {
    ParseScheduleError::Field { field: bounds.field, value: value.to_owned(), problem, allowed: bounds.allowed }
}

/// Parses `n`, `a-b`, `*`, `?`, each with or without `/step`.
fn range(text: &str, bounds: &Bounds, all: &mut Values) -> Result<(), ParseScheduleError> {
    let (span, step) = text.split_once('/').map_or((text, None), |(span, step)| (span, Some(step)));
    let (low, high) = span.split_once('-').map_or((span, None), |(low, high)| (low, Some(high)));
    let open = low == "*" || low == "?";
    let step = match step {
        None => None,
        Some(step) => match step.parse::<u32>() {
            Ok(0) => return Err(wrong(bounds, text, "the step is 0; the smallest is 1".to_owned())),
            Ok(step) => Some(step),
            Err(_) => return Err(wrong(bounds, text, format!("the step `{step}` is no whole number"))),
        },
    };
    let (start, end) = if open {
        (bounds.min, bounds.max)
    } else {
        let start = value(low, text, bounds)?;
        match high {
            Some(high) => (start, value(high, text, bounds)?),
            // `n/step` goes on to the end of the range.
            None => (start, if step.is_some() { bounds.max.max(start) } else { start }),
        }
    };
    if start > end {
        return Err(wrong(
            bounds,
            text,
            format!("the range starts at {start}, beyond its end {end}; try `{end}-{start}`"),
        ));
    }
    // A star with a step restricts the field; a bare one (or `*/1`) leaves it open.
    all.star |= open && step.unwrap_or(1) == 1;
    all.listed.extend((start..=end).step_by(step.unwrap_or(1) as usize));
    Ok(())
}

fn value(text: &str, part: &str, bounds: &Bounds) -> Result<u32, ParseScheduleError> {
    let lower = text.to_ascii_lowercase();
    if let Some(place) = bounds.names.iter().position(|name| *name == lower) {
        return Ok(place as u32 + bounds.min);
    }
    let Ok(number) = text.parse::<u32>() else {
        let nearest = bounds
            .names
            .iter()
            .find(|name| lower.len() >= 2 && name.starts_with(lower.get(..lower.len().min(3)).unwrap_or("\0")));
        return Err(wrong(
            bounds,
            part,
            match nearest.filter(|_| lower.is_ascii()) {
                Some(name) => format!("`{text}` is no value; did you mean `{}`?", name.to_ascii_uppercase()),
                None => format!("`{text}` is no whole number"),
            },
        ));
    };
    let nearest = number.clamp(bounds.min, bounds.max_written);
    if number != nearest {
        let side = if number < nearest { "below the minimum" } else { "above the maximum" };
        return Err(wrong(bounds, part, format!("{number} is {side} {nearest}")));
    }
    Ok(number)
}
