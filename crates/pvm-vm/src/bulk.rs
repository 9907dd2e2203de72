//! Many bytes moved at once, for loops of compiled code that copy or fill guest memory.
//!
//! What these functions do is what so many rounds of such a loop would have done, one after the other: first as far as the guest
//! may access what they access. They look that up, so nothing is refused to them, however faults are detected.

use crate::{Context, READABLE, WRITABLE};
use pvm_ops::PAGE_SIZE;
use std::ptr;

/// What compiled code calls, in the C convention of the host: the context, where is written, where is read from or what is
/// written (eight bytes of it), and how many bytes may be moved, in rounds of how many (1, 2, 4 or 8). Of addresses the low 32 bits
/// count. Returns how many were moved, in whole rounds: none or eight at least.
pub(crate) type Move = extern "C" fn(*mut Context, u64, u64, u64, u64) -> u64;

/// No call moves more bytes, so that runs are interrupted in time.
pub(crate) const MOST_BYTES: u64 = PAGE_SIZE as u64;
/// None moves fewer: the last of them can be looked at as a word of eight bytes.
const LEAST_BYTES: u64 = 8;

/// Makes rounds that copy: each loads its bytes before it stores them.
pub(crate) extern "C" fn copy(context: *mut Context, to: u64, from: u64, len: u64, bytes: u64) -> u64 {
    let (to, from) = (to as u32, from as u32);
    // SAFETY: compiled code passes the context that it was given, whose pointers are those of a memory (`CompiledFunction::new`).
    let context = unsafe { &mut *context };
    // SAFETY: as above.
    let [writable, readable] =
        unsafe { [context.accessible(to, len, WRITABLE), context.accessible(from, len, READABLE)] };
    let len = writable.min(readable) & !(bytes - 1);
    let ahead = u64::from(to.wrapping_sub(from));
    // A round reads what it has stored itself only if it stores one piece before it loads the next.
    if len < LEAST_BYTES || (ahead != 0 && ahead < bytes) {
        return 0;
    }
    let to = context.memory.wrapping_add(to as usize);
    let from = context.memory.wrapping_add(from as usize).cast_const();
    let bytes = len as usize;
    // SAFETY: all of both ranges is accessible, so it is in the reservation, and nobody else has it while the guest runs.
    unsafe {
        if ahead >= len || ahead == 0 {
            // Nothing is stored where a later round reads.
            context.moved = word(from.add(bytes - 8));
            ptr::copy(from, to, bytes);
        } else {
            repeat(from, to, ahead as usize, bytes);
            context.moved = word(to.add(bytes - 8));
        }
    }
    len
}

/// Eight bytes, as guests load them.
///
/// # Safety
///
/// They can be read.
unsafe fn word(at: *const u8) -> u64 {
    // SAFETY: the caller says so.
    u64::from_le_bytes(unsafe { at.cast::<[u8; 8]>().read() })
}

/// Copies where later rounds read what earlier ones have stored: so many bytes are the same again and again.
///
/// # Safety
///
/// `to` is so many bytes behind `from`, and from there on `len` bytes may be written and all before them read.
#[cold]
#[inline(never)]
unsafe fn repeat(from: *const u8, to: *mut u8, period: usize, len: usize) {
    let mut done = 0;
    while done < len {
        // From `from` on all is repeated up to `done`, a multiple of the period.
        let piece = (period + done).min(len - done);
        // SAFETY: the caller says so; the piece ends where the place begins that it is copied to.
        unsafe { ptr::copy_nonoverlapping(from, to.add(done), piece) };
        done += piece;
    }
}

/// Makes rounds that store the same each time.
pub(crate) extern "C" fn fill(context: *mut Context, to: u64, pattern: u64, len: u64, bytes: u64) -> u64 {
    let to = to as u32;
    // SAFETY: as in `copy`.
    let context = unsafe { &*context };
    // SAFETY: as there.
    let len = unsafe { context.accessible(to, len, WRITABLE) } & !(bytes - 1);
    if len < LEAST_BYTES {
        return 0;
    }
    let to = context.memory.wrapping_add(to as usize);
    let pattern = pattern.to_le_bytes();
    let (words, rest) = (len as usize & !7, len as usize & 7);
    // SAFETY: as there.
    unsafe {
        if pattern == [pattern[0]; 8] {
            ptr::write_bytes(to, pattern[0], words + rest);
        } else {
            (0..words).step_by(8).for_each(|at| to.add(at).cast::<[u8; 8]>().write(pattern));
            ptr::copy_nonoverlapping(pattern.as_ptr(), to.add(words), rest);
        }
    }
    len
}

impl Context {
    /// How many of so many bytes from an address on the guest may access like this, up to the first that it may not. They are as
    /// many as a page has at most, and no fewer than one.
    ///
    /// # Safety
    ///
    /// The rights are those of a memory.
    #[inline(always)]
    unsafe fn accessible(&self, address: u32, len: u64, right: u8) -> u64 {
        let address = u64::from(address);
        let page = |address: u64| (address / u64::from(PAGE_SIZE)) as usize;
        let last = page(address + len - 1);
        // SAFETY: there is a byte for each page below 2^32, and one behind them.
        let has_right = |page: usize| unsafe { *self.rights.add(page) } & right != 0;
        match (has_right(page(address)), has_right(last)) {
            (true, true) => len,
            (true, false) => last as u64 * u64::from(PAGE_SIZE) - address,
            (false, _) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Links;
    use crate::{FaultDetection, Memory};
    use pvm_ops::Access;
    use std::ptr::null;

    const START: u32 = 0x20000;
    const LEN: u32 = 3 * PAGE_SIZE;

    /// Three pages, of which the second may not be written.
    fn memory() -> Memory {
        let mut memory = Memory::new(1 << 32, FaultDetection::Checks, 0).unwrap();
        memory.map(START, u64::from(LEN), Access::ReadWrite).unwrap();
        let bytes: Vec<u8> = (0..LEN).map(|at| (at * 7 + at / 251) as u8).collect();
        memory.write(START, &bytes).unwrap();
        memory.protect(START + PAGE_SIZE, u64::from(PAGE_SIZE), Access::Read).unwrap();
        memory
    }

    fn context(memory: &mut Memory) -> Context {
        let mut context = Context::default();
        context.set_links(Links::unanswered(memory.base(), memory.rights(), null()));
        context
    }

    fn contents(memory: &Memory) -> Vec<u8> {
        let mut bytes = vec![0; LEN as usize];
        memory.read(START, &mut bytes).unwrap();
        bytes
    }

    /// Makes rounds one by one, each of which stores what it gets from `piece`; returns what it stored last.
    fn one_by_one(
        memory: &mut Memory,
        to: u32,
        rounds: u64,
        bytes: u64,
        piece: impl Fn(&Memory, u32) -> [u8; 8],
    ) -> Vec<u8> {
        let mut last = Vec::new();
        for round in 0..rounds {
            let at = (round * bytes) as u32;
            last = piece(memory, at)[..bytes as usize].to_vec();
            memory.write(to + at, &last).unwrap();
        }
        last
    }

    #[test]
    fn what_is_copied_is_what_single_rounds_copy() {
        for bytes in [1, 2, 4, 8] {
            for len in [8, 16, 40, 104, 1000] {
                for (to, from) in (0..40).flat_map(|apart| [(500 + apart, 500), (500, 500 + apart)]) {
                    let (to, from) = (START + to, START + from);
                    let [mut found, mut expected] = [memory(), memory()];
                    let mut context = context(&mut found);
                    let copied = copy(&mut context, to.into(), from.into(), len, bytes);
                    if copied == 0 {
                        assert!(
                            u64::from(to.wrapping_sub(from)) < bytes && to != from,
                            "{to:#x} {from:#x} {len} {bytes}"
                        );
                        continue;
                    }
                    assert_eq!(copied, len);
                    let last = one_by_one(&mut expected, to, len / bytes, bytes, |memory, at| {
                        let mut piece = [0; 8];
                        memory.read(from + at, &mut piece[..bytes as usize]).unwrap();
                        piece
                    });
                    assert!(contents(&found) == contents(&expected), "{to:#x} {from:#x} {len} {bytes}");
                    assert_eq!(context.moved.to_le_bytes()[8 - bytes as usize..], last);
                }
            }
        }
    }

    #[test]
    fn what_fills_is_what_single_rounds_store() {
        for (bytes, pattern) in [
            (1, 0x1717_1717_1717_1717),
            (2, 0x0203_0203_0203_0203),
            (4, 0x0102_0304_0102_0304),
            (8, 0x0102_0304_0506_0708_u64),
        ] {
            for rounds in [8, 9, 31, 100] {
                let [mut found, mut expected] = [memory(), memory()];
                assert_eq!(
                    fill(&mut context(&mut found), u64::from(START) + 3, pattern, rounds * bytes, bytes),
                    rounds * bytes
                );
                one_by_one(&mut expected, START + 3, rounds, bytes, |_, _| pattern.to_le_bytes());
                assert!(contents(&found) == contents(&expected), "{bytes} {rounds}");
            }
        }
    }

    #[test]
    fn no_byte_is_accessed_that_the_guest_may_not() {
        let mut memory = memory();
        let mut context = context(&mut memory);
        let before = contents(&memory);
        let [start, second, end] = [0, PAGE_SIZE, LEN].map(|at| u64::from(START + at));
        assert_eq!(fill(&mut context, second - 41, 0, 400, 4), 40);
        assert_eq!(copy(&mut context, second - 23, start, 400, 8), 16);
        assert_eq!(copy(&mut context, start, end - 100, 1000, 1), 100);
        assert_eq!(fill(&mut context, second, 0, 100, 1), 0);
        assert_eq!(contents(&memory)[PAGE_SIZE as usize..], before[PAGE_SIZE as usize..]);
        for (to, from) in
            [(second, start), (second - 7, start), (start - 1, start), (start, end), (start, end - 7), (end, start)]
        {
            assert_eq!(copy(&mut context, to, from, 100, 1), 0, "{to:#x} {from:#x}");
        }
    }

    #[test]
    fn addresses_end_where_guest_memory_does() {
        let mut memory = Memory::new(1 << 32, FaultDetection::Checks, 0).unwrap();
        memory.map(0u32.wrapping_sub(PAGE_SIZE), u64::from(PAGE_SIZE), Access::ReadWrite).unwrap();
        memory.map(0, u64::from(PAGE_SIZE), Access::ReadWrite).unwrap();
        let mut context = context(&mut memory);
        assert_eq!(fill(&mut context, (1 << 32) - 20, 0, 80, 8), 16);
        assert_eq!(copy(&mut context, 100, (5 << 32) - 20, 80, 8), 16, "of addresses 32 bits count");
    }
}
