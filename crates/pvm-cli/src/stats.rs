//! What `--stats` reports.

use crate::Io;
use pvm_runtime::{CompileStats, Stats};
use serde::Serialize;
use std::time::Duration;

/// Where the time went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Reading the input and telling what it is.
    pub load: Duration,
    /// Making it ready to run.
    pub prepare: Duration,
    /// Running it, compiling included.
    pub run: Duration,
}

/// The figures, with the names that they have in JSON.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Report {
    instructions_interpreted: u64,
    instructions_native: u64,
    /// How often machine code was entered from outside of it.
    native_entries: u64,
    /// How many of these times it was there already.
    cache_hits: u64,
    regions_compiled: u64,
    regions_evicted: u64,
    blocks_compiled: u64,
    instructions_compiled: u64,
    guest_bytes_compiled: u64,
    code_bytes: u64,
    /// Of that, outside of cold ways.
    hot_bytes: u64,
    code_memory_bytes: u64,
    /// Accesses for which the host watches.
    landings: u64,
    side_table_bytes: u64,
    time_us: TimesReport,
}

/// Times in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct TimesReport {
    load: u64,
    prepare: u64,
    /// Finding blocks for the compiler.
    blocks: u64,
    compile: u64,
    run: u64,
}

impl Report {
    /// Puts the figures together.
    pub fn new(stats: Stats, compiled: CompileStats, times: Times) -> Report {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Report {
            instructions_interpreted: stats.instructions_interpreted,
            instructions_native: stats.instructions_native,
            native_entries: stats.native_entries,
            cache_hits: stats.native_entries.saturating_sub(compiled.regions),
            regions_compiled: compiled.regions,
            regions_evicted: compiled.evicted,
            blocks_compiled: compiled.blocks,
            instructions_compiled: compiled.instructions,
            guest_bytes_compiled: compiled.guest_bytes,
            code_bytes: compiled.code_bytes,
            hot_bytes: compiled.hot_bytes,
            code_memory_bytes: compiled.memory_bytes,
            landings: compiled.landings,
            side_table_bytes: compiled.side_table_bytes,
            time_us: TimesReport {
                load: us(times.load),
                prepare: us(times.prepare),
                blocks: us(compiled.blocks_time),
                compile: us(compiled.time),
                run: us(times.run.saturating_sub(compiled.blocks_time + compiled.time)),
            },
        }
    }

    /// Prints the figures as a table on standard error.
    pub fn print(&self, io: &mut Io<'_>) {
        let times = &self.time_us;
        for (name, time) in [
            ("load", times.load),
            ("prepare", times.prepare),
            ("find blocks", times.blocks),
            ("compile", times.compile),
            ("run", times.run),
        ] {
            io.note(&format!("time: {name:<27} {:>14.3} ms", time as f64 / 1000.0));
        }
        for (name, value) in [
            ("instructions interpreted", self.instructions_interpreted),
            ("instructions run as machine code", self.instructions_native),
            ("entries into machine code", self.native_entries),
            ("  found in the code cache", self.cache_hits),
            ("regions compiled", self.regions_compiled),
            ("regions evicted", self.regions_evicted),
            ("blocks compiled", self.blocks_compiled),
            ("instructions compiled", self.instructions_compiled),
            ("guest code compiled, bytes", self.guest_bytes_compiled),
            ("machine code, bytes", self.code_bytes),
            ("  outside of cold ways", self.hot_bytes),
            ("executable memory, bytes", self.code_memory_bytes),
            ("accesses with landings", self.landings),
            ("side tables, bytes", self.side_table_bytes),
        ] {
            io.note(&format!("{name:<33} {value:>14}"));
        }
    }
}

/// Adds up what several runs did.
pub fn add(total: &mut (Stats, CompileStats), stats: Stats, compiled: CompileStats) {
    total.0.instructions_interpreted += stats.instructions_interpreted;
    total.0.instructions_native += stats.instructions_native;
    total.0.native_entries += stats.native_entries;
    total.1.regions += compiled.regions;
    total.1.evicted += compiled.evicted;
    total.1.blocks += compiled.blocks;
    total.1.instructions += compiled.instructions;
    total.1.guest_bytes += compiled.guest_bytes;
    total.1.code_bytes += compiled.code_bytes;
    total.1.hot_bytes += compiled.hot_bytes;
    total.1.memory_bytes += compiled.memory_bytes;
    total.1.landings += compiled.landings;
    total.1.side_table_bytes += compiled.side_table_bytes;
    total.1.blocks_time += compiled.blocks_time;
    total.1.time += compiled.time;
}
