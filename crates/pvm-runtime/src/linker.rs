//! Host functions, and which call of a guest means which of them.

use crate::{Caller, Exit, Module};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::pin::Pin;
use std::sync::Arc;

/// Why a guest does not go on after a call of its host.
#[derive(Debug)]
pub enum HostStop {
    /// The run ends like that: the guest is stopped, panics, or has no gas left. The program counter stays that of the call;
    /// a run that is resumed goes on behind it.
    Exit(Exit),
    /// The host itself has failed. The run ends with [`crate::RunError::Host`], of which this is the source.
    Error(Box<dyn Error + Send + Sync>),
}

/// What a host function returns: the guest goes on, or not.
pub type HostResult = Result<(), HostStop>;

/// What an asynchronous host function returns.
pub type HostFuture<'a> = Pin<Box<dyn Future<Output = HostResult> + Send + 'a>>;

impl From<Exit> for HostStop {
    fn from(exit: Exit) -> HostStop {
        HostStop::Exit(exit)
    }
}

/// Any error is a failure of the host, but for that of a call into the guest which the guest did not finish: then what the
/// guest did ends the outer run, too.
impl<E: Error + Send + Sync + 'static> From<E> for HostStop {
    fn from(error: E) -> HostStop {
        let error: Box<dyn Error + Send + Sync> = Box::new(error);
        match error.downcast::<crate::CallError>() {
            Ok(error) => match *error {
                crate::CallError::Stopped(exit) => HostStop::Exit(exit),
                other => HostStop::Error(Box::new(other)),
            },
            Err(error) => HostStop::Error(error),
        }
    }
}

type Immediate<T> = dyn Fn(&mut Caller<'_, T>, u64) -> HostResult + Send + Sync;
type Asynchronous<T> = dyn for<'a> Fn(&'a mut Caller<'_, T>, u64) -> HostFuture<'a> + Send + Sync;

/// A host function.
pub(crate) enum Function<T> {
    Immediate(Arc<Immediate<T>>),
    Asynchronous(Arc<Asynchronous<T>>),
}

impl<T> Clone for Function<T> {
    fn clone(&self) -> Function<T> {
        match self {
            Function::Immediate(function) => Function::Immediate(Arc::clone(function)),
            Function::Asynchronous(function) => Function::Asynchronous(Arc::clone(function)),
        }
    }
}

/// Host functions: by the number that a guest calls them with, by the name that its container has for the number, and one
/// for all others. `T` is the host's data for a guest.
///
/// Cheap to clone, and shared by threads. Clones have the same functions; what is added to one later the others do not
/// have. A function takes the place of the one that had its number or name before.
///
/// A PVM program calls with the number in `ecalli`, which is sign-extended; a RISC-V program with that in `a7`.
pub struct Linker<T> {
    functions: Arc<Functions<T>>,
}

struct Functions<T> {
    /// In the order of their numbers.
    numbered: Vec<(u64, Function<T>)>,
    named: BTreeMap<String, Function<T>>,
    other: Option<Function<T>>,
}

impl<T> Clone for Functions<T> {
    fn clone(&self) -> Functions<T> {
        Functions { numbered: self.numbered.clone(), named: self.named.clone(), other: self.other.clone() }
    }
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Linker<T> {
        Linker { functions: Arc::clone(&self.functions) }
    }
}

impl<T> Debug for Linker<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Functions { numbered, named, other } = &*self.functions;
        f.debug_struct("Linker")
            .field("numbers", &numbered.iter().map(|(number, _)| number).collect::<Vec<_>>())
            .field("names", &named.keys().collect::<Vec<_>>())
            .field("has_other", &other.is_some())
            .finish()
    }
}

impl<T> Default for Linker<T> {
    fn default() -> Linker<T> {
        let functions = Functions { numbered: Vec::new(), named: BTreeMap::new(), other: None };
        Linker { functions: Arc::new(functions) }
    }
}

/// The function of a number. Where numbers begin at 0 and leave nothing out, it is that far from the first.
#[inline]
fn by_number<T>(numbered: &[(u64, Function<T>)], number: u64) -> Option<&Function<T>> {
    match usize::try_from(number).ok().and_then(|index| numbered.get(index)) {
        Some((at, function)) if *at == number => Some(function),
        _ => numbered.binary_search_by_key(&number, |(number, _)| *number).ok().map(|at| &numbered[at].1),
    }
}

impl<T> Linker<T> {
    /// A linker without functions.
    pub fn new() -> Linker<T> {
        Linker::default()
    }

    fn number(&mut self, number: u64, function: Function<T>) -> &mut Linker<T> {
        let numbered = &mut Arc::make_mut(&mut self.functions).numbered;
        match numbered.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => numbered[at].1 = function,
            Err(at) => numbered.insert(at, (number, function)),
        }
        self
    }

    /// The function that is called by a number.
    pub fn func(
        &mut self,
        number: u64,
        function: impl Fn(&mut Caller<'_, T>) -> HostResult + Send + Sync + 'static,
    ) -> &mut Linker<T> {
        self.number(number, Function::Immediate(Arc::new(move |caller, _| function(caller))))
    }

    /// The function that is called by a name, where the container lists its imports (`.polkavm`). Names come before numbers.
    pub fn func_named(
        &mut self,
        name: &str,
        function: impl Fn(&mut Caller<'_, T>) -> HostResult + Send + Sync + 'static,
    ) -> &mut Linker<T> {
        let function = Function::Immediate(Arc::new(move |caller: &mut Caller<'_, T>, _| function(caller)));
        Arc::make_mut(&mut self.functions).named.insert(name.to_owned(), function);
        self
    }

    /// The function for all calls that are not known otherwise; it is told the number. Without it, such a call stops the run.
    pub fn func_other(
        &mut self,
        function: impl Fn(&mut Caller<'_, T>, u64) -> HostResult + Send + Sync + 'static,
    ) -> &mut Linker<T> {
        Arc::make_mut(&mut self.functions).other = Some(Function::Immediate(Arc::new(function)));
        self
    }

    /// The function that is called by a number, and that the guest waits for ([`crate::Store::run_async`]).
    ///
    /// ```
    /// # use pvm_runtime::Linker;
    /// let mut linker = Linker::<()>::new();
    /// linker.func_async(7, |caller| Box::pin(async move {
    ///     let doubled = std::future::ready(caller.argument(0) * 2).await;
    ///     caller.set_result(doubled);
    ///     Ok(())
    /// }));
    /// ```
    pub fn func_async(
        &mut self,
        number: u64,
        function: impl for<'a> Fn(&'a mut Caller<'_, T>) -> HostFuture<'a> + Send + Sync + 'static,
    ) -> &mut Linker<T> {
        self.number(number, Function::Asynchronous(Arc::new(move |caller, _| function(caller))))
    }

    /// The function that a call of this number means to a program.
    #[inline]
    pub(crate) fn find(&self, module: &Module, number: u64) -> Option<&Function<T>> {
        let Functions { numbered, named, other } = &*self.functions;
        let is_named = !named.is_empty();
        let by_name = if is_named { module.import(number).and_then(|name| named.get(name)) } else { None };
        by_name.or_else(|| by_number(numbered, number)).or(other.as_ref())
    }
}
