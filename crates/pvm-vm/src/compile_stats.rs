//! What compiling has made, and what that took.

use std::ops::Add;
use std::time::Duration;

/// What has been compiled of a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompileStats {
    /// Regions: pieces of code that were compiled together.
    pub regions: u64,
    /// Regions that had to make room for others since, or whose code has changed.
    pub evicted: u64,
    /// Blocks in them; host calls and heap requests end a block here.
    pub blocks: u64,
    /// Guest instructions in them.
    pub instructions: u64,
    /// Guest code in them, in bytes.
    pub guest_bytes: u64,
    /// Machine code, in bytes.
    pub code_bytes: u64,
    /// Of that, machine code outside of cold ways: what runs while nothing is refused and regions are neither entered nor left, in
    /// bytes. Branch tables, which lie behind all code, are not part of it.
    pub hot_bytes: u64,
    /// Executable memory in use now, in bytes: whole pages.
    pub memory_bytes: u64,
    /// Accesses to memory in that code for which the host watches, and that have a place to go on at if it refuses.
    pub landings: u64,
    /// Memory for tables beside the code: where to go on after refused accesses, and where dynamic jumps lead, in bytes.
    pub side_table_bytes: u64,
    /// Time spent finding the program's blocks, before the first region is compiled.
    pub blocks_time: Duration,
    /// Time spent compiling.
    pub time: Duration,
}

impl Add for CompileStats {
    type Output = CompileStats;

    fn add(self, other: CompileStats) -> CompileStats {
        CompileStats {
            regions: self.regions + other.regions,
            evicted: self.evicted + other.evicted,
            blocks: self.blocks + other.blocks,
            instructions: self.instructions + other.instructions,
            guest_bytes: self.guest_bytes + other.guest_bytes,
            code_bytes: self.code_bytes + other.code_bytes,
            hot_bytes: self.hot_bytes + other.hot_bytes,
            memory_bytes: self.memory_bytes + other.memory_bytes,
            landings: self.landings + other.landings,
            side_table_bytes: self.side_table_bytes + other.side_table_bytes,
            blocks_time: self.blocks_time + other.blocks_time,
            time: self.time + other.time,
        }
    }
}
