//! Who a container's program runs as.

use super::TranslateError;
use crate::api::kinds::{Container, Pod};
use crate::host::engine::User;
use crate::host::image::Image;

/// Returns user and groups by the container's and the pod's settings and the image.
///
/// # Errors
/// [`TranslateError::WouldRunAsRoot`].
pub(super) fn user(pod: &Pod, container: &Container, image: &Image) -> Result<User, TranslateError> {
    let own = container.security_context.clone().unwrap_or_default();
    let shared = pod.spec.security_context.clone().unwrap_or_default();
    let id = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
    let uid = id(own.run_as_user.or(shared.run_as_user));
    let gid = id(own.run_as_group.or(shared.run_as_group));
    let mut groups: Vec<u32> =
        shared.supplemental_groups.iter().filter_map(|group| u32::try_from(*group).ok()).collect();
    groups.extend(id(shared.fs_group));
    let name = Some(image.config.user.clone()).filter(|name| uid.is_none() && !name.is_empty());
    let non_root = own.run_as_non_root.or(shared.run_as_non_root) == Some(true);
    let root = uid.map_or_else(
        || matches!(name.as_deref().map(|name| name.split(':').next().unwrap_or("")), None | Some("" | "0" | "root")),
        |uid| uid == 0,
    );
    if non_root && root {
        return Err(TranslateError::WouldRunAsRoot);
    }
    Ok(User { uid: uid.unwrap_or(0), gid: gid.unwrap_or(0), groups, name })
}
