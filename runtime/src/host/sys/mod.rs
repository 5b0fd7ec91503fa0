//! The kernel calls for which no crate in use has a safe function.
//!
//! The only place of the crate with `unsafe`; each block says why it is sound. Nothing here decides anything: a
//! function is one call, its errors are the kernel's.

pub mod mount;
pub mod net;
pub mod process;

use std::io;

/// Turns the result of a C call into an [`io::Result`].
pub(crate) fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
