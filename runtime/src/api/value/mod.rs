//! Values that are parsed once, written canonically and compared by value.

mod int_or_string;
mod quantity;
pub mod schedule;
mod time;

pub use int_or_string::IntOrString;
pub use quantity::Quantity;
pub use schedule::{ParseScheduleError, Schedule};
pub use time::{MicroTime, ParseTimeError, Time, Timestamp};
