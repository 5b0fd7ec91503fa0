//! From limits to the values of control files. Pure.

use crate::host::engine::spec::Limits;

/// Length of a CPU bandwidth period in microseconds, as the kubelet sets it.
const PERIOD_MICROS: u64 = 100_000;
/// Smallest quota the kernel takes.
const QUOTA_MICROS_MIN: u64 = 1_000;
/// Smallest weight of the v1 CPU controller; what a container without a CPU request gets.
const SHARES_MIN: u64 = 2;
/// Greatest weight of the v1 CPU controller.
const SHARES_MAX: u64 = 262_144;

/// One value to write, by the name it has in each version. A version without a name has no such file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The controller it belongs to.
    pub controller: &'static str,
    v1: Option<(&'static str, String)>,
    v2: Option<(&'static str, String)>,
    /// Not an error when the host refuses it: it takes back a limit, or refines one.
    pub optional: bool,
}

impl Setting {
    /// The file's name in version 1 or 2.
    pub fn file(&self, version: u32) -> Option<&'static str> {
        self.of(version).map(|(file, _)| *file)
    }

    /// The value to write in version 1 or 2.
    pub fn value(&self, version: u32) -> Option<&str> {
        self.of(version).map(|(_, value)| value.as_str())
    }

    fn of(&self, version: u32) -> Option<&(&'static str, String)> {
        if version == 2 { self.v2.as_ref() } else { self.v1.as_ref() }
    }
}

/// Lists what to write for `limits`, in the order in which the kernel takes it.
pub(super) fn settings(limits: &Limits) -> Vec<Setting> {
    let mut list = Vec::new();
    let mut add = |controller, v1: Option<(&'static str, String)>, v2: Option<(&'static str, String)>, optional| {
        list.push(Setting { controller, v1, v2, optional });
    };
    match limits.memory_bytes {
        Some(bytes) => {
            // v1 refuses a limit above the one for memory and swap together: lift that first, set it last.
            add("memory", Some(("memory.memsw.limit_in_bytes", "-1".into())), None, true);
            let value = bytes.to_string();
            add("memory", Some(("memory.limit_in_bytes", value.clone())), Some(("memory.max", value.clone())), false);
            let swap = Some(("memory.swap.max", "0".into()));
            add("memory", Some(("memory.memsw.limit_in_bytes", value)), swap, true);
        }
        None => {
            add("memory", Some(("memory.memsw.limit_in_bytes", "-1".into())), None, true);
            let max = Some(("memory.max", "max".into()));
            add("memory", Some(("memory.limit_in_bytes", "-1".into())), max, true);
        }
    }
    let shares = cpu_shares(limits.cpu_request_milli.or(limits.cpu_limit_milli).unwrap_or(0));
    let weight = cpu_weight(shares).to_string();
    let asked = limits.cpu_request_milli.is_some();
    add("cpu", Some(("cpu.shares", shares.to_string())), Some(("cpu.weight", weight)), !asked);
    match limits.cpu_limit_milli {
        Some(milli) => {
            let quota = cpu_quota_micros(milli);
            let max = Some(("cpu.max", format!("{quota} {PERIOD_MICROS}")));
            add("cpu", Some(("cpu.cfs_period_us", PERIOD_MICROS.to_string())), None, true);
            add("cpu", Some(("cpu.cfs_quota_us", quota.to_string())), max, false);
        }
        None => {
            let max = Some(("cpu.max", format!("max {PERIOD_MICROS}")));
            add("cpu", Some(("cpu.cfs_quota_us", "-1".into())), max, true);
        }
    }
    let pids = limits.pids.map_or_else(|| "max".to_owned(), |pids| pids.to_string());
    add("pids", Some(("pids.max", pids.clone())), Some(("pids.max", pids)), limits.pids.is_none());
    list
}

/// Converts a CPU request to the weight of the v1 controller: 1024 a core, between 2 and 262144.
pub fn cpu_shares(milli: u64) -> u64 {
    (milli.saturating_mul(1024) / 1000).clamp(SHARES_MIN, SHARES_MAX)
}

/// Converts a v1 weight to a v2 weight (1 to 10000), so that 1024 becomes 100, by the curve of the OCI runtimes:
/// `ceil(10^((l^2 + 125 l) / 612 - 7 / 34))` with `l = log2(shares)`.
pub fn cpu_weight(shares: u64) -> u64 {
    match shares {
        0 => 0,
        1..=SHARES_MIN => 1,
        SHARES_MAX.. => 10_000,
        _ => {
            let l = (shares as f64).log2();
            10_f64.powf((l * l + 125.0 * l) / 612.0 - 7.0 / 34.0).ceil() as u64
        }
    }
}

/// Converts a CPU limit to microseconds of a 100 ms period, at least 1000.
pub fn cpu_quota_micros(milli: u64) -> u64 {
    (milli.saturating_mul(PERIOD_MICROS) / 1000).max(QUOTA_MICROS_MIN)
}
