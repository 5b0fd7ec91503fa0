//! The server as its clients see it: over a socket, on a store in memory with the kinds that there are.

mod applying;
mod kubectl;
mod limits;
mod own;
mod reading;
mod rig;
mod streaming;
mod watching;
mod writing;
