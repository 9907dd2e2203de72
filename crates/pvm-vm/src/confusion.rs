//! Addresses that a processor confuses.
//!
//! AMD's processors of the Zen families find a line in the first cache by the bits of its address that choose the set, as others
//! do, and by eight bits made of those above: each the exclusive or of two. Of two lines with the same bits only one can be found
//! at a time, and each access to the other takes as long as if it were not there. (M. Lipp et al., "Take A Way: Exploring the
//! Security Implications of AMD's Cache Way Predictors", 2020, section 3; measured on family 25, too.) The addresses are those of
//! the process, not of memory.

#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

/// Whether lines at the same place of two pages are confused by this processor, if guest addresses are those of the process, or
/// those plus a multiple of 256 MiB.
pub fn are_confused(page: u32, other: u32) -> bool {
    is_zen() && tag(page) == tag(other)
}

/// The eight bits made of an address.
fn tag(address: u32) -> u32 {
    let pairs = [(12, 27), (13, 26), (14, 25), (15, 20), (16, 21), (17, 22), (18, 23), (19, 24)];
    pairs.iter().fold(0, |tag, &(a, b)| tag << 1 | (address >> a ^ address >> b) & 1)
}

/// Whether this is a processor of the families 17h to 19h by AMD or Hygon.
#[cfg(target_arch = "x86_64")]
fn is_zen() -> bool {
    use std::arch::x86_64::__cpuid;
    static IS_ZEN: OnceLock<bool> = OnceLock::new();
    *IS_ZEN.get_or_init(|| {
        let leaf = __cpuid(0);
        let vendor = [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat();
        // The extended family is added to a base family of fifteen.
        let signature = __cpuid(1).eax;
        let family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
        [&b"AuthenticAMD"[..], b"HygonGenuine"].contains(&&vendor[..]) && (0x17..=0x19).contains(&family)
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn is_zen() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_of_data_has_the_bits_of_the_last_one_of_the_stack() {
        assert_eq!(tag(0x20000), tag(0xfffd_f000));
        assert_eq!(tag(0x21000), tag(0xfffd_e000));
        assert_ne!(tag(0x20000), tag(0xfefd_f000), "the stack of standard programs");
        assert_ne!(tag(0x30000), tag(0xfffd_f000), "data behind some that is read only");
        assert_eq!(tag(0x20fff), tag(0x20000));
    }
}
