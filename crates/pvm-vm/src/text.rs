//! The code of the process itself, as far as it is in memory.

/// Gives back the pages of the program's own code and its libraries'; what runs again is mapped again.
///
/// Linux maps 64 KiB of code wherever a page is touched. What a program has needed to read arguments and input is of no use
/// later, but stays resident to the end. This is for programs to call when they are about to run a guest, as it concerns the
/// whole process; elsewhere it does nothing.
pub fn release_code() {
    #[cfg(target_os = "linux")]
    {
        // That is for the sake of memory alone.
        _ = linux::release_code();
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::mm::{Advice, madvise};
    use std::fs::{File, read_to_string};
    use std::io;
    use std::ops::Range;
    use std::os::unix::fs::FileExt;

    pub fn release_code() -> io::Result<()> {
        let (mappings, pages) = (read_to_string("/proc/self/maps")?, File::open("/proc/self/pagemap")?);
        for code in code(&mappings) {
            if is_unchanged(&code, &pages)? {
                let start = std::ptr::with_exposed_provenance_mut(code.start);
                // SAFETY: a private mapping of a file, not writable, of which no page has been changed (as debuggers and
                // relocations do): what is read there is what the file holds, before that and afterwards. It still is that
                // mapping, as no library is unloaded.
                unsafe { madvise(start, code.len(), Advice::LinuxDontNeed) }?;
            }
        }
        Ok(())
    }

    /// Where files are mapped as code (proc_pid_maps(5)).
    pub fn code(mappings: &str) -> impl Iterator<Item = Range<usize>> {
        mappings.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let [range, "r-xp", _, _, _, file, ..] = words[..] else { return None };
            let (start, end) = range.split_once('-')?;
            let address = |digits| usize::from_str_radix(digits, 16).ok();
            file.starts_with('/').then_some(address(start)?..address(end)?)
        })
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

    #[test]
    fn code_of_files_is_found() {
        let mappings = "\
            1000-3000 r-xp 00001000 fe:00 7                    /bin/a program\n\
            4000-5000 r--p 00003000 fe:00 7                    /bin/a program\n\
            5000-6000 r-xp 00000000 00:00 0 \n\
            6000-7000 r-xp 00000000 00:00 0                    [vdso]\n\
            7000-8000 rwxp 00000000 fe:00 9                    /lib/writable.so\n\
            7f0000000000-7f0000001000 r-xp 00000000 fe:00 9    /lib/last.so\n";
        assert_eq!(linux::code(mappings).collect::<Vec<_>>(), [0x1000..0x3000, 0x7f00_0000_0000..0x7f00_0000_1000]);
    }

    #[test]
    fn pages_of_nobody_but_the_process_are_told_from_those_of_files() {
        let pages = File::open("/proc/self/pagemap").unwrap();
        let mappings = read_to_string("/proc/self/maps").unwrap();
        let own = linux::code(&mappings).next().expect("tests are code");
        assert!(linux::is_unchanged(&own, &pages).unwrap());
        let heap = vec![1_u8; 1 << 20];
        let start = heap.as_ptr().expose_provenance().next_multiple_of(rustix::param::page_size());
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
