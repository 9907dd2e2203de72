//! The general calls (Gray Paper B.6) over a state that the embedder has.

use super::window::Window;
use super::{Access, Call, FULL, NONE, answer, number};
use crate::COST;
use pvm_runtime::{Linker, Profile};

/// What the general calls ask of the embedder. A service is `None` where the guest means itself by 2^64 - 1; its own number
/// means itself, too, which only the embedder knows.
pub trait General {
    /// The data of a kind, with two indices (`fetch`).
    fn fetch(&mut self, kind: u64, indices: [u64; 2]) -> Option<Vec<u8>>;

    /// The preimage of a hash that a service has (`lookup`).
    fn lookup(&mut self, service: Option<u64>, hash: &[u8; 32]) -> Option<Vec<u8>>;

    /// A value that a service has stored (`read`).
    fn read(&mut self, service: Option<u64>, key: &[u8]) -> Option<Vec<u8>>;

    /// Stores a value of the service itself, or takes it away, and returns how long the former one was (`write`).
    ///
    /// # Errors
    ///
    /// If the service cannot pay for it; nothing changes then.
    fn write(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<Option<u64>, Full>;

    /// What is known of a service (`info`).
    fn info(&mut self, service: Option<u64>) -> Option<Account>;
}

/// A service cannot pay for what it wants to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the balance does not suffice for what is stored")]
pub struct Full;

/// A service account, as `info` tells of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The hash of its code.
    pub code_hash: [u8; 32],
    /// Balance, minimum balance, minimum gas to accumulate, minimum gas for a memo, octets stored.
    pub amounts: [u64; 5],
    /// Items stored.
    pub items: u32,
    /// What it may store for free.
    pub gratis: u64,
    /// When it was created, when it accumulated last, and by which service it was created.
    pub origins: [u32; 3],
}

impl Account {
    /// The 96 bytes that the guest gets.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.code_hash.to_vec();
        self.amounts.iter().for_each(|amount| bytes.extend(amount.to_le_bytes()));
        bytes.extend(self.items.to_le_bytes());
        bytes.extend(self.gratis.to_le_bytes());
        self.origins.iter().for_each(|origin| bytes.extend(origin.to_le_bytes()));
        bytes
    }
}

/// A service by its number, `None` for the guest's own.
pub(super) fn service(argument: u64) -> Option<u64> {
    (argument != u64::MAX).then_some(argument)
}

/// Links the general calls.
pub fn link_general<T: 'static, S: General + 'static>(linker: &mut Linker<T>, profile: Profile, state: Access<T, S>) {
    linker.func(number(Call::Fetch, profile), move |caller| {
        caller.charge(COST)?;
        let [kind, first, second] = [3, 4, 5].map(|index| caller.argument(index));
        let value = state(caller.data_mut()).fetch(kind, [first, second]);
        Window::from_arguments(caller, 0).give(caller, value.as_deref())
    });
    linker.func(number(Call::Lookup, profile), move |caller| {
        caller.charge(COST)?;
        let mut hash = [0; 32];
        caller.read(caller.argument(1), &mut hash)?;
        let service = service(caller.argument(0));
        let value = state(caller.data_mut()).lookup(service, &hash);
        Window::from_arguments(caller, 2).give(caller, value.as_deref())
    });
    linker.func(number(Call::Read, profile), move |caller| {
        caller.charge(COST)?;
        let key = caller.read_vec(caller.argument(1), caller.argument(2))?;
        let service = service(caller.argument(0));
        let value = state(caller.data_mut()).read(service, &key);
        Window::from_arguments(caller, 3).give(caller, value.as_deref())
    });
    linker.func(number(Call::Write, profile), move |caller| {
        caller.charge(COST)?;
        let key = caller.read_vec(caller.argument(0), caller.argument(1))?;
        let value = match caller.argument(3) {
            0 => None,
            len => Some(caller.read_vec(caller.argument(2), len)?),
        };
        let former = state(caller.data_mut()).write(&key, value.as_deref());
        answer(caller, former.map_or(FULL, |len| len.unwrap_or(NONE)))
    });
    linker.func(number(Call::Info, profile), move |caller| {
        caller.charge(COST)?;
        let service = service(caller.argument(0));
        let account = state(caller.data_mut()).info(service).map(|account| account.encode());
        Window::from_arguments(caller, 1).give(caller, account.as_deref())
    });
}
