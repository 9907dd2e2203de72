//! The text of a script: commands, with modules in binary form.

use super::value::{Expected, argument};
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};
use wast::token::Id;
use wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, Wat};

/// A module in binary form, or what is wrong with its text.
pub type Binary = Result<Vec<u8>, String>;

/// A script.
pub struct Script {
    /// Commands with the lines that they stand in.
    pub commands: Vec<(usize, Command)>,
}

/// A command.
pub enum Command {
    /// A module comes into being.
    Module { module: Binary, name: Option<String> },
    /// A module can be imported from under a name.
    Register { name: String, module: Option<String> },
    /// A function is called.
    Invoke(Action),
    /// Something has these results.
    Return { action: Action, results: Vec<Expected> },
    /// Something traps.
    Trap { action: Action },
    /// A call needs more stack than there is.
    Exhaustion { action: Action },
    /// A module cannot be read.
    Malformed { module: Binary },
    /// A module is not valid.
    Invalid { module: Binary },
    /// A module has imports that do not fit.
    Unlinkable { module: Binary },
    /// A command of another kind.
    Other(&'static str),
}

/// Something that is done and has an outcome.
pub enum Action {
    /// A call of an exported function.
    Invoke { module: Option<String>, name: String, arguments: Vec<u64> },
    /// A look at an exported global.
    Get { module: Option<String>, name: String },
    /// A module comes into being.
    Module(Binary),
    /// Something that is not supported.
    Other,
}

impl Command {
    /// Whether it is an assertion.
    pub fn is_assertion(&self) -> bool {
        !matches!(self, Command::Module { .. } | Command::Register { .. } | Command::Invoke(_))
    }

    /// What scripts call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Command::Module { .. } => "module",
            Command::Register { .. } => "register",
            Command::Invoke(_) => "invoke",
            Command::Return { .. } => "assert_return",
            Command::Trap { .. } => "assert_trap",
            Command::Exhaustion { .. } => "assert_exhaustion",
            Command::Malformed { .. } => "assert_malformed",
            Command::Invalid { .. } => "assert_invalid",
            Command::Unlinkable { .. } => "assert_unlinkable",
            Command::Other(kind) => kind,
        }
    }

    /// The module that it brings into being, or tries to.
    pub fn module(&self) -> Option<&Binary> {
        match self {
            Command::Module { module, .. }
            | Command::Trap { action: Action::Module(module) }
            | Command::Unlinkable { module } => Some(module),
            _ => None,
        }
    }
}

impl Script {
    /// Reads a script.
    pub fn read(text: &str) -> Result<Script, String> {
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).map_err(|error| error.to_string())?;
        let script = parse::<Wast<'_>>(&buffer).map_err(|error| error.to_string())?;
        let mut lines = Lines { text, offset: 0, line: 1 };
        let commands = script.directives.into_iter().map(|directive| {
            let line = lines.line(directive.span().offset());
            (line, command(directive))
        });
        Ok(Script { commands: commands.collect() })
    }
}

/// Counts lines, which is quick as long as offsets rise.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl Lines<'_> {
    fn line(&mut self, offset: usize) -> usize {
        if offset < self.offset {
            (self.offset, self.line) = (0, 1);
        }
        let between = self.text.as_bytes().get(self.offset..offset).unwrap_or_default();
        self.line += between.iter().filter(|&&byte| byte == b'\n').count();
        self.offset = offset;
        self.line
    }
}

fn command(directive: WastDirective<'_>) -> Command {
    match directive {
        WastDirective::Module(mut module) => {
            let name = module.name().map(owned);
            Command::Module { module: quoted(&mut module), name }
        }
        WastDirective::Register { name, module, .. } => {
            Command::Register { name: name.to_owned(), module: module.map(owned) }
        }
        WastDirective::Invoke(call) => Command::Invoke(invoke(call)),
        WastDirective::AssertReturn { exec, results, .. } => {
            Command::Return { action: action(exec), results: results.iter().map(Expected::read).collect() }
        }
        WastDirective::AssertTrap { exec, .. } => Command::Trap { action: action(exec) },
        WastDirective::AssertExhaustion { call, .. } => Command::Exhaustion { action: invoke(call) },
        WastDirective::AssertMalformed { mut module, .. } => Command::Malformed { module: quoted(&mut module) },
        WastDirective::AssertInvalid { mut module, .. } => Command::Invalid { module: quoted(&mut module) },
        WastDirective::AssertUnlinkable { module, .. } => Command::Unlinkable { module: encoded(module) },
        WastDirective::ModuleDefinition(_) => Command::Other("module definition"),
        WastDirective::ModuleInstance { .. } => Command::Other("module instance"),
        WastDirective::AssertException { .. } => Command::Other("assert_exception"),
        WastDirective::AssertSuspension { .. } => Command::Other("assert_suspension"),
        WastDirective::AssertInvalidCustom { .. } => Command::Other("assert_invalid_custom"),
        WastDirective::AssertMalformedCustom { .. } => Command::Other("assert_malformed_custom"),
        WastDirective::Thread(_) => Command::Other("thread"),
        WastDirective::Wait { .. } => Command::Other("wait"),
    }
}

fn action(exec: WastExecute<'_>) -> Action {
    match exec {
        WastExecute::Invoke(call) => invoke(call),
        WastExecute::Get { module, global, .. } => Action::Get { module: module.map(owned), name: global.to_owned() },
        WastExecute::Wat(module) => Action::Module(encoded(module)),
    }
}

fn invoke(call: WastInvoke<'_>) -> Action {
    let arguments: Option<Vec<u64>> = call.args.iter().map(argument).collect();
    match arguments {
        Some(arguments) => Action::Invoke { module: call.module.map(owned), name: call.name.to_owned(), arguments },
        None => Action::Other,
    }
}

fn owned(id: Id<'_>) -> String {
    id.name().to_owned()
}

fn quoted(module: &mut QuoteWat<'_>) -> Binary {
    module.encode().map_err(|error| error.to_string())
}

fn encoded(mut module: Wat<'_>) -> Binary {
    module.encode().map_err(|error| error.to_string())
}
