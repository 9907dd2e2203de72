//! Memory: typed access, pages that are filled when they are touched, and what a reset leaves.

use crate::{engines, raw, riscv, rv, standard};
use pvm_runtime::{Access, Exit, Instance, MemoryFault, Options, Trap};

#[test]
fn integers_are_little_endian_and_rights_are_the_guest_s() {
    let mut instance = Instance::new(&raw(&engines()[1], "trap"), &[]).unwrap();
    let memory = instance.memory_mut();
    memory.map(0x20000, 0x1000, Access::ReadWrite).unwrap();
    memory.map(0x21000, 0x1000, Access::Read).unwrap();
    memory.write_u64(0x20000, 0x0807_0605_0403_0201).unwrap();
    memory.write_u16(0x20001, 0xbbaa).unwrap();
    memory.write_u8(0x20007, 0xff).unwrap();
    assert_eq!(memory.read_array(0x20000), Ok([1, 0xaa, 0xbb, 4, 5, 6, 7, 0xff]));
    assert_eq!(
        (memory.read_u8(0x20003), memory.read_u16(0x20003), memory.read_u32(0x20003)),
        (Ok(4), Ok(0x504), Ok(0x706_0504))
    );
    assert_eq!(memory.read_u64(0x20000), Ok(0xff07_0605_04bb_aa01));
    assert_eq!(memory.write_u32(0x20ffe, 1), Err(MemoryFault { address: 0x21000 }));
    assert_eq!(memory.read_u64(0x20ffc), Ok(0), "nothing was written");
    assert_eq!(memory.read_vec(0x21ff0, 0x11), Err(MemoryFault { address: 0x22000 }));
    assert_eq!(memory.read_vec(0x20000, u64::MAX), Err(MemoryFault { address: 0x22000 }));
    assert_eq!(memory.read_u16(0xffff_ffff), Err(MemoryFault { address: 0xffff_ffff }));
    let used = memory.map_new(0x1f000, 0x2000, Access::Read).unwrap_err();
    assert_eq!(used.to_string(), "the page of 0x20000 is in use");
    assert_eq!(memory.access(0x1f000), Access::None);
}

#[test]
fn pages_are_filled_when_they_are_touched() {
    // The sum of the first words of 16 pages, of which none is there at first.
    let text = "
        load_imm r8, 0x40000
        fallthrough
loop:   load_ind_u32 r9, [r8]
        add_64 r7, r7, r9
        add_imm_64 r8, r8, 4096
        branch_lt_u_imm r8, 0x50000, loop
        jump_ind r0, 0";
    for engine in engines() {
        let mut instance = Instance::new(&raw(&engine, text), &[]).unwrap();
        instance.set_gas(1000);
        instance.registers_mut()[0] = 0xffff_0000;
        let mut filled = Vec::new();
        let exit = loop {
            match instance.run() {
                Exit::PageFault { address } => {
                    filled.push(address);
                    let memory = instance.memory_mut();
                    memory.map(address, 4096, Access::Read).unwrap();
                    memory.initialise(address, &(address >> 12).to_le_bytes()).unwrap();
                }
                exit => break exit,
            }
        };
        assert_eq!((exit, filled), (Exit::Halt, (0x40..0x50).map(|page| page << 12).collect()));
        assert_eq!(instance.registers()[7], (0x40..0x50).sum());
    }
}

#[test]
fn pages_of_riscv_are_filled_when_they_are_touched() {
    use rv::{A0, ECALL};
    for engine in engines() {
        // lui a0, 0x40; lw; sw.
        let words = [0x40 << 12 | A0 << 7 | 0x37, rv::lw(11, A0, 8), rv::sw(11, A0, 12), ECALL];
        let mut instance = Instance::new(&riscv(&engine, &words, Options::default()), &[]).unwrap();
        assert_eq!(instance.run(), Exit::Trap { trap: Trap::LoadFault, value: 0x40008 });
        instance.memory_mut().map(0x40000, 4096, Access::Read).unwrap();
        instance.memory_mut().initialise(0x40008, &[7]).unwrap();
        assert_eq!(instance.run(), Exit::Trap { trap: Trap::StoreFault, value: 0x4000c });
        instance.memory_mut().protect(0x40000, 4096, Access::ReadWrite).unwrap();
        assert_eq!(instance.run(), Exit::Ecall);
        assert_eq!(instance.memory().read_u32(0x4000c), Ok(7));
    }
}

#[test]
fn a_reset_leaves_nothing_of_the_former_guest() {
    let text = ".stack 4096\n.rwdata\n.hex 0102\n.text\n load_imm r7, 9\n store_u8 r7, [0x20000]\n sbrk r8, r7\n trap";
    for engine in engines() {
        let module = standard(&engine, text);
        let mut instance = Instance::new(&module, &[1, 2, 3]).unwrap();
        let mut fresh = Instance::new(&module, &[]).unwrap();
        for _ in 0..3 {
            instance.set_gas(100);
            instance.memory_mut().map(0x8000_0000, 0x3000, Access::ReadWrite).unwrap();
            instance.memory_mut().write_u64(0x8000_1000, 77).unwrap();
            assert_eq!(instance.run(), Exit::Panic);
            instance.reset(&[]).unwrap();
            assert_eq!((instance.pc(), instance.gas(), instance.registers()), (0, 0, fresh.registers()));
            let accesses = |instance: &Instance| -> Vec<Access> {
                (0..1 << 20).map(|page| instance.memory().access(page << 12)).collect()
            };
            assert!(accesses(&instance) == accesses(&fresh));
            assert_eq!(instance.memory().read_u16(0x20000), Ok(0x201));
            instance.memory_mut().map(0x8000_0000, 0x3000, Access::ReadWrite).unwrap();
            assert_eq!(instance.memory().read_u64(0x8000_1000), Ok(0));
        }
        fresh.set_gas(100);
        instance.set_gas(100);
        assert_eq!((instance.run(), fresh.run()), (Exit::Panic, Exit::Panic));
        assert_eq!((instance.pc(), instance.registers()), (fresh.pc(), fresh.registers()));
    }
}

#[test]
fn a_reset_brings_back_code_that_has_changed() {
    use rv::{A0, ECALL, RET};
    for engine in engines() {
        let module = riscv(&engine, &[rv::addi(A0, 0, 1), ECALL, RET], Options::default());
        let mut instance = Instance::new(&module, &[]).unwrap();
        for _ in 0..3 {
            assert_eq!((instance.run(), instance.all_registers()[10]), (Exit::Ecall, 1));
            instance.set_pc(crate::BASE);
            instance.memory_mut().initialise(crate::BASE, &rv::addi(A0, 0, 2).to_le_bytes()).unwrap();
            assert_eq!((instance.run(), instance.all_registers()[10]), (Exit::Ecall, 2));
            instance.reset(&[]).unwrap();
        }
    }
}
