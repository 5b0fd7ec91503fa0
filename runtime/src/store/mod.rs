//! The revisioned log that everything meets in.
