//! Bytes on the wire and in records: little-endian, length-prefixed, bounded.
//!
//! Hand-written because a supervisor must stay small. Reading never panics and never allocates more than what the
//! input holds. What a value's bytes mean is fixed by [`VERSION`].

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::spec::*;
use super::state::*;
use crate::host::cgroup::{Hierarchy, Layout};

/// Version of the protocol and of the records. A greater number is not understood.
pub const VERSION: u16 = 1;

/// Why bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The input ends too early.
    #[error("record ends too early")]
    Short,
    /// Something follows the value.
    #[error("record has {0} bytes too many")]
    Long(usize),
    /// A tag, flag or text is none of those that exist.
    #[error("record holds an invalid {0}")]
    Invalid(&'static str),
}

/// The part of an input that is not read yet.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError::Short)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// A value with a fixed form in bytes.
pub trait Wire: Sized {
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads a value.
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError>;
}

/// Returns the bytes of `value`.
pub fn encode(value: &impl Wire) -> Vec<u8> {
    let mut out = Vec::new();
    value.put(&mut out);
    out
}

/// Reads a value that takes up all of `bytes`.
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, WireError> {
    let mut reader = Reader(bytes);
    let value = T::get(&mut reader)?;
    if reader.0.is_empty() { Ok(value) } else { Err(WireError::Long(reader.0.len())) }
}

macro_rules! wire_integer {
    ($($integer:ty),*) => {$(
        impl Wire for $integer {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
                let bytes = from.take(size_of::<Self>())?;
                Ok(Self::from_le_bytes(bytes.try_into().map_err(|_| WireError::Short)?))
            }
        }
    )*};
}
wire_integer!(u8, u16, u32, u64, i32, i64);

/// Declares the bytes of a structure: its fields, in this order.
macro_rules! wire_struct {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
                Ok(Self { $($field: Wire::get(from)?),* })
            }
        }
    )*};
}
pub(crate) use wire_struct;

/// Declares the bytes of an enumeration: one byte for the variant, then its fields.
macro_rules! wire_enum {
    ($($name:ident { $($tag:literal => $variant:ident
        $(( $($item:ident),* ))? $({ $($field:ident),* })?),* $(,)? })*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($($item),*))? $({ $($field),* })? => {
                        out.push($tag);
                        $($($item.put(out);)*)?
                        $($($field.put(out);)*)?
                    })*
                }
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
                match u8::get(from)? {
                    $($tag => {
                        $($(let $item = Wire::get(from)?;)*)?
                        Ok(Self::$variant $(($($item),*))? $({ $($field: Wire::get(from)?),* })?)
                    })*
                    _ => Err(WireError::Invalid(stringify!($name))),
                }
            }
        }
    )*};
}
pub(crate) use wire_enum;

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::get(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Invalid("flag")),
        }
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u32).put(out);
    out.extend_from_slice(bytes);
}

fn get_bytes(from: &mut Reader<'_>) -> Result<Vec<u8>, WireError> {
    let length = u32::get(from)? as usize;
    Ok(from.take(length)?.to_vec())
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Self::from_utf8(get_bytes(from)?).map_err(|_| WireError::Invalid("text"))
    }
}

impl Wire for PathBuf {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_os_str().as_bytes(), out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(OsString::from_vec(get_bytes(from)?).into())
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let length = u32::get(from)?;
        // No capacity is reserved: the length is a claim, each item must be there to be read.
        (0..length).map(|_| T::get(from)).collect()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        if bool::get(from)? { T::get(from).map(Some) } else { Ok(None) }
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok((A::get(from)?, B::get(from)?))
    }
}

impl Wire for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX).put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        u64::get(from).map(Self::from_nanos)
    }
}

impl Wire for SystemTime {
    fn put(&self, out: &mut Vec<u8>) {
        let nanos = match self.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
        };
        nanos.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let nanos = i64::get(from)?;
        let distance = Duration::from_nanos(nanos.unsigned_abs());
        Ok(if nanos < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance })
    }
}

impl Wire for Capabilities {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, WireError> {
        u64::get(from).map(Self)
    }
}

wire_struct! {
    PodSandbox {
        uid,
        namespace,
        name,
        hostname,
        host_network,
        host_ipc,
        host_pid,
        share_process_namespace,
        run_dir,
        log_dir,
        limits,
        tmpfs,
        shm_bytes,
        sysctls,
    }
    TmpfsVolume { name, size_bytes, mode }
    Limits {
        memory_bytes,
        cpu_request_milli,
        cpu_limit_milli,
        pids,
    }
    ContainerSpec {
        name,
        attempt,
        spec_hash,
        rootfs,
        mounts,
        argv,
        env,
        cwd,
        user,
        limits,
        capabilities,
        no_new_privileges,
        oom_score_adj,
        restart,
        stop_signal,
        tty,
        termination_message_path,
        termination_message_from_logs,
    }
    Mount {
        target,
        read_only,
        kind,
    }
    User { uid, gid, groups, name }
    ExecSpec {
        container,
        argv,
        env,
        cwd,
        tty,
        timeout,
    }
    PodState {
        containers,
        stop_deadline,
    }
    ContainerState {
        name,
        attempt,
        spec_hash,
        phase,
        restart_count,
        last_exit,
    }
    Exit {
        attempt,
        code,
        signal,
        oom,
        started,
        finished,
        reason,
        message,
    }
    ExecExit { code, timed_out }
    Layout { hierarchies }
    Hierarchy { mount, version, controllers }
}

wire_enum! {
    Rootfs { 0 => Overlay { lowers, read_only }, 1 => Directory { path, read_only } }
    MountKind {
        0 => Bind { source, sub_path, recursive },
        1 => Tmpfs { size_bytes, mode },
        2 => PodTmpfs { name, sub_path },
    }
    RestartPolicy { 0 => Always, 1 => OnFailure, 2 => Never }
    ContainerPhase { 0 => Waiting { reason, message, until }, 1 => Running { pid, started }, 2 => Exited(exit) }
    PodEvent { 0 => Container(state), 1 => Lost }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ContainerSpec {
        let rootfs = Rootfs::Overlay { lowers: vec!["/a:b".into(), "/c".into()], read_only: true };
        let mut spec = ContainerSpec::new("web", rootfs, ["sh", "-c", "exit 3"]);
        spec.env.push(("GREETING".into(), "grüß dich".into()));
        spec.mounts.push(Mount::bind("/srv", "/data", true));
        spec.limits.memory_bytes = Some(u64::MAX);
        spec
    }

    #[test]
    fn a_value_survives_the_wire() {
        assert_eq!(decode::<ContainerSpec>(&encode(&spec())), Ok(spec()));
        let before = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(decode::<SystemTime>(&encode(&before)), Ok(before));
    }

    #[test]
    fn every_cut_input_is_an_error() {
        let bytes = encode(&spec());
        for length in 0..bytes.len() {
            assert!(decode::<ContainerSpec>(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn hostile_input_is_an_error_not_a_panic() {
        assert_eq!(decode::<Vec<String>>(&[255; 4]), Err(WireError::Short), "a length that nothing backs");
        assert_eq!(decode::<bool>(&[2]), Err(WireError::Invalid("flag")));
        assert_eq!(decode::<RestartPolicy>(&[9]), Err(WireError::Invalid("RestartPolicy")));
        assert_eq!(decode::<String>(&[1, 0, 0, 0, 255]), Err(WireError::Invalid("text")));
        assert_eq!(decode::<u8>(&[1, 2]), Err(WireError::Long(1)));
    }
}
