//! From a pod's declaration to what the engine is told to run.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use nix::sys::signal::Signal;

use super::decide::spec_hash;
use super::env::{self, Facts, hostname};
use crate::api::Quantity;
use crate::api::kinds::{Container, Pod, ResourceRequirements, Volume};
use crate::host::engine::{
    ContainerSpec, Limits, Mount, MountKind, PodSandbox, RestartPolicy, Rootfs, TmpfsVolume, User,
};
use crate::host::image::Image;
use crate::host::volume::Prepared;

/// Why a container cannot be started as declared.
#[derive(Debug, thiserror::Error)]
pub enum TranslateError {
    /// A reference of the environment leads nowhere; it may lead somewhere later.
    #[error("{0}")]
    Env(#[from] env::EnvError),
    /// Neither pod nor image name a program.
    #[error("no command specified: set `command`, or use an image with an entrypoint")]
    NoCommand,
    /// A mount names a volume that the pod does not have.
    #[error("volumeMount `{0}` names no volume of the pod")]
    NoVolume(String),
    /// The pod forbids root and the image starts as root.
    #[error("container has runAsNonRoot and image will run as root: set `securityContext.runAsUser`")]
    WouldRunAsRoot,
}

/// Describes a pod's sandbox.
pub fn sandbox(pod: &Pod, run_dir: PathBuf, log_dir: PathBuf) -> PodSandbox {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let tmpfs = pod.spec.volumes.iter().filter_map(memory_volume).collect();
    PodSandbox {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.metadata.name.clone(),
        hostname: hostname(pod),
        host_network: pod.spec.host_network == Some(true),
        limits: pod_limits(pod),
        tmpfs,
        ..PodSandbox::new(uid, run_dir, log_dir)
    }
}

fn memory_volume(volume: &Volume) -> Option<TmpfsVolume> {
    let source = volume.empty_dir.as_ref().filter(|source| source.medium.as_deref() == Some("Memory"))?;
    let size_bytes = source.size_limit.as_ref().and_then(|limit| u64::try_from(limit.bytes()).ok());
    Some(TmpfsVolume { name: volume.name.clone(), size_bytes, mode: 0o1777 })
}

/// The pod's own limit is the sum of its containers', and only if every one of them has one
/// (`cm/helpers_linux.go`, ResourceConfigForPod).
fn pod_limits(pod: &Pod) -> Limits {
    let all: Vec<Limits> = pod.spec.containers.iter().map(|container| limits(container.resources.as_ref())).collect();
    let sum = |part: fn(&Limits) -> Option<u64>| all.iter().map(part).sum::<Option<u64>>();
    let request: u64 = all.iter().filter_map(|limits| limits.cpu_request_milli).sum();
    Limits {
        memory_bytes: sum(|limits| limits.memory_bytes),
        cpu_request_milli: (request > 0).then_some(request),
        cpu_limit_milli: sum(|limits| limits.cpu_limit_milli),
        pids: None,
    }
}

fn limits(resources: Option<&ResourceRequirements>) -> Limits {
    let Some(resources) = resources else { return Limits::default() };
    let milli = |quantity: &Quantity| u64::try_from(quantity.milli()).ok().filter(|value| *value > 0);
    let limit = resources.limits.get("cpu").and_then(milli);
    Limits {
        memory_bytes: resources
            .limits
            .get("memory")
            .and_then(|limit| u64::try_from(limit.bytes()).ok())
            .filter(|value| *value > 0),
        cpu_request_milli: resources.requests.get("cpu").and_then(milli).or(limit),
        cpu_limit_milli: limit,
        pids: None,
    }
}

/// Describes a container's start.
///
/// # Errors
/// [`TranslateError`] for a declaration that cannot be honoured now.
pub fn container(
    container: &Container,
    attempt: u32,
    image: &Image,
    volumes: &[Prepared],
    facts: &Facts<'_>,
) -> Result<ContainerSpec, TranslateError> {
    let pod = facts.pod;
    let env = env::environment(container, &image.config.env, facts)?;
    let argv = env::command(container, &image.config.entrypoint, &image.config.cmd, &env);
    if argv.is_empty() {
        return Err(TranslateError::NoCommand);
    }
    let own = container.security_context.clone().unwrap_or_default();
    let read_only = own.read_only_root_filesystem == Some(true);
    let rootfs = Rootfs::Overlay { lowers: image.rootfs.lowers.clone(), read_only };
    let cwd =
        container.working_dir.clone().filter(|dir| !dir.is_empty()).unwrap_or_else(|| image.config.working_dir.clone());
    let policy = container.termination_message_policy.as_deref();
    Ok(ContainerSpec {
        attempt,
        spec_hash: spec_hash(container),
        mounts: mounts(container, image, volumes)?,
        env,
        cwd: if cwd.is_empty() { "/".to_owned() } else { cwd },
        user: user(pod, container, image)?,
        limits: limits(container.resources.as_ref()),
        no_new_privileges: own.allow_privilege_escalation == Some(false),
        restart: restart(pod, container),
        stop_signal: signal(&image.config.stop_signal),
        tty: container.tty == Some(true),
        termination_message_path: Some(
            container.termination_message_path.clone().unwrap_or_else(|| "/dev/termination-log".to_owned()),
        ),
        termination_message_from_logs: policy == Some("FallbackToLogsOnError"),
        ..ContainerSpec::new(&container.name, rootfs, argv)
    })
}

/// An init container is started again only if it failed; a regular one by the pod's policy.
pub fn restart(pod: &Pod, container: &Container) -> RestartPolicy {
    let init = pod.spec.init_containers.iter().any(|known| known.name == container.name);
    match (pod.spec.restart_policy.as_deref(), init) {
        (Some("Never"), _) => RestartPolicy::Never,
        (Some("OnFailure"), _) | (_, true) => RestartPolicy::OnFailure,
        _ => RestartPolicy::Always,
    }
}

fn mounts(container: &Container, image: &Image, volumes: &[Prepared]) -> Result<Vec<Mount>, TranslateError> {
    let base = image.rootfs.binds.iter().map(|bind| Mount::bind(&bind.source, bind.target.to_string_lossy(), true));
    let mut mounts: Vec<Mount> = base.collect();
    for mount in &container.volume_mounts {
        let volume = volumes.iter().find(|volume| volume.name() == mount.name);
        let volume = volume.ok_or_else(|| TranslateError::NoVolume(mount.name.clone()))?;
        let sub_path = mount.sub_path.clone().filter(|path| !path.is_empty());
        let kind = match volume {
            Prepared::Directory { path, .. } => MountKind::Bind { source: path.clone(), sub_path, recursive: true },
            Prepared::Memory { name } => MountKind::PodTmpfs { name: name.clone(), sub_path },
        };
        let read_only = mount.read_only == Some(true) || volume.is_read_only();
        mounts.push(Mount { target: mount.mount_path.clone(), read_only, kind });
    }
    // What is mounted below another mount has to come after it.
    mounts.sort_by_key(|mount| Path::new(&mount.target).components().count());
    Ok(mounts)
}

fn user(pod: &Pod, container: &Container, image: &Image) -> Result<User, TranslateError> {
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

/// Returns the number of a signal given by name, with or without `SIG`, or by number; SIGTERM for anything else.
fn signal(text: &str) -> i32 {
    let named = || Signal::from_str(text).or_else(|_| Signal::from_str(&format!("SIG{text}"))).ok();
    text.parse::<i32>()
        .ok()
        .filter(|number| (1..=64).contains(number))
        .or_else(|| named().map(|signal| signal as i32))
        .unwrap_or(15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_signal_may_be_a_name_or_a_number() {
        assert_eq!(["SIGQUIT", "QUIT", "3", "", "nonsense"].map(signal), [3, 3, 3, 15, 15]);
    }
}
