//! The C library's heap.

/// Arenas that threads share. glibc makes eight for each processor by default, and what is freed in one cannot be used
/// by a thread of another (`mallopt(3)`).
const ARENAS_MAX: i32 = 2;

/// Keeps the heap small: few arenas for all threads. To be called before there are threads.
pub fn share_arenas() {
    // SAFETY: mallopt takes two integers and only sets a parameter of the allocator.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS_MAX);
    }
}

/// Returns freed memory to the kernel. Takes milliseconds: for when there is nothing else to do.
pub fn give_back() {
    // SAFETY: malloc_trim takes an integer and is safe to call from any thread (`malloc_trim(3)`: MT-Safe).
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
