use crate::api::kinds::Deployment;

use super::limits::Limits;

/// Returns the fewest available and the most pods that a Deployment may have, for the tests of the whole.
pub(in crate::control) fn limits(deployment: &Deployment) -> (usize, usize) {
    let limits = Limits::of(&deployment.spec);
    let number = |count: i32| usize::try_from(count).expect("not negative");
    (number(limits.min_available()), number(limits.max()))
}
