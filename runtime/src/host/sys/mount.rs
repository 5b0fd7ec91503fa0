//! Mount attributes of detached trees, which no crate in use offers.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

/// Attribute bits of `mount_setattr(2)` that the engine uses.
pub mod attr {
    /// Read-only.
    pub const RDONLY: u64 = 0x1;
    /// Set-user-id bits do not work.
    pub const NOSUID: u64 = 0x2;
    /// Device files do not work.
    pub const NODEV: u64 = 0x4;
    /// Programs cannot be executed.
    pub const NOEXEC: u64 = 0x8;
}

/// Sets attributes of the mount behind `fd` (with `recursive`, of those below it too) and makes it private.
pub fn set_attributes(fd: BorrowedFd<'_>, set: u64, recursive: bool) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty string that ends with zero; the attributes live through the call and their size
    // is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })?;
    Ok(())
}
