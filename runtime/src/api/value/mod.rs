//! Values that are parsed once, written canonically and compared by value.

mod int_or_string;
mod quantity;
mod time;

pub use int_or_string::IntOrString;
pub use quantity::Quantity;
pub use time::{MicroTime, ParseTimeError, Time, Timestamp};
