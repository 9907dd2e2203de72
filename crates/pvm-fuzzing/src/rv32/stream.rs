//! Random code without any structure, and what machine mode needs.

use super::emitter::{Emitter, reg};
use fastrand::Rng;
use pvm_ops::Reg;
use pvm_rv32::{Instruction, Meaning, Place, SPECS};

/// Control registers that there are for programs, and some that there are not.
const COUNTERS: [i32; 8] = [0xc00, 0xc01, 0xc02, 0xc80, 0xc81, 0xc82, 0xc03, 0x001];
/// Those of machine mode.
const MACHINE: [i32; 12] = [0x300, 0x301, 0x304, 0x305, 0x340, 0x341, 0x342, 0x343, 0x344, 0xb00, 0xb82, 0xf14];

const MTVEC: i32 = 0x305;
const MEPC: i32 = 0x341;

impl Emitter {
    /// So many instructions of any kind, with jumps to near places. Few registers, so that values flow.
    pub fn stream(&mut self, rng: &mut Rng, machine_mode: bool) {
        for _ in 0..rng.u8(4..60) {
            let instruction = any(rng, machine_mode);
            self.put(instruction);
        }
    }

    /// A handler of traps, which goes on behind the instruction, or where it likes. Returns where it is.
    pub fn handler(&mut self, rng: &mut Rng) -> u32 {
        let start = self.here();
        for _ in 0..rng.u8(..3) {
            self.put(any(rng, true));
        }
        self.op("csrrs", 5, 0, 0, MEPC);
        self.op("addi", 5, 5, 0, [2, 4, 4, 8][rng.usize(..4)]);
        self.op("csrrw", 0, 5, 0, MEPC);
        self.op("mret", 0, 0, 0, 0);
        start
    }

    /// Makes the handler that of the guest.
    pub fn set_handler(&mut self, handler: u32) {
        let way = handler.wrapping_sub(self.here()) as i32;
        self.op("auipc", 5, 0, 0, 0);
        self.op("addi", 5, 5, 0, way);
        self.op("csrrw", 0, 5, 0, MTVEC);
    }
}

fn register(rng: &mut Rng) -> Reg {
    reg(if rng.u8(..8) == 0 { rng.u8(..32) } else { rng.u8(8..16) })
}

/// Any instruction that can be encoded.
fn any(rng: &mut Rng, machine_mode: bool) -> Instruction {
    loop {
        let spec = &SPECS[rng.usize(..SPECS.len())];
        let stops = matches!(spec.meaning, Meaning::TrapReturn | Meaning::Breakpoint | Meaning::EnvironmentCall);
        let is_control = matches!(spec.meaning, Meaning::Control(..));
        if (stops || is_control && !machine_mode) && rng.u8(..8) != 0 {
            continue;
        }
        let imm = match spec.meaning {
            // Near, and even.
            Meaning::Jump | Meaning::Branch(_) => rng.i32(-56..72) * 2,
            Meaning::LoadUpper | Meaning::AddUpper => [0x1_0000, 0x2_0000, 0, -4096][rng.usize(..4)],
            Meaning::Control(..) if machine_mode && rng.u8(..4) > 0 => MACHINE[rng.usize(..MACHINE.len())],
            Meaning::Control(..) => COUNTERS[rng.usize(..COUNTERS.len())],
            Meaning::Load(_) | Meaning::Store(_) => rng.i32(0..64) * 2 + rng.i32(0..4) / 3,
            _ => rng.i32(-16..48),
        };
        let [rd, rs1, rs2] = [(); 3].map(|()| register(rng));
        let rs1 = if spec.format.rs1 == spec.format.rd { rd } else { rs1 };
        // The places say what is fixed.
        let fixed = |place, register| match place {
            Place::Fixed(fixed) => fixed,
            Place::Absent => Reg::R0,
            _ => register,
        };
        let format = &spec.format;
        let one = Instruction {
            spec,
            rd: fixed(format.rd, rd),
            rs1: fixed(format.rs1, rs1),
            rs2: fixed(format.rs2, rs2),
            imm: if format.imm.is_empty() { 0 } else { imm },
        };
        if one.encode().is_some() {
            return one;
        }
    }
}
