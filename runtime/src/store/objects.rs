//! The one write path for objects.
