//! Processes: fork, clone3, capabilities, descriptors, signals, the process title.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::check;

/// Which side of a fork the caller is on.
#[derive(Debug)]
pub enum Fork {
    /// In the new process.
    Child,
    /// In the process that forked; holds the child's id.
    Parent(i32),
}

/// Forks the calling process.
///
/// Meant for processes with one thread: in a child of a threaded process another thread's locks stay held for good.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: fork takes no pointer; the callers are single-threaded, so that the child's heap and locks are sound.
    match check(unsafe { libc::fork() }.into())? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid as i32)),
    }
}

/// Which side of a clone the caller is on.
#[derive(Debug)]
pub enum Clone {
    /// In the new process.
    Child,
    /// In the process that cloned.
    Parent {
        /// The child's id.
        pid: i32,
        /// A descriptor that names the child and no later process of the same id.
        pidfd: OwnedFd,
    },
}

/// Forks with new namespaces (`CLONE_NEW*` in `namespaces`), without sharing anything, and returns a pidfd.
pub fn clone_into(namespaces: i32) -> io::Result<Clone> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain integers, for which all zeroes is a valid value meaning "not used".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces as u64 | libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: args lives through the call and its size is passed; without CLONE_VM and a stack this behaves as
    // fork, and the callers are single-threaded.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match check(result)? {
        0 => Ok(Clone::Child),
        pid => {
            // SAFETY: the kernel has stored a new descriptor that nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Clone::Parent { pid: pid as i32, pidfd })
        }
    }
}

/// Ends the process at once: no destructor, no flush, nothing of the parent's that was copied.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// Opens a pidfd of process `pid`.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: integers only.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Sends a signal to the process behind `pidfd`.
pub fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: a null siginfo is documented to mean the same as kill(2) would fill in.
    check(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    })?;
    Ok(())
}

/// Marks every descriptor from `first` on to be closed by execve.
pub fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    // SAFETY: integers only; it only sets a flag of descriptors.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) })?;
    Ok(())
}

/// Closes every descriptor above the standard three except those of `keep`, in a process that has just been forked.
pub fn close_all_except(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<RawFd> = keep.iter().copied().filter(|fd| *fd > 2).collect();
    keep.sort_unstable();
    let mut first: libc::c_uint = 3;
    for fd in keep.iter().map(|fd| *fd as libc::c_uint).chain([libc::c_uint::MAX]) {
        let last = if fd == libc::c_uint::MAX { fd } else { fd - 1 };
        if first <= last {
            // SAFETY: integers only. Rust values that own these descriptors are those of the parent image; the caller
            // has just forked and never touches them again.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
        }
        first = fd.saturating_add(1);
    }
    Ok(())
}

/// Makes `target` (0, 1 or 2) a copy of `source` that survives execve.
pub fn duplicate_onto(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    if source.as_raw_fd() == target {
        // SAFETY: fcntl with integers; clears close-on-exec, which dup2 onto itself would leave.
        check(unsafe { libc::fcntl(target, libc::F_SETFD, 0) }.into())?;
        return Ok(());
    }
    // SAFETY: replaces one of the standard descriptors, which no owned value of this program stands for.
    check(unsafe { libc::dup2(source.as_raw_fd(), target) }.into())?;
    Ok(())
}

/// Gives every signal its default action and blocks none, as a program expects to be started.
pub fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is a valid handler for each signal; numbers that refuse it (KILL, STOP, libc's own) fail
        // without effect.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: sigset_t is plain data, emptied before it is used.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Ignores a signal in this process.
pub fn ignore_signal(signal: i32) {
    // SAFETY: SIG_IGN is a valid handler.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Takes a capability (by number) from the bounding set. Numbers that the kernel does not know are not an error.
pub fn drop_bounding(capability: u32) -> io::Result<()> {
    // SAFETY: integers only.
    match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) }.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        other => other.map(drop),
    }
}

/// Sets permitted and effective capabilities to `mask` and inheritable to none.
pub fn set_capabilities(mask: u64) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |bits: u32| Data { effective: bits, permitted: bits, inheritable: 0 };
    let data = [half(mask as u32), half((mask >> 32) as u32)];
    // SAFETY: both structures have the layout of version 3 of capset(2) and live through the call.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}

/// Replaces the program. Returns only on failure.
pub fn execute(path: &CStr, argv: &[*const libc::c_char], envp: &[*const libc::c_char]) -> io::Error {
    debug_assert!(argv.last().is_some_and(|last| last.is_null()) && envp.last().is_some_and(|last| last.is_null()));
    // SAFETY: the lists end with a null pointer and point to strings that the caller keeps alive.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// Overwrites the command line that `ps` shows. Best effort: a longer title is cut to what the old one occupied.
pub fn set_title(title: &str) {
    // SAFETY: the name is a string that ends with zero and lives through the call.
    if let Ok(name) = std::ffi::CString::new(title.chars().take(15).collect::<String>()) {
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
    }
    // Fields 48 and 49 of /proc/self/stat, counted from the one after the closing bracket of the name.
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return };
    let Some((_, fields)) = stat.rsplit_once(')') else { return };
    let mut fields = fields.split_whitespace().skip(45);
    let (Some(Ok(start)), Some(Ok(end))) = (fields.next().map(str::parse), fields.next().map(str::parse)) else {
        return;
    };
    let (start, end): (usize, usize) = (start, end);
    let Some(room) = end.checked_sub(start).filter(|room| *room > 1 && start != 0) else { return };
    let length = title.len().min(room - 1);
    // SAFETY: the kernel says that [start, end) is this process's writable argument area; Rust's copies of the
    // arguments were made before or are only read as bytes, and the last byte stays zero.
    unsafe {
        std::ptr::write_bytes(start as *mut u8, 0, room);
        std::ptr::copy_nonoverlapping(title.as_ptr(), start as *mut u8, length);
    }
}

/// Makes the terminal behind `fd` the controlling terminal of this session.
pub fn take_terminal(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes an integer.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSCTTY, 0) }.into())?;
    Ok(())
}

/// Gives unused heap pages back to the kernel.
pub fn trim_heap() {
    // SAFETY: malloc_trim takes an integer and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Returns the capabilities that this process may use.
pub fn permitted_capabilities() -> u64 {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let mut header = Header { version: 0x2008_0522, pid: 0 };
    let mut data = [[0_u32; 3]; 2];
    // SAFETY: both have the layout of version 3 of capget(2) (effective, permitted, inheritable, twice) and live
    // through the call.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    if result < 0 { 0 } else { u64::from(data[0][1]) | u64::from(data[1][1]) << 32 }
}

/// Returns the milliseconds since boot, the time a host slept included.
pub fn boottime_ms() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure lives through the call, which fills it.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}
