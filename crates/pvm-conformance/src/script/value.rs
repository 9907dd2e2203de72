//! Values in scripts, as bits. A host reference is its number plus one, since zero is null.

use std::fmt;
use wast::core::{NanPattern, WastArgCore, WastRetCore};
use wast::{WastArg, WastRet};

/// A result that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// These bits.
    Bits(u64),
    /// A NaN of 32 bits or 64 bits: the canonical one, or any that computing makes.
    Nan { is_wide: bool, is_canonical: bool },
    /// Any reference but null.
    Reference,
    /// One of these.
    Either(Vec<Expected>),
    /// Something that is not supported.
    Unsupported,
}

impl Expected {
    /// Reads a result.
    pub fn read(result: &WastRet<'_>) -> Expected {
        match result {
            WastRet::Core(result) => Expected::read_core(result),
            _ => Expected::Unsupported,
        }
    }

    fn read_core(result: &WastRetCore<'_>) -> Expected {
        let nan = |is_wide, is_canonical| Expected::Nan { is_wide, is_canonical };
        match result {
            WastRetCore::I32(value) => Expected::Bits(u64::from(*value as u32)),
            WastRetCore::I64(value) => Expected::Bits(*value as u64),
            WastRetCore::F32(NanPattern::Value(value)) => Expected::Bits(u64::from(value.bits)),
            WastRetCore::F64(NanPattern::Value(value)) => Expected::Bits(value.bits),
            WastRetCore::F32(pattern) => nan(false, matches!(pattern, NanPattern::CanonicalNan)),
            WastRetCore::F64(pattern) => nan(true, matches!(pattern, NanPattern::CanonicalNan)),
            WastRetCore::RefNull(_) => Expected::Bits(0),
            WastRetCore::RefExtern(Some(value)) => Expected::Bits(u64::from(*value) + 1),
            WastRetCore::RefExtern(None) | WastRetCore::RefFunc(None) => Expected::Reference,
            WastRetCore::Either(results) => Expected::Either(results.iter().map(Expected::read_core).collect()),
            _ => Expected::Unsupported,
        }
    }

    /// Whether this may be the result.
    pub fn accepts(&self, found: u64) -> bool {
        match self {
            Expected::Bits(bits) => *bits == found,
            Expected::Nan { is_wide, is_canonical } => {
                let (sign, quiet) = match is_wide {
                    true => (1 << 63, 0x7ff8 << 48),
                    false => (1 << 31, 0x7fc0 << 16),
                };
                let magnitude = found & !sign;
                if *is_canonical { magnitude == quiet } else { magnitude & quiet == quiet }
            }
            Expected::Reference => found != 0,
            Expected::Either(results) => results.iter().any(|result| result.accepts(found)),
            Expected::Unsupported => false,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Bits(bits) => write!(f, "{bits:#x}"),
            Expected::Nan { is_canonical: true, .. } => f.write_str("a canonical NaN"),
            Expected::Nan { .. } => f.write_str("a NaN"),
            Expected::Reference => f.write_str("a reference"),
            Expected::Either(results) => {
                let texts: Vec<String> = results.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(" or "))
            }
            Expected::Unsupported => f.write_str("a value of a kind that is not supported"),
        }
    }
}

/// The bits of an argument, unless its kind is not supported.
pub fn argument(argument: &WastArg<'_>) -> Option<u64> {
    let WastArg::Core(argument) = argument else { return None };
    Some(match argument {
        WastArgCore::I32(value) => u64::from(*value as u32),
        WastArgCore::I64(value) => *value as u64,
        WastArgCore::F32(value) => u64::from(value.bits),
        WastArgCore::F64(value) => value.bits,
        WastArgCore::RefNull(_) => 0,
        WastArgCore::RefExtern(value) => u64::from(*value) + 1,
        _ => return None,
    })
}
