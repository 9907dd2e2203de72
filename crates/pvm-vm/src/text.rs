//! The code and constants of the process itself, as far as they are in memory.

/// Gives back the pages of the program's own code and constants and its libraries'; what is wanted again is mapped again.
///
/// Linux maps 64 KiB of code wherever a page is touched. What a program has needed to read arguments and input is of no use
/// later, but stays resident to the end. This is for programs to call when they are about to run a guest, or to compile much,
/// as it concerns the whole process; elsewhere it does nothing.
pub fn release_code() {
    #[cfg(target_os = "linux")]
    {
        // That is for the sake of memory alone.
        _ = linux::release_code();
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use libc::{PF_W, PT_LOAD, c_int, c_void, dl_iterate_phdr, dl_phdr_info, size_t};
    use rustix::mm::{Advice, madvise};
    use std::fs::File;
    use std::io;
    use std::ops::Range;
    use std::os::unix::fs::FileExt;
    use std::{ptr, slice};

    pub fn release_code() -> io::Result<()> {
        let pages = File::open("/proc/self/pagemap")?;
        let mut result = Ok(());
        for_each_segment(|segment| {
            let release = || {
                if is_unchanged(&segment, &pages)? {
                    let start = ptr::with_exposed_provenance_mut(segment.start);
                    // SAFETY: a private mapping of a file, not writable, of which no page has been changed (as debuggers and
                    // relocations do): what is read there is what the file holds, before that and afterwards. It is mapped as
                    // long as this runs.
                    unsafe { madvise(start, segment.len(), Advice::LinuxDontNeed) }?;
                }
                Ok(())
            };
            if result.is_ok() {
                result = release();
            }
        });
        result
    }

    /// Calls `each` with the pages of each segment of the program and its libraries that nobody writes to. Meanwhile no library is
    /// loaded or unloaded, and none must be by `each`.
    pub fn for_each_segment<F: FnMut(Range<usize>)>(mut each: F) {
        unsafe extern "C" fn visit<F: FnMut(Range<usize>)>(
            info: *mut dl_phdr_info,
            _: size_t,
            each: *mut c_void,
        ) -> c_int {
            // SAFETY: the loader passes what is valid during the call, and `each` as it was given, which nobody else has.
            let (info, each) = unsafe { (&*info, &mut *each.cast::<F>()) };
            if info.dlpi_phnum == 0 {
                return 0;
            }
            // SAFETY: so many headers are there (dl_iterate_phdr(3)).
            let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
            let page = rustix::param::page_size();
            for header in headers.iter().filter(|header| header.p_type == PT_LOAD && header.p_flags & PF_W == 0) {
                let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
                let end = start.wrapping_add(header.p_memsz as usize).next_multiple_of(page);
                each(start / page * page..end);
            }
            0
        }
        // SAFETY: `visit` takes what it is called with, and `each` lives as long as the call takes.
        unsafe { dl_iterate_phdr(Some(visit::<F>), ptr::from_mut(&mut each).cast()) };
    }

    /// Whether all pages there are those of a file (proc_pid_pagemap(5)).
    pub fn is_unchanged(range: &Range<usize>, pages: &File) -> io::Result<bool> {
        const IN_MEMORY: u64 = 3 << 62; // or swapped out
        const IN_FILE: u64 = 1 << 61;
        let size = rustix::param::page_size();
        let mut entries = vec![0; range.len() / size * 8];
        pages.read_exact_at(&mut entries, (range.start / size * 8) as u64)?;
        let (entries, _) = entries.as_chunks();
        Ok(entries
            .iter()
            .map(|&entry| u64::from_ne_bytes(entry))
            .all(|entry| entry & IN_MEMORY == 0 || entry & IN_FILE != 0))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::{File, read_to_string};
    use std::sync::atomic::AtomicU32;

    #[test]
    fn segments_have_code_and_constants_and_nothing_that_changes() {
        static CONSTANT: [u32; 2] = [1, 2];
        static CHANGING: AtomicU32 = AtomicU32::new(3);
        let is_there = |address: usize| {
            let mut found = false;
            linux::for_each_segment(|segment| found |= segment.contains(&address));
            found
        };
        assert!(is_there(release_code as fn() as usize));
        assert!(is_there(CONSTANT.as_ptr().addr()));
        assert!(!is_there((&raw const CHANGING).addr()));
        assert!(!is_there(Box::new(4).as_ref() as *const i32 as usize));
    }

    #[test]
    fn pages_of_nobody_but_the_process_are_told_from_those_of_files() {
        let pages = File::open("/proc/self/pagemap").unwrap();
        let size = rustix::param::page_size();
        let code = (release_code as fn() as usize) / size * size;
        assert!(linux::is_unchanged(&(code..code + size), &pages).unwrap());
        let heap = vec![1_u8; 1 << 20];
        let start = heap.as_ptr().expose_provenance().next_multiple_of(size);
        assert!(!linux::is_unchanged(&(start..start + (1 << 19)), &pages).unwrap());
    }

    #[test]
    fn less_is_resident_and_code_still_runs() {
        let resident = || -> u64 {
            let status = read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let before = resident();
        release_code();
        let after = resident();
        assert!(after < before, "{after} KiB, {before} before");
    }
}
