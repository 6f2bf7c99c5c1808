//! How freed memory goes back to the operating system.
//!
//! By default glibc keeps blocks of up to 32 MiB for later once one of that size was freed. Sealing a segment of the
//! log takes such blocks every few seconds, on changing threads: a server of 46 MiB grew to 195 MiB that way.

/// Gives blocks of a mebibyte and more back as soon as they are freed. Call it before the first thread starts.
pub(crate) fn return_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const MIB: libc::c_int = 1 << 20;
        #[expect(unsafe_code, reason = "the C library's settings have no safe interface")]
        // SAFETY: `mallopt` takes plain numbers and only changes settings of the allocator.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, MIB);
            libc::mallopt(libc::M_TRIM_THRESHOLD, MIB);
        }
    }
}
