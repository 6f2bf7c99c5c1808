//! How freed memory goes back to the operating system.
//!
//! By default glibc gives almost every thread a heap of its own, and keeps blocks of up to 32 MiB for later once one of
//! that size was freed. Sealing a segment of the log takes such blocks every second under load, on changing threads: a
//! server of 40 MiB grew beyond 300 MiB that way. With one heap requests are as fast: what they take and give back
//! stays with their threads.

/// Keeps one heap, and gives large blocks back as soon as they are freed: for a process that lasts. Call it before the
/// first thread starts.
pub(crate) fn return_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE_BYTES: libc::c_int = 256 << 10;
        #[expect(unsafe_code, reason = "the C library's settings have no safe interface")]
        // SAFETY: `mallopt` takes plain numbers and only changes settings of the allocator.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
            libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE_BYTES);
        }
    }
}
