//! The macros on real declarations: every file of `pass/` is compiled into this binary, with its own tests, and its
//! expansion is kept in `expand/`; every file of `fail/` is compiled alone, and what the compiler says is kept beside it.
//!
//! `BOWLINE_UPDATE=1 cargo test -p bowline-macros` rewrites what is kept.

mod fail;
mod snapshot;

/// What must compile.
mod pass {
    mod controller;
    mod field_attributes;
    mod kind_from_spec;
    mod kind_whole;
}

// A crate of macros exports nothing else, so that what expands them is compiled once more, for the snapshots. Its unit
// tests run here.
#[path = "../src/controller/mod.rs"]
mod controller;
#[path = "../src/object/mod.rs"]
mod object;
#[path = "../src/schema/mod.rs"]
mod schema;
#[path = "../src/syntax/mod.rs"]
mod syntax;
