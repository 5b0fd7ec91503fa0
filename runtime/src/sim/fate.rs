//! What the programs in simulated containers do.

use std::sync::Arc;
use std::time::Duration;

use crate::api::kinds::Pod;

/// What becomes of a container once it is to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It runs until it is told to stop.
    Runs,
    /// Its image cannot be had, so that it never starts.
    NoImage,
    /// It ends by itself.
    Ends {
        /// With this exit code.
        code: i32,
        /// This long after its start.
        after: Duration,
    },
}

impl Fate {
    /// It ends well as soon as it has started.
    pub const SUCCEEDS: Self = Self::Ends { code: 0, after: Duration::ZERO };
    /// It fails as soon as it has started.
    pub const FAILS: Self = Self::Ends { code: 1, after: Duration::ZERO };
}

/// Returns the fate of a pod's containers at a start.
pub type FateOf = dyn Fn(&Pod, u32) -> Fate + Send + Sync;
/// Returns how long a pod's containers take to end.
pub type StopTakes = dyn Fn(&Pod) -> Duration + Send + Sync;

/// Says what the programs of pods do; both are asked again and again and have to be functions of their arguments.
#[derive(Clone)]
pub struct Programs {
    /// The fate of a pod's containers at their start number so and so. Init containers always end well at once.
    pub fate: Arc<FateOf>,
    /// How long a pod's containers take to end when they are told to.
    pub stop_takes: Arc<StopTakes>,
}

impl Programs {
    /// Returns programs with this fate that stop at once when told to.
    pub fn new(fate: impl Fn(&Pod, u32) -> Fate + Send + Sync + 'static) -> Self {
        Self { fate: Arc::new(fate), stop_takes: Arc::new(|_| Duration::ZERO) }
    }
}

impl std::fmt::Debug for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Programs").finish_non_exhaustive()
    }
}
