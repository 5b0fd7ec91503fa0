//! Values that are parsed once, written canonically and compared by value.

mod byte_string;
mod duration;
mod int_or_string;
mod quantity;
pub mod schedule;
mod time;

pub use byte_string::{ByteString, ParseByteStringError};
pub use duration::{Duration, ParseDurationError};
pub use int_or_string::{IntOrString, NotAPercentage};
pub use quantity::{ParseQuantityError, Quantity};
pub use schedule::{ParseScheduleError, Schedule};
pub use time::{MicroTime, ParseTimeError, Time, Timestamp};
