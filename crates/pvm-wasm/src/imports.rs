//! What stands for imports that no module has.
//!
//! The import map is a list of lines `NAME = ACTION`. NAME is `module.name`, the name alone, or `module.*`; the first of
//! these three that is there counts. ACTION is `trap`, `nop` (results are zero), a number (which is the result, or the
//! value of a global), or `ecalli:N` (or `ecalli N`): the host call N.
//!
//! Intrinsics are imports from `env` or `pvm` with these names; arguments and results are `i64` or `i32`.
//!
//! | import | meaning |
//! |---|---|
//! | `host_call_K(number, a1 … aK) -> r7` | host call with K arguments, 0 to 6; the number must be a constant |
//! | `host_call_Kb(number, a1 … aK) -> r7` | the same, and keeps register 8 |
//! | `host_call_r8() -> r8` | the register 8 that was kept last |
//! | `pvm_ptr(offset) -> address` | the address, for the host, of an offset into linear memory |

use pvm_wasm_frontend::{FuncType, HostAction, ValType};
use std::collections::BTreeMap;

/// What stands for an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A trap.
    Trap,
    /// Nothing happens; results are zero.
    Nop,
    /// Nothing happens; results are this.
    Constant(i64),
    /// This host call.
    HostCall(u32),
}

/// What stands for imports, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportMap {
    actions: BTreeMap<String, Action>,
}

/// A line of an import map that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{text}` is not `NAME = trap`, `nop`, a number, or `ecalli:NUMBER`")]
pub struct ImportMapError {
    /// The line, counted from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
}

impl ImportMap {
    /// Reads lines. Empty ones do not count, and `#` begins a comment.
    ///
    /// # Errors
    ///
    /// If a line cannot be read.
    pub fn parse(text: &str) -> Result<ImportMap, ImportMapError> {
        let mut map = ImportMap::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                map.add(line).ok_or_else(|| ImportMapError { line: index + 1, text: line.to_owned() })?;
            }
        }
        Ok(map)
    }

    /// Adds a line, which takes the place of an earlier one for the same name.
    fn add(&mut self, line: &str) -> Option<()> {
        let (name, action) = line.split_once('=')?;
        let (name, action) = (name.trim(), action.trim());
        let action = match action {
            "trap" => Action::Trap,
            "nop" => Action::Nop,
            _ => match action.strip_prefix("ecalli") {
                Some(number) => {
                    let number = number.strip_prefix(':').or(number.strip_prefix(char::is_whitespace))?;
                    Action::HostCall(parse_number(number.trim())?.try_into().ok()?)
                }
                None => Action::Constant(parse_number(action)?),
            },
        };
        (!name.is_empty()).then(|| self.actions.insert(name.to_owned(), action)).map(|_| ())
    }

    /// Adds all of another map, whose lines take the place of earlier ones.
    pub fn extend(&mut self, other: ImportMap) {
        self.actions.extend(other.actions);
    }

    /// What stands for an import.
    pub fn get(&self, module: &str, name: &str) -> Option<Action> {
        let full = format!("{module}.{name}");
        let names = [full.as_str(), name, &format!("{module}.*")];
        names.into_iter().find_map(|name| self.actions.get(name)).copied()
    }
}

fn parse_number(text: &str) -> Option<i64> {
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let value = match digits.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok()?,
        None => digits.parse::<i128>().ok()?,
    };
    let value = if negative { -value } else { value };
    // Numbers of 64 bits can be written with and without a sign.
    i64::try_from(value).ok().or_else(|| u64::try_from(value).ok().map(|value| value as i64))
}

/// What is done for a function that a map has an action for.
pub(crate) fn host_action(action: Action, ty: &FuncType) -> Result<HostAction, String> {
    match action {
        Action::Trap => Ok(HostAction::Trap),
        Action::Nop => Ok(HostAction::Constant(0)),
        Action::Constant(value) => Ok(HostAction::Constant(value)),
        Action::HostCall(number) => {
            let (arguments, results) = (ty.params().len(), ty.results().len());
            match arguments <= 6 && results <= 2 {
                true => Ok(HostAction::HostCall(number)),
                false => Err(format!(
                    "a host call has at most 6 arguments and 2 results, and it has {arguments} and {results}"
                )),
            }
        }
    }
}

/// The intrinsic of this name. AssemblyScript's `abort` is a trap, unless an import map has something else for it.
pub(crate) fn intrinsic(module: &str, name: &str, ty: &FuncType) -> Option<Result<HostAction, String>> {
    if !["env", "pvm"].contains(&module) {
        return None;
    }
    let (action, arguments, results) = match name {
        "abort" => return Some(Ok(HostAction::Trap)),
        "pvm_ptr" => (HostAction::Address, 1, 1..=1),
        "host_call_r8" => (HostAction::SecondResult, 0, 1..=1),
        _ => {
            let count = name.strip_prefix("host_call_")?;
            let (count, keeps_second) = match count.strip_suffix('b') {
                Some(count) => (count, true),
                None => (count, false),
            };
            let count: usize = count.parse().ok().filter(|count| *count <= 6)?;
            (HostAction::HostCallByArgument { keeps_second }, 1 + count, 0..=1)
        }
    };
    let are_numbers = ty.params().iter().chain(ty.results()).all(|ty| matches!(ty, ValType::I32 | ValType::I64));
    let fits = are_numbers && ty.params().len() == arguments && results.contains(&ty.results().len());
    Some(match fits {
        true => Ok(action),
        false => Err(format!(
            "this intrinsic takes {arguments} numbers and has {} to {} results",
            results.start(),
            results.end()
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let map = ImportMap::parse(
            "# a comment\nenv.abort = trap\nconsole.log=nop # why\nnow = 0x10\nenv.* = ecalli:100\nminus = -1\nh = ecalli 7",
        )
        .unwrap();
        assert_eq!(map.get("env", "abort"), Some(Action::Trap));
        assert_eq!(map.get("env", "console.log"), Some(Action::Nop));
        assert_eq!(map.get("console", "log"), Some(Action::Nop));
        assert_eq!(map.get("any", "now"), Some(Action::Constant(16)));
        assert_eq!(map.get("env", "other"), Some(Action::HostCall(100)));
        assert_eq!(map.get("other", "minus"), Some(Action::Constant(-1)));
        assert_eq!(map.get("other", "h"), Some(Action::HostCall(7)));
        assert_eq!(map.get("other", "other"), None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for line in ["a", "a = b", "= trap", "a = ecalli", "a = ecalli x", "a = ecalli:-1", "a = 99999999999999999999"]
        {
            let error = ImportMap::parse(&format!("\n{line}")).unwrap_err();
            assert_eq!((error.line, error.text.as_str()), (2, line));
        }
    }
}
