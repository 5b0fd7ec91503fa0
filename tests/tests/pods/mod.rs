//! Conformance: one case a behaviour of pods, each a manifest given to the built program. `docs/pods.md` lists the
//! behaviours and names the case of each. Cases run side by side on one daemon, each in a namespace of its own.

mod basics;
