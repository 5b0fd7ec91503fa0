//! How many pods a Deployment may have and must have.

use crate::api::IntOrString;
use crate::api::kinds::{Deployment, DeploymentSpec};

/// The numbers that an update has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// The wanted pods.
    pub(super) replicas: i32,
    /// How many more there may be.
    pub(super) surge: i32,
    /// How many may be unavailable.
    pub(super) unavailable: i32,
}

impl Limits {
    /// Resolves percentages: surge is rounded up, unavailability down, and both zero would never move.
    pub(super) fn of(spec: &DeploymentSpec) -> Self {
        let replicas = spec.replicas.unwrap_or(1);
        if is_recreate(spec) {
            return Self { replicas, surge: 0, unavailable: 0 };
        }
        let rolling = spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
        let default = IntOrString::String("25%".to_owned());
        let surge = rolling.and_then(|rolling| rolling.max_surge.as_ref()).unwrap_or(&default);
        let unavailable = rolling.and_then(|rolling| rolling.max_unavailable.as_ref()).unwrap_or(&default);
        let surge = scaled(surge, replicas, true);
        let mut unavailable = scaled(unavailable, replicas, false);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self { replicas, surge, unavailable: unavailable.min(replicas) }
    }

    /// The most pods at a time.
    pub(super) fn max(self) -> i32 {
        self.replicas.saturating_add(self.surge)
    }

    /// The fewest available pods at a time.
    pub(super) fn min_available(self) -> i32 {
        self.replicas - self.unavailable
    }
}

/// Returns the fewest available and the most pods that a Deployment may have during a rolling update.
pub fn pod_limits(deployment: &Deployment) -> (usize, usize) {
    let limits = Limits::of(&deployment.spec);
    let number = |count: i32| usize::try_from(count).unwrap_or(0);
    (number(limits.min_available()), number(limits.max()))
}

/// Whether the strategy stops the old version before the new one starts.
pub(super) fn is_recreate(spec: &DeploymentSpec) -> bool {
    spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
}

/// Returns a share of `total`; what is no percentage was refused when it was written, and counts as none.
fn scaled(value: &IntOrString, total: i32, up: bool) -> i32 {
    value.scaled(total, up).unwrap_or(0).max(0)
}
