//! Host functions, and which call of a guest means which of them.

#[cfg(feature = "cranelift")]
use crate::store::Parts;
use crate::{Caller, Exit, Module};
#[cfg(feature = "cranelift")]
use pvm_vm::{Answer, Answers};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "cranelift")]
use std::sync::OnceLock;

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
    Immediate {
        function: Arc<Immediate<T>>,
        /// The same, as machine code calls it.
        #[cfg(feature = "cranelift")]
        answer: Answer<Parts<T>>,
    },
    Asynchronous(Arc<Asynchronous<T>>),
}

impl<T> Function<T> {
    fn immediate(function: impl Fn(&mut Caller<'_, T>, u64) -> HostResult + Send + Sync + 'static) -> Function<T> {
        let function = Arc::new(function);
        Function::Immediate {
            #[cfg(feature = "cranelift")]
            answer: Parts::answer(Arc::clone(&function)),
            function,
        }
    }
}

impl<T> Clone for Function<T> {
    fn clone(&self) -> Function<T> {
        match self {
            Function::Immediate {
                function,
                #[cfg(feature = "cranelift")]
                answer,
            } => Function::Immediate {
                function: Arc::clone(function),
                #[cfg(feature = "cranelift")]
                answer: answer.clone(),
            },
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
    /// What machine code calls by itself, where no function has a name: made when first needed.
    #[cfg(feature = "cranelift")]
    answers: OnceLock<Arc<Answers<Parts<T>>>>,
}

/// Nothing that is made of the functions is cloned: a clone is made to be changed.
impl<T> Clone for Functions<T> {
    fn clone(&self) -> Functions<T> {
        let Functions { numbered, named, other, .. } = self;
        Functions { numbered: numbered.clone(), named: named.clone(), other: other.clone(), ..Functions::default() }
    }
}

impl<T> Default for Functions<T> {
    fn default() -> Functions<T> {
        Functions {
            numbered: Vec::new(),
            named: BTreeMap::new(),
            other: None,
            #[cfg(feature = "cranelift")]
            answers: OnceLock::new(),
        }
    }
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Linker<T> {
        Linker { functions: Arc::clone(&self.functions) }
    }
}

impl<T> Debug for Linker<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Functions { numbered, named, other, .. } = &*self.functions;
        f.debug_struct("Linker")
            .field("numbers", &numbered.iter().map(|(number, _)| number).collect::<Vec<_>>())
            .field("names", &named.keys().collect::<Vec<_>>())
            .field("has_other", &other.is_some())
            .finish()
    }
}

impl<T> Default for Linker<T> {
    fn default() -> Linker<T> {
        Linker { functions: Arc::default() }
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

    /// The functions, to be changed.
    fn functions(&mut self) -> &mut Functions<T> {
        let functions = Arc::make_mut(&mut self.functions);
        #[cfg(feature = "cranelift")]
        functions.answers.take();
        functions
    }

    fn number(&mut self, number: u64, function: Function<T>) -> &mut Linker<T> {
        let numbered = &mut self.functions().numbered;
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
        self.number(number, Function::immediate(move |caller, _| function(caller)))
    }

    /// The function that is called by a name, where the container lists its imports (`.polkavm`). Names come before numbers.
    pub fn func_named(
        &mut self,
        name: &str,
        function: impl Fn(&mut Caller<'_, T>) -> HostResult + Send + Sync + 'static,
    ) -> &mut Linker<T> {
        self.functions().named.insert(name.to_owned(), Function::immediate(move |caller, _| function(caller)));
        self
    }

    /// The function for all calls that are not known otherwise; it is told the number. Without it, such a call stops the run.
    pub fn func_other(
        &mut self,
        function: impl Fn(&mut Caller<'_, T>, u64) -> HostResult + Send + Sync + 'static,
    ) -> &mut Linker<T> {
        self.functions().other = Some(Function::immediate(function));
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
        let Functions { numbered, named, other, .. } = &*self.functions;
        let is_named = !named.is_empty();
        let by_name = if is_named { module.import(number).and_then(|name| named.get(name)) } else { None };
        by_name.or_else(|| by_number(numbered, number)).or(other.as_ref())
    }

    /// What machine code of a program calls by itself. `known` is what was returned for the program last.
    #[cfg(feature = "cranelift")]
    #[inline]
    pub(crate) fn answers(&self, module: &Module, known: &mut Option<NamedAnswers<T>>) -> Arc<Answers<Parts<T>>> {
        let make = || {
            Arc::new(Answers::new(|number| match self.find(module, number) {
                Some(Function::Immediate { answer, .. }) => Some(answer.clone()),
                _ => None,
            }))
        };
        if self.functions.named.is_empty() {
            return Arc::clone(self.functions.answers.get_or_init(make));
        }
        match known {
            Some((of, answers)) if of.is_same(module) => Arc::clone(answers),
            _ => Arc::clone(&known.insert((module.clone(), make())).1),
        }
    }
}

/// What machine code of a program calls by itself, where functions have names.
#[cfg(feature = "cranelift")]
pub(crate) type NamedAnswers<T> = (Module, Arc<Answers<Parts<T>>>);
