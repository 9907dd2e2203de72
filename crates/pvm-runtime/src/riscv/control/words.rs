//! Control registers as plain numbers, for snapshots.

use super::{Control, MIE, MPIE, MPP, Mode};

/// How many numbers hold the control registers.
pub(crate) const CONTROL_WORDS: usize = 8;

impl Control {
    /// The control registers as numbers; the first says which modes there are.
    pub(crate) fn to_words(&self) -> [u32; CONTROL_WORDS] {
        let modes = u32::from(self.has_machine_mode) | u32::from(self.mode == Mode::Machine) << 1;
        [modes, self.status, self.enabled, self.vector, self.scratch, self.epc, self.cause, self.value]
    }

    /// The control registers that [`Control::to_words`] gave, unless they are none that a guest can have.
    pub(crate) fn from_words(words: [u32; CONTROL_WORDS]) -> Option<Control> {
        let [modes, status, enabled, vector, scratch, epc, cause, value] = words;
        let (has_machine_mode, mode) = match modes {
            0 => (false, Mode::User),
            1 => (true, Mode::User),
            3 => (true, Mode::Machine),
            _ => return None,
        };
        let mode_before = status & MPP;
        let is_valid = status & !(MIE | MPIE | MPP) == 0 && (mode_before == 0 || mode_before == MPP);
        let is_aligned = vector % 4 == 0 && epc % 2 == 0;
        (is_valid && is_aligned).then_some(Control {
            has_machine_mode,
            mode,
            status,
            enabled,
            vector,
            scratch,
            epc,
            cause,
            value,
        })
    }
}
