//! The kernel calls for which no crate in use has a safe function.
//!
//! The only place of the crate with `unsafe`; each block says why it is sound. Nothing here decides anything: a
//! function is one call, its errors are the kernel's.

pub mod heap;
pub mod mount;
pub mod net;
pub mod process;

use std::io;

/// Turns the result of a C call into an [`io::Result`].
pub(crate) fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A zygote for tests, forked before the test harness has threads, as a daemon's `main` would do it.
#[cfg(test)]
pub mod at_start {
    use std::sync::{Arc, OnceLock};

    use crate::host::zygote::Zygote;

    static ZYGOTE: OnceLock<Arc<Zygote>> = OnceLock::new();
    static AT_EXIT: OnceLock<fn()> = OnceLock::new();

    extern "C" fn start() {
        if let Ok(zygote) = Zygote::start() {
            let _ = ZYGOTE.set(Arc::new(zygote));
        }
    }

    // SAFETY: the loader calls each function of this section once, with the C library ready; the function neither
    // needs what Rust sets up before `main` nor unwinds.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static START: extern "C" fn() = start;

    extern "C" fn finish() {
        if let Some(action) = AT_EXIT.get() {
            action();
        }
    }

    /// Returns the zygote.
    pub fn zygote() -> Arc<Zygote> {
        ZYGOTE.get().expect("a zygote was forked at the start").clone()
    }

    /// Runs `action` when the process exits; only the first one given.
    pub fn at_exit(action: fn()) {
        if AT_EXIT.set(action).is_ok() {
            // SAFETY: the function has the type that atexit wants and does not unwind.
            unsafe { libc::atexit(finish) };
        }
    }
}
