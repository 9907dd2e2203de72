//! The calls of JAM: results, ranges, numbers, and machines within machines.

use pvm_host::calls::{
    Account, Call, FULL, Full, General, HUH, InnerMachines, NONE, OK, OOB, Refine, SEGMENT, WHO, link_general,
    link_heap, link_inner, link_machine, link_refine, number,
};
use pvm_host::{COST, WHAT};
use pvm_runtime::{Access, Config, Engine, Exit, GasModel, Instance, Linker, Module, Options, Profile, Store};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The state of an embedder.
#[derive(Default)]
struct Host {
    stored: BTreeMap<Vec<u8>, Vec<u8>>,
    segments: Vec<Box<[u8; SEGMENT]>>,
    lines: Vec<String>,
    machines: InnerMachines,
}

impl General for Host {
    fn fetch(&mut self, kind: u64, indices: [u64; 2]) -> Option<Vec<u8>> {
        (kind < 3).then(|| vec![kind as u8, indices[0] as u8, indices[1] as u8])
    }

    fn lookup(&mut self, service: Option<u64>, hash: &[u8; 32]) -> Option<Vec<u8>> {
        service.is_none().then(|| hash[..2].to_vec())
    }

    fn read(&mut self, service: Option<u64>, key: &[u8]) -> Option<Vec<u8>> {
        self.stored.get(key).filter(|_| service.is_none()).cloned()
    }

    fn write(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<Option<u64>, Full> {
        let former = match value {
            Some(value) if value.len() > 4 => return Err(Full),
            Some(value) => self.stored.insert(key.to_vec(), value.to_vec()),
            None => self.stored.remove(key),
        };
        Ok(former.map(|value| value.len() as u64))
    }

    fn info(&mut self, service: Option<u64>) -> Option<Account> {
        service.is_none().then(|| Account { amounts: [1, 2, 3, 4, 5], items: 6, ..Account::default() })
    }
}

impl Refine for Host {
    fn historical_lookup(&mut self, _: Option<u64>, _: &[u8; 32]) -> Option<Vec<u8>> {
        None
    }

    fn export(&mut self, segment: Box<[u8; SEGMENT]>) -> Option<u64> {
        self.segments.push(segment);
        Some(self.segments.len() as u64 - 1).filter(|&index| index < 2)
    }
}

fn linker(profile: Profile) -> Linker<Host> {
    let mut linker = Linker::new();
    link_machine(&mut linker, |host: &mut Host, message| host.lines.push(message.to_string()));
    link_general(&mut linker, profile, |host: &mut Host| host);
    link_refine(&mut linker, profile, |host: &mut Host| host);
    link_inner(&mut linker, profile, |host: &mut Host| &mut host.machines);
    linker
}

/// A guest that makes one call after the other, with memory from 0x20000 (writable) and 0x30000 (not), a page each.
struct Guest {
    store: Store<Host>,
    profile: Profile,
}

/// Calls the host with its number as `N`, then halts; assembled for each number.
fn caller(engine: &Engine, profile: Profile, number: u64) -> Module {
    let text = format!(".format raw\n.profile {profile}\n ecalli {number}\n jump_ind r0, 0");
    let options = Options { profile: Some(profile), gas_model: Some(GasModel::Instruction) };
    Module::new(engine, &pvm_asm::assemble(&text).unwrap(), options).unwrap()
}

fn guests() -> Vec<Guest> {
    let engine = Engine::new(&Config { jit_threshold: 0, ..Config::default() }).unwrap();
    [Profile::V0_7, Profile::V0_8]
        .map(|profile| {
            let module = caller(&engine, profile, 0);
            Guest { store: Store::new(&module, &linker(profile), Host::default()).unwrap(), profile }
        })
        .into()
}

impl Guest {
    /// Makes a call with these arguments, and returns how it ended and its result.
    fn call(&mut self, call: Call, arguments: &[u64]) -> (Exit, u64) {
        self.call_number(number(call, self.profile), arguments)
    }

    fn call_number(&mut self, number: u64, arguments: &[u64]) -> (Exit, u64) {
        let engine = self.store.instance().module().engine().clone();
        let instance = Instance::new(&caller(&engine, self.profile, number), &[]).unwrap();
        let former = std::mem::replace(self.store.instance_mut(), instance);
        let instance = self.store.instance_mut();
        // The memory is that of the call before.
        for (address, access) in [(0x20000, Access::ReadWrite), (0x30000, Access::Read)] {
            instance.memory_mut().map(address, 4096, access).unwrap();
            let bytes = former.memory().read_vec(address, 4096).unwrap_or(vec![0; 4096]);
            instance.memory_mut().initialise(address, &bytes).unwrap();
        }
        instance.registers_mut()[0] = 0xffff_0000;
        instance.registers_mut()[7..7 + arguments.len()].copy_from_slice(arguments);
        instance.set_gas(1000);
        let exit = self.store.run().unwrap();
        let charged = if exit == Exit::Panic { COST + 1 } else { COST + 2 };
        assert_eq!(self.store.instance().gas(), 1000 - charged, "{number}");
        (exit, self.store.instance().registers()[7])
    }

    fn expect(&mut self, call: Call, arguments: &[u64], result: u64) {
        assert_eq!(self.call(call, arguments), (Exit::Halt, result), "{call:?} {arguments:x?}");
    }

    fn expect_panic(&mut self, call: Call, arguments: &[u64]) {
        let (exit, result) = self.call(call, arguments);
        assert_eq!((exit, result), (Exit::Panic, arguments[0]), "{call:?} {arguments:x?}");
    }

    fn put(&mut self, address: u32, bytes: &[u8]) {
        let memory = self.store.instance_mut().memory_mut();
        if memory.access(address) == Access::None {
            memory.map(address & !0xfff, 4096, Access::ReadWrite).unwrap();
        }
        memory.initialise(address, bytes).unwrap();
    }

    fn bytes(&self, address: u32, len: u64) -> Vec<u8> {
        self.store.instance().memory().read_vec(address, len).unwrap()
    }
}

const AT: u64 = 0x20000;

#[test]
fn numbers_move_in_the_0_8_line() {
    let numbers =
        |profile| [Call::Gas, Call::Fetch, Call::Export, Call::Machine, Call::Expunge].map(|c| number(c, profile));
    assert_eq!(numbers(Profile::V0_7), [0, 1, 7, 8, 13]);
    assert_eq!(numbers(Profile::V0_8), [0, 2, 8, 9, 14]);
}

#[test]
fn values_are_given_by_windows() {
    for mut guest in guests() {
        guest.expect(Call::Gas, &[], 1000 - 1 - COST);
        guest.expect(Call::Fetch, &[AT, 0, 100, 2, 7, 8], 3);
        assert_eq!(guest.bytes(0x20000, 4), [2, 7, 8, 0]);
        guest.expect(Call::Fetch, &[AT + 8, 1, 1, 2, 7, 8], 3);
        assert_eq!(guest.bytes(0x20008, 2), [7, 0]);
        // Both ends are cut to the value, and nothing can be written anywhere.
        guest.expect(Call::Fetch, &[0, u64::MAX, u64::MAX, 2, 0, 0], 3);
        guest.expect(Call::Fetch, &[0, 0, 100, 3, 0, 0], NONE);
        guest.expect_panic(Call::Fetch, &[0x30000, 0, 1, 2, 0, 0]);
        guest.expect_panic(Call::Fetch, &[0x1_0002_0000, 0, 1, 2, 0, 0]);
        guest.put(0x20100, &[9; 32]);
        guest.expect(Call::Lookup, &[u64::MAX, AT + 0x100, AT, 0, 9], 2);
        guest.expect(Call::Lookup, &[1, AT + 0x100, 0, 0, 9], NONE);
        guest.expect_panic(Call::Lookup, &[1, 0x40000, 0, 0, 9]);
        guest.expect(Call::Info, &[u64::MAX, AT, 0, 1000], 96);
        assert_eq!(guest.bytes(0x20020, 8), 1u64.to_le_bytes());
        guest.expect(Call::Info, &[5, 0, 0, 1000], NONE);
        guest.expect(Call::HistoricalLookup, &[1, AT, 0, 0, 9], NONE);
    }
}

#[test]
fn values_are_stored_and_segments_exported() {
    for mut guest in guests() {
        guest.put(0x20000, b"keyvalue");
        guest.expect(Call::Write, &[AT, 3, AT + 3, 2], NONE);
        guest.expect(Call::Write, &[AT, 3, AT + 3, 4], 2);
        guest.expect(Call::Write, &[AT, 3, AT + 3, 5], FULL);
        guest.expect(Call::Read, &[u64::MAX, AT, 3, AT + 16, 1, 9], 4);
        assert_eq!(guest.bytes(0x20010, 4), *b"alu\0");
        guest.expect(Call::Write, &[AT, 3, 0, 0], 4);
        guest.expect(Call::Read, &[u64::MAX, AT, 3, AT + 16, 0, 9], NONE);
        guest.expect_panic(Call::Write, &[AT, 4097, AT, 1]);
        guest.expect_panic(Call::Write, &[AT, 3, AT, u64::MAX]);
        guest.expect(Call::Export, &[AT, 3], 0);
        guest.expect(Call::Export, &[0, 0], 1);
        guest.expect_panic(Call::Export, &[AT, u64::MAX]);
        guest.expect(Call::Export, &[AT, 1], FULL);
        let segments = &guest.store.data().segments;
        assert_eq!((&segments[0][..4], segments[1][0]), (&b"key\0"[..], 0));
    }
}

#[test]
fn unknown_calls_and_logs_cost_and_say_what() {
    for mut guest in guests() {
        guest.put(0x20000, b"hello");
        assert_eq!(guest.call_number(77, &[]), (Exit::Halt, WHAT));
        assert_eq!(guest.call_number(100, &[1, 0, 0, AT, 5]), (Exit::Halt, WHAT));
        assert_eq!(guest.call_number(100, &[1, 0, 0, 0x40000, 5]), (Exit::Halt, WHAT));
        assert_eq!(guest.store.data().lines, ["WARN hello"]);
    }
}

/// Puts a program into the guest's memory; its length.
fn put_program(guest: &mut Guest, text: &str) -> u64 {
    let blob = pvm_asm::assemble(&format!(".format raw\n.profile {}\n{text}", guest.profile)).unwrap();
    guest.put(0x20000, &blob);
    blob.len() as u64
}

/// Puts gas and registers for `invoke`.
fn put_state(guest: &mut Guest, gas: u64, registers: &[(usize, u64)]) {
    let mut words = [0; 14];
    words[0] = gas;
    registers.iter().for_each(|&(number, value)| words[number + 1] = value);
    guest.put(0x20800, &words.map(u64::to_le_bytes).concat());
}

fn state(guest: &Guest, number: usize) -> u64 {
    guest.store.instance().memory().read_u64(0x20800 + 8 * number as u32).unwrap()
}

#[test]
fn machines_run_within_a_machine() {
    for mut guest in guests() {
        // Reads from a page that is not there at first, calls its host, writes, halts.
        let text = "load_u8 r7, [0x50000]\n ecalli 42\n store_u8 r8, [0x50001]\n jump_ind r0, 0";
        let len = put_program(&mut guest, text);
        guest.expect(Call::Machine, &[AT, len, 0], 0);
        guest.expect(Call::Machine, &[AT, len, 5], 1);
        put_state(&mut guest, 100, &[(0, 0xffff_0000)]);
        let state_at = AT + 0x800;
        guest.expect(Call::Invoke, &[0, state_at], 2);
        assert_eq!((guest.store.instance().registers()[8], state(&guest, 0)), (0x50000, 99));
        guest.expect(Call::Pages, &[0, 0x50, 1, 2], OK);
        guest.put(0x20700, &[17]);
        guest.expect(Call::Poke, &[0, AT + 0x700, 0x50000, 1], OK);
        guest.expect(Call::Invoke, &[0, state_at], 3);
        assert_eq!((guest.store.instance().registers()[8], state(&guest, 8)), (42, 17));
        put_state(&mut guest, 100, &[(0, 0xffff_0000), (8, 0xab)]);
        guest.expect(Call::Invoke, &[0, state_at], 0);
        assert_eq!(state(&guest, 0), 98);
        guest.expect(Call::Peek, &[0, AT + 0x710, 0x50000, 2], OK);
        assert_eq!(guest.bytes(0x20710, 2), [17, 0xab]);
        // Handles are used again, the smallest first.
        guest.expect(Call::Expunge, &[0], 0);
        guest.expect(Call::Expunge, &[0], WHO);
        guest.expect(Call::Machine, &[AT, len, u64::MAX], 0);
        guest.expect(Call::Expunge, &[0], u64::MAX);
        guest.expect(Call::Expunge, &[1], 5);
        assert!(guest.store.data().machines.is_empty());
    }
}

#[test]
fn machines_stop_for_every_reason() {
    for mut guest in guests() {
        let state_at = AT + 0x800;
        for (text, gas, pc, code, left, next) in [
            ("trap", 10, 0, 1, 9, 0),
            ("jump_ind r0, 0", 10, 0, 0, 9, 0),
            ("trap", 10, u64::MAX, 1, 9, 0),
            ("load_imm r7, 1\n load_imm r7, 2", 1, 0, 4, 0, 3),
            ("ecalli 1\n trap", 10, 0, 3, 9, 2),
            ("load_imm r7, 1\n load_u8 r7, [0x50000]", 10, 0, 2, 8, 3),
        ] {
            let len = put_program(&mut guest, text);
            guest.expect(Call::Machine, &[AT, len, pc], 0);
            put_state(&mut guest, gas, &[(0, 0xffff_0000)]);
            guest.expect(Call::Invoke, &[0, state_at], code);
            assert_eq!(state(&guest, 0), left, "{text}");
            guest.expect(Call::Expunge, &[0], next);
        }
    }
}

#[test]
fn what_is_asked_of_machines_is_checked() {
    for mut guest in guests() {
        let len = put_program(&mut guest, "trap");
        guest.expect(Call::Machine, &[AT, len, 0], 0);
        guest.expect(Call::Machine, &[AT, len - 1, 0], HUH);
        guest.expect_panic(Call::Machine, &[0x40000, 5, 0]);
        guest.expect_panic(Call::Machine, &[AT, u64::MAX, 0]);
        for call in [Call::Peek, Call::Poke] {
            guest.expect(call, &[9, AT, 0x50000, 1], WHO);
            guest.expect(call, &[0, AT, 0x50000, 1], OOB);
            guest.expect(call, &[0, AT, 0x1_0005_0000, 1], OOB);
            guest.expect(call, &[0, 0, 0, 0], OK);
            guest.expect_panic(call, &[0, 0x40000, 0x50000, 1]);
        }
        guest.expect_panic(Call::Peek, &[0, 0x30000, 0x50000, 1]);
        for (first, count, mode, result) in [
            (0x50, 1, 5, HUH),
            (15, 1, 1, HUH),
            (16, 0, 1, OK),
            (16, u64::MAX, 1, HUH),
            (16, (1 << 20) - 16, 1, HUH),
            (0x50, 2, 3, HUH),
            (0x50, 1, 1, OK),
            (0x50, 2, 4, HUH),
            (0x50, 1, 4, OK),
            (0x50, 1, 0, OK),
            (0x50, 1, 3, HUH),
        ] {
            guest.expect(Call::Pages, &[0, first, count, mode], result);
        }
        guest.expect(Call::Pages, &[1, 16, 1, 1], WHO);
        guest.expect_panic(Call::Invoke, &[0, 0x30000]);
        guest.expect_panic(Call::Invoke, &[0, 0x20f91]);
        guest.expect(Call::Invoke, &[7, AT], WHO);
    }
}

#[test]
fn machines_have_a_limit_and_are_interrupted_with_their_guest() {
    for mut guest in guests() {
        let len = put_program(&mut guest, "loop: jump loop");
        *guest.store.data_mut() = Host { machines: InnerMachines::new(1), ..Host::default() };
        guest.expect(Call::Machine, &[AT, len, 0], 0);
        put_state(&mut guest, u64::MAX, &[]);
        guest.store.set_deadline(Some(Instant::now() + Duration::from_millis(20)));
        assert_eq!(guest.call_interrupted(), Exit::Interrupted);
        assert!(state(&guest, 0) < u64::MAX);
        guest.store.set_deadline(None);
        let engine = guest.store.instance().module().engine().clone();
        let mut instance =
            Instance::new(&caller(&engine, guest.profile, number(Call::Machine, guest.profile)), &[]).unwrap();
        instance.memory_mut().map(0x20000, 4096, Access::ReadWrite).unwrap();
        instance.memory_mut().initialise(0x20000, &guest.bytes(0x20000, len)).unwrap();
        instance.set_gas(100);
        instance.registers_mut()[7..9].copy_from_slice(&[AT, len]);
        *guest.store.instance_mut() = instance;
        let error = guest.store.run().unwrap_err().to_string();
        assert!(error.contains("1 inner machines, which is the limit"), "{error}");
    }
}

impl Guest {
    /// Invokes machine 0, which does not come to an end.
    fn call_interrupted(&mut self) -> Exit {
        let engine = self.store.instance().module().engine().clone();
        let mut instance =
            Instance::new(&caller(&engine, self.profile, number(Call::Invoke, self.profile)), &[]).unwrap();
        instance.memory_mut().map(0x20000, 4096, Access::ReadWrite).unwrap();
        instance.memory_mut().initialise(0x20000, &self.bytes(0x20000, 4096)).unwrap();
        instance.set_gas(100);
        instance.registers_mut()[7..9].copy_from_slice(&[0, AT + 0x800]);
        *self.store.instance_mut() = instance;
        self.store.run().unwrap()
    }
}

/// A service that calls `grow_heap` with its argument register and stores to the last byte that it has then.
fn growing(engine: &Engine) -> Module {
    let text = ".format spi\n.profile 0.8\n ecalli 1\n shlo_l_imm_64 r9, r7, 12\n add_imm_64 r9, r9, -1\n store_ind_u8 r7, [r9]\n jump_ind r0, 0";
    let options = Options { profile: Some(Profile::V0_8), gas_model: Some(GasModel::Instruction) };
    Module::new(engine, &pvm_asm::assemble(text).unwrap(), options).unwrap()
}

#[test]
fn a_heap_grows_by_pages() {
    for jit_threshold in [0, 1000] {
        let engine = Engine::new(&Config { jit_threshold, ..Config::default() }).unwrap();
        let module = growing(&engine);
        let mut linker = Linker::<()>::new();
        link_heap(&mut linker);
        let mut store = Store::new(&module, &linker, ()).unwrap();
        let (start, limit, _) = store.instance().memory().heap();
        let (first, last) = (u64::from(start) >> 12, (u64::from(limit) - 0x10000) >> 12);
        let mut grow = |pages: u64, gas: u64| {
            let instance = store.instance_mut();
            instance.set_pc(0);
            instance.set_gas(gas);
            (instance.registers_mut()[0], instance.registers_mut()[7]) = (0xffff_0000, pages);
            let exit = store.run().unwrap();
            let instance = store.instance();
            (exit, instance.registers()[7], gas - instance.gas())
        };
        let none = Exit::PageFault { address: ((first - 1) << 12) as u32 };
        assert_eq!(grow(0, 1000), (none, first, 104), "there is no page yet");
        assert_eq!(grow(first + 3, 1000), (Exit::Halt, first + 3, 135));
        assert_eq!(grow(first + 3, 1000), (Exit::Halt, first + 3, 105), "nothing to be done");
        assert_eq!(grow(first + 4, 109), (Exit::Halt, first + 3, 105), "a page is too dear");
        assert_eq!(grow(first + 4, 115), (Exit::Halt, first + 4, 115));
        assert_eq!(grow(first + 5, 100), (Exit::OutOfGas, first + 5, 100), "the call is too dear");
        assert_eq!(grow(last + 1, u64::MAX), (Exit::Halt, first + 4, 105), "the stack is in the way");
        assert_eq!(grow(u64::MAX, u64::MAX), (Exit::Halt, first + 4, 105));
        assert_eq!(grow(last, u64::MAX), (Exit::Halt, last, 105 + 10 * (last - first - 4)));
        assert_eq!(store.instance().memory().heap().0, (last << 12) as u32);
    }
}

#[test]
fn a_heap_that_the_engine_limits_is_an_error_of_the_host() {
    let engine = Engine::new(&Config { memory_limit: 1 << 20, ..Config::default() }).unwrap();
    let mut linker = Linker::<()>::new();
    link_heap(&mut linker);
    let mut store = Store::new(&growing(&engine), &linker, ()).unwrap();
    store.instance_mut().set_gas(1 << 20);
    store.instance_mut().registers_mut()[7] = 10_000;
    let error = store.run().unwrap_err().to_string();
    assert!(error.contains("the host function 1") && error.contains("limit"), "{error}");
}
