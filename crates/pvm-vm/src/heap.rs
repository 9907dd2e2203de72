//! The heap of the process.

/// Has the C library give large allocations pages of their own, and give these back as soon as they are free.
///
/// Compiling takes and frees arrays of some hundred KiB, of which only a part is ever touched. The C library of Linux
/// notices that, and puts them among the small ones from then on, where they leave gaps that stay resident: a tenth of what a
/// process takes. This is for programs to call, as it concerns the whole process; elsewhere it does nothing.
pub fn return_large_allocations() {
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    {
        /// What the C library begins with.
        const LARGE: libc::c_int = 128 << 10;
        // SAFETY: a call of the C library that takes two numbers, and may be made by any thread at any time.
        let is_set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
        debug_assert_eq!(is_set, 1, "the number is one that the C library takes");
    }
}
