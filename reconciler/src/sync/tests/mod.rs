//! Whole passes over real repositories: a store in memory, a clock that stands still, controllers that only say how
//! things ended.

mod applying;
mod jobs;
mod manifests;
mod ownership;
mod pruning;
mod restarts;
mod sources;
mod verdicts;
mod world;
