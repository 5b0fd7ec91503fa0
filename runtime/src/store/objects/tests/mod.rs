//! What the write path promises, over a store in memory.

mod deleting;
mod fixtures;
mod selecting;
mod writing;
