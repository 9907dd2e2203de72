//! Programs that run faster where the host's addresses are not the guest's.
//!
//! Guest memory at address zero makes each load take a cycle or two less. But some processors look up lines of the first cache by
//! a few bits of their addresses ([`pvm_vm::are_confused`]), and in programs that are linked to the usual addresses the first page of
//! data and the last of the stack may have the same. A loop that has more values than there are registers, and goes to and fro
//! between both, takes up to 1.9 times as long then; elsewhere the addresses of the host have other bits.

use pvm_isa::REG_COUNT;
use pvm_ops::{GuestCode, Inst, Reg, Target};
use pvm_program::{Code, MemoryImage, Program, Segment};

const PAGE: u32 = pvm_ops::PAGE_SIZE;
/// So many pages of each segment are looked at. Of many pages some have the bits of any other one, and mean nothing.
const FIRST_PAGES: u32 = 16;
/// What compilers keep where the stack is.
const STACK: Reg = Reg::R1;

/// Whether that is likely for a program.
pub(crate) fn is_better_elsewhere(program: &Program, code: &Code) -> bool {
    has_confused_pages(&program.image, pvm_vm::are_confused)
        && code.block_starts().any(|start| is_loop_on_stack(code, start))
}

/// Whether lines of the last page of the stack are confused with such at the beginning of other segments.
fn has_confused_pages(image: &MemoryImage, are_confused: impl Fn(u32, u32) -> bool) -> bool {
    let is_stack = |segment: &&Segment| segment.name == "stack" && segment.size > 0;
    let Some(stack) = image.segments.iter().find(is_stack) else { return false };
    let last = stack.address + (stack.size - PAGE);
    let others = image.segments.iter().filter(|segment| segment.name != stack.name);
    others
        .flat_map(|segment| {
            (0..segment.size / PAGE).take(FIRST_PAGES as usize).map(|page| segment.address + page * PAGE)
        })
        .any(|page| are_confused(page, last))
}

/// Whether a block leads to itself, and accesses the stack more often than there are registers, and other memory, too.
fn is_loop_on_stack(code: &Code, start: u32) -> bool {
    let (mut on_stack, mut elsewhere) = (0, 0);
    let mut pc = start;
    loop {
        let fetched = code.fetch(pc);
        match fetched.inst {
            Inst::Load { address, .. } | Inst::Store { address, .. } => match address.base {
                Some(STACK) => on_stack += 1,
                _ => elsewhere += 1,
            },
            Inst::Branch { target: Target::Block(target), .. } => {
                return target == start && on_stack > REG_COUNT && elsewhere > 0;
            }
            inst if inst.ends_block() => return false,
            _ => {}
        }
        pc = fetched.next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm_isa::Profile;

    fn code(loops: &str) -> Code {
        let program = Program::parse(
            &pvm_asm::assemble(&format!(".format raw\n load_imm r7, 9\n fallthrough\n{loops}\n trap")).unwrap(),
        )
        .unwrap();
        Code::new(&program.blob, Profile::default())
    }

    #[test]
    fn loops_that_work_on_the_stack_and_on_data_are_found() {
        let find = |loops: &str| {
            let code = code(loops);
            code.block_starts().any(|start| is_loop_on_stack(&code, start))
        };
        let on_stack = |count: usize| "store_ind_u64 r7, [r1 + 8]\n load_ind_u64 r8, [r1 + 16]\n".repeat(count);
        let of_data = "load_ind_i32 r9, [r8]\n add_imm_64 r7, r7, -1\n";
        let again = "branch_ne_imm r7, 0, round";
        assert!(find(&format!("round: {}{of_data}{again}", on_stack(7))));
        assert!(!find(&format!("round: {}{of_data}{again}", on_stack(6))), "so much fits into registers");
        assert!(!find(&format!("round: {}add_imm_64 r7, r7, -1\n{again}", on_stack(7))), "nothing else is accessed");
        assert!(
            !find(&format!("{}{of_data}fallthrough\n round: add_imm_64 r7, r7, -1\n{again}", on_stack(7))),
            "it is made once"
        );
    }

    #[test]
    fn pages_of_data_are_compared_with_the_last_of_the_stack() {
        let segment = |name, address, size| Segment {
            name,
            address,
            size,
            access: pvm_ops::Access::ReadWrite,
            data: Default::default(),
        };
        let image = MemoryImage {
            segments: vec![segment("rw-data", 0x20000, 40 * PAGE), segment("stack", 0xfffd_e000, 2 * PAGE)],
            heap: None,
        };
        let confused = |page| move |a, b| (a, b) == (page, 0xfffd_f000);
        assert!(has_confused_pages(&image, confused(0x20000)) && has_confused_pages(&image, confused(0x2f000)));
        assert!(!has_confused_pages(&image, confused(0x30000)), "too far behind the beginning");
        assert!(!has_confused_pages(&image, confused(0xfffd_e000)), "that is the stack itself");
        assert!(!has_confused_pages(&MemoryImage::default(), |_, _| true));
    }
}
