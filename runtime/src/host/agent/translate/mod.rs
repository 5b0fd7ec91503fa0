//! From a pod's declaration to what the engine is told to run.

mod identity;
mod limits;
mod mounts;

use std::path::PathBuf;
use std::str::FromStr as _;

use nix::sys::signal::Signal;

use super::decide::spec_hash;
use super::env::{self, Facts, hostname};
use crate::api::kinds::{Container, Pod};
use crate::host::engine::{ContainerSpec, PodSandbox, RestartPolicy, Rootfs};
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
    let tmpfs = pod.spec.volumes.iter().filter_map(mounts::memory_volume).collect();
    PodSandbox {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.metadata.name.clone(),
        hostname: hostname(pod),
        host_network: pod.spec.host_network == Some(true),
        limits: limits::pod_limits(pod),
        tmpfs,
        ..PodSandbox::new(uid, run_dir, log_dir)
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
        mounts: mounts::mounts(container, image, volumes)?,
        env,
        cwd: if cwd.is_empty() { "/".to_owned() } else { cwd },
        user: identity::user(pod, container, image)?,
        limits: limits::limits(container.resources.as_ref()),
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
