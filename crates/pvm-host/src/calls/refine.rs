//! `historical_lookup` and `export` (Gray Paper B.7).

use super::general::service;
use super::window::Window;
use super::{Access, Call, FULL, answer, number};
use crate::COST;
use pvm_runtime::{Linker, Profile};

/// Bytes in an exported segment (Gray Paper: W_G).
pub const SEGMENT: usize = 4104;

/// What these calls ask of the embedder.
pub trait Refine {
    /// The preimage of a hash that a service had at the time of the lookup anchor.
    fn historical_lookup(&mut self, service: Option<u64>, hash: &[u8; 32]) -> Option<Vec<u8>>;

    /// Exports a segment, zeros behind what the guest gave, and returns its index; `None` if there are too many.
    fn export(&mut self, segment: Box<[u8; SEGMENT]>) -> Option<u64>;
}

/// Links `historical_lookup` and `export`.
pub fn link_refine<T: 'static, S: Refine + 'static>(linker: &mut Linker<T>, profile: Profile, state: Access<T, S>) {
    linker.func(number(Call::HistoricalLookup, profile), move |caller| {
        caller.charge(COST)?;
        let mut hash = [0; 32];
        caller.read(caller.argument(1), &mut hash)?;
        let service = service(caller.argument(0));
        let value = state(caller.data_mut()).historical_lookup(service, &hash);
        Window::from_arguments(caller, 2).give(caller, value.as_deref())
    });
    linker.func(number(Call::Export, profile), move |caller| {
        caller.charge(COST)?;
        let mut segment = Box::new([0; SEGMENT]);
        let len = caller.argument(1).min(SEGMENT as u64);
        caller.read(caller.argument(0), &mut segment[..len as usize])?;
        let index = state(caller.data_mut()).export(segment);
        answer(caller, index.unwrap_or(FULL))
    });
}
