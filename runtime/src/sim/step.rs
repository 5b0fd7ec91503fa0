//! What happened in a simulation, one line a step: enough, with the seed, to let it happen again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::api::Key;
use crate::control::Fault;

use super::Writes;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A controller decides about the key in this place of the queue.
    Control {
        /// The place; taken modulo the length of the queue.
        pick: usize,
        /// What goes wrong.
        fault: Option<Fault>,
    },
    /// An agent takes a round about a pod.
    Host {
        /// The host.
        host: String,
        /// The pod.
        pod: Key,
        /// Whether its write is carried out.
        writes: Writes,
    },
    /// A user does something; what, follows from the seed and this number.
    User(u64),
    /// The controllers' process is killed and started again.
    Restart,
    /// A host's agent ends; its pods go on.
    Leave(String),
    /// A host loses its power.
    PowerOff(String),
    /// A host's agent starts.
    ComeBack(String),
    /// Time passes.
    Pass(Duration),
    /// Programs that were broken are from now on good, suspended work goes on, schedules stop.
    Heal,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control { pick, fault: None } => write!(f, "control {pick}"),
            Self::Control { pick, fault: Some(Fault::Conflict) } => write!(f, "control {pick} conflict"),
            Self::Control { pick, fault: Some(Fault::Refused) } => write!(f, "control {pick} refused"),
            Self::Host { host, pod, writes } => {
                let lost = if *writes == Writes::Lost { " lost" } else { "" };
                write!(f, "host {host} {}/{}{lost}", pod.namespace, pod.name)
            }
            Self::User(number) => write!(f, "user {number}"),
            Self::Restart => f.write_str("restart"),
            Self::Leave(host) => write!(f, "leave {host}"),
            Self::PowerOff(host) => write!(f, "power-off {host}"),
            Self::ComeBack(host) => write!(f, "come-back {host}"),
            Self::Pass(by) => write!(f, "pass {}", by.as_micros()),
            Self::Heal => f.write_str("heal"),
        }
    }
}

/// A line that is no step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot replay `{0}`: it is no step of a simulation; give the lines as a failed run printed them")]
pub struct ParseStepError(String);

impl FromStr for Step {
    type Err = ParseStepError;

    fn from_str(line: &str) -> Result<Self, ParseStepError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let error = || ParseStepError(line.to_owned());
        let number = |text: &str| text.parse::<u64>().map_err(|_| error());
        let place = |text: &str| text.parse::<usize>().map_err(|_| error());
        Ok(match words[..] {
            ["control", pick] => Self::Control { pick: place(pick)?, fault: None },
            ["control", pick, "conflict"] => Self::Control { pick: place(pick)?, fault: Some(Fault::Conflict) },
            ["control", pick, "refused"] => Self::Control { pick: place(pick)?, fault: Some(Fault::Refused) },
            ["host", host, pod] => Self::host(host, pod, Writes::Kept).ok_or_else(error)?,
            ["host", host, pod, "lost"] => Self::host(host, pod, Writes::Lost).ok_or_else(error)?,
            ["user", text] => Self::User(number(text)?),
            ["restart"] => Self::Restart,
            ["leave", host] => Self::Leave(host.to_owned()),
            ["power-off", host] => Self::PowerOff(host.to_owned()),
            ["come-back", host] => Self::ComeBack(host.to_owned()),
            ["pass", micros] => Self::Pass(Duration::from_micros(number(micros)?)),
            ["heal"] => Self::Heal,
            _ => return Err(error()),
        })
    }
}

impl Step {
    fn host(host: &str, pod: &str, writes: Writes) -> Option<Self> {
        let (namespace, name) = pod.split_once('/')?;
        let pod = Key { resource: "pods".into(), namespace: namespace.into(), name: name.into() };
        Some(Self::Host { host: host.to_owned(), pod, writes })
    }
}
