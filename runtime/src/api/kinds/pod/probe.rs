//! Probes and lifecycle hooks: how a container is asked how it does, and told what happens.

use crate::api::value::IntOrString;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// A periodic check of a container; exactly one of the handlers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Probe {
    /// Succeeds when the command exits with 0.
    pub exec: Option<ExecAction>,
    /// Succeeds on a status from 200 to 399.
    pub http_get: Option<HTTPGetAction>,
    /// Succeeds when the port accepts a connection.
    pub tcp_socket: Option<TCPSocketAction>,
    /// Succeeds when the gRPC health service says so.
    pub grpc: Option<GRPCAction>,
    /// Seconds between start and first check.
    #[object(min = 0)]
    pub initial_delay_seconds: Option<i32>,
    /// Seconds after which a check has failed.
    #[object(default = 1, min = 0)]
    pub timeout_seconds: Option<i32>,
    /// Seconds between checks.
    #[object(default = 10, min = 0)]
    pub period_seconds: Option<i32>,
    /// Successes in a row that count as success.
    #[object(default = 1, min = 0)]
    pub success_threshold: Option<i32>,
    /// Failures in a row that count as failure.
    #[object(default = 3, min = 0)]
    pub failure_threshold: Option<i32>,
    /// Seconds to stop after a failure, instead of the pod's.
    #[object(min = 1)]
    pub termination_grace_period_seconds: Option<i64>,
}

/// What to run at a container's start and stop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Lifecycle {
    /// Runs right after the start.
    pub post_start: Option<LifecycleHandler>,
    /// Runs before the stop; it uses up the grace period.
    pub pre_stop: Option<LifecycleHandler>,
    /// Signal to stop with, instead of the image's.
    pub stop_signal: Option<String>,
}

/// One action; exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct LifecycleHandler {
    /// Runs a command in the container.
    pub exec: Option<ExecAction>,
    /// Sends a request.
    pub http_get: Option<HTTPGetAction>,
    /// Deprecated; opens a connection.
    pub tcp_socket: Option<TCPSocketAction>,
    /// Waits.
    pub sleep: Option<SleepAction>,
}

/// A command run in a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ExecAction {
    /// Program and arguments; no shell.
    pub command: Vec<String>,
}

/// An HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct HTTPGetAction {
    /// Path of the request.
    #[object(default = "/")]
    pub path: Option<String>,
    /// Port number or name.
    #[object(required)]
    pub port: IntOrString,
    /// Host to connect to; the pod if empty.
    pub host: Option<String>,
    /// `HTTP` or `HTTPS`.
    #[object(default = "HTTP", one_of = ["HTTP", "HTTPS"])]
    pub scheme: Option<String>,
    /// Headers of the request.
    pub http_headers: Vec<HTTPHeader>,
    /// Wire protocol; HTTP/1.1 if empty.
    pub protocol: Option<String>,
}

/// A header of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct HTTPHeader {
    /// Name of the header.
    #[object(required)]
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A TCP connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct TCPSocketAction {
    /// Port number or name.
    #[object(required)]
    pub port: IntOrString,
    /// Host to connect to; the pod if empty.
    pub host: Option<String>,
}

/// A gRPC health request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct GRPCAction {
    /// Port number.
    #[object(required, min = 1, max = 65535)]
    pub port: i32,
    /// Service to ask about.
    #[object(default = "")]
    pub service: Option<String>,
    /// `TLS` or `Plaintext`; the latter if empty.
    #[object(one_of = ["TLS", "Plaintext"])]
    pub mode: Option<String>,
}

/// A pause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SleepAction {
    /// How long, in seconds.
    #[object(required, min = 0)]
    pub seconds: i64,
}
