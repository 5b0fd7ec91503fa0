//! What the store promises, on the real file wherever a file matters.

mod commit;
mod crash;
mod damage;
mod fixtures;
mod model;
mod speed;
mod watches;
