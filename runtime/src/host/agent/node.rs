//! The Node object of this host and the Lease that shows it alive.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::world::World;
use crate::api::kinds::{Lease, Namespace, Node};
use crate::api::{Kind, MicroTime, Time};
use crate::store::objects::{Context, create_txn, prepare_create, prepare_status, prepare_update};
use crate::store::{Op, Precondition, Txn};

/// How often the Lease is renewed (kubelet: a quarter of 40 s).
const RENEW: Duration = Duration::from_secs(10);
/// After how long without renewal the node counts as gone, in seconds.
const LEASE_SECS: i64 = 40;
/// The namespace of node Leases.
const LEASES: &str = "kube-node-lease";

/// What this host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Its host name.
    pub hostname: String,
    /// Its address: the source of packets to the outside, or loopback where there is no way out.
    pub address: String,
    /// Its cores in thousandths.
    pub cpu_milli: i64,
    /// Its memory in bytes.
    pub memory_bytes: i64,
    /// The kernel's release.
    pub kernel: String,
    /// The distribution.
    pub os_image: String,
    /// The machine's id.
    pub machine_id: String,
    /// The id of this boot.
    pub boot_id: String,
}

/// Reads what this host is.
pub fn node_facts() -> NodeFacts {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let memory = read("/proc/meminfo");
    let total =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<i64>().ok());
    let release = read("/etc/os-release");
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    NodeFacts {
        hostname: read("/proc/sys/kernel/hostname").to_lowercase(),
        address: address(),
        cpu_milli: i64::try_from(cores).unwrap_or(1) * 1000,
        memory_bytes: total.unwrap_or(0) * 1024,
        kernel: read("/proc/sys/kernel/osrelease"),
        os_image: pretty.trim_matches('"').to_owned(),
        machine_id: read("/etc/machine-id"),
        boot_id: read("/proc/sys/kernel/random/boot_id"),
    }
}

/// Asks the kernel which address it would send from; no packet leaves (TEST-NET-1, RFC 5737).
fn address() -> String {
    let probe = || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("192.0.2.1:9")?;
        Ok::<_, std::io::Error>(socket.local_addr()?.ip().to_string())
    };
    probe().unwrap_or_else(|_| "127.0.0.1".to_owned())
}

/// Registers the node and keeps its Lease fresh.
pub(super) async fn keep(world: Arc<World>, name: String, facts: NodeFacts) {
    loop {
        ensure_namespace(&world).await;
        write(&world, Node::kind(), "", &name, node(&world, &name, &facts)).await;
        write_status(&world, &name, status(&world, &facts)).await;
        write(&world, Lease::kind(), LEASES, &name, lease(&world, &name)).await;
        tokio::time::sleep(RENEW).await;
    }
}

async fn ensure_namespace(world: &World) {
    let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LEASES}});
    if world.snapshot().get(&Namespace::kind().key("", LEASES)).is_none() {
        write(world, Namespace::kind(), "", LEASES, value).await;
    }
}

fn node(world: &World, name: &str, facts: &NodeFacts) -> Value {
    let live = world.snapshot().get(&Node::kind().key("", name)).map(|stored| Value::clone(&stored.value()));
    let mut value =
        live.unwrap_or_else(|| json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}}));
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if !value["metadata"]["labels"].is_object() {
        value["metadata"]["labels"] = json!({});
    }
    for (label, text) in [("hostname", facts.hostname.as_str()), ("os", "linux"), ("arch", arch)] {
        value["metadata"]["labels"][format!("kubernetes.io/{label}")] = text.into();
    }
    value
}

fn status(world: &World, facts: &NodeFacts) -> Value {
    let now = Time::from(world.now()).to_string();
    let capacity = json!({
        "cpu": format!("{}", facts.cpu_milli / 1000),
        "memory": format!("{}Ki", facts.memory_bytes / 1024),
        "pods": "1000",
    });
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
        json!({"type": kind, "status": if holds { "True" } else { "False" }, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    json!({
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": facts.address},
            {"type": "Hostname", "address": facts.hostname},
        ],
        "conditions": [
            condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", true, "KubeletReady", "bowline is ready"),
        ],
        "nodeInfo": {
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "operatingSystem": "linux",
            "kernelVersion": facts.kernel,
            "osImage": facts.os_image,
            "machineID": facts.machine_id,
            "systemUUID": facts.machine_id,
            "bootID": facts.boot_id,
            "containerRuntimeVersion": concat!("bowline://", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": concat!("v", env!("CARGO_PKG_VERSION"), "+bowline"),
            "kubeProxyVersion": "",
        },
    })
}

fn lease(world: &World, name: &str) -> Value {
    let live = world.snapshot().get(&Lease::kind().key(LEASES, name)).map(|stored| Value::clone(&stored.value()));
    let mut value = live.unwrap_or_else(|| {
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": LEASES},
            "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECS}})
    });
    value["spec"]["renewTime"] = MicroTime::from(world.now()).to_string().into();
    value
}

async fn write(world: &World, kind: &'static Kind, namespace: &str, name: &str, value: Value) {
    let snapshot = world.snapshot();
    let key = kind.key(namespace, name);
    let context = Context { kind, snapshot: &snapshot, now: world.now(), entropy: (world.entropy)(), manager: None };
    let txn = match snapshot.get(&key) {
        None => prepare_create(value, &context).map(|value| create_txn(key.clone(), value, &snapshot)),
        Some(live) => prepare_update(value, &live.value(), &context)
            .map(|value| Txn::one(Op::put(key.clone(), Precondition::Revision(live.revision()), value))),
    };
    match txn {
        Ok(txn) => commit(world, &key, txn).await,
        Err(error) => tracing::warn!(object = %key, %error, "cannot describe this node"),
    }
}

/// Writes the node's status when more changed than the time of the heartbeat: the Lease carries that.
async fn write_status(world: &World, name: &str, mut status: Value) {
    let snapshot = world.snapshot();
    let key = Node::kind().key("", name);
    let Some(live) = snapshot.get(&key) else { return };
    keep_times(&live.value()["status"], &mut status);
    let mut value = Value::clone(&live.value());
    value["status"] = status;
    let context = Context {
        kind: Node::kind(),
        snapshot: &snapshot,
        now: world.now(),
        entropy: (world.entropy)(),
        manager: None,
    };
    match prepare_status(value, &live.value(), &context) {
        Ok(value) => {
            commit(world, &key, Txn::one(Op::put(key.clone(), Precondition::Revision(live.revision()), value))).await
        }
        Err(error) => tracing::warn!(object = %key, %error, "cannot describe this node"),
    }
}

/// Keeps the times of conditions that did not change.
fn keep_times(old: &Value, new: &mut Value) {
    let known = old["conditions"].as_array().cloned().unwrap_or_default();
    for condition in new["conditions"].as_array_mut().into_iter().flatten() {
        let same =
            known.iter().find(|known| known["type"] == condition["type"] && known["status"] == condition["status"]);
        if let Some(same) = same {
            condition["lastTransitionTime"] = same["lastTransitionTime"].clone();
            condition["lastHeartbeatTime"] = same["lastHeartbeatTime"].clone();
        }
    }
}

async fn commit(world: &World, key: &crate::api::Key, txn: Txn) {
    // Whoever was faster is looked at in the next round.
    if let Err(error) = world.store.commit_async(txn).await {
        tracing::debug!(object = %key, %error, "the node was not described this time");
    }
}
