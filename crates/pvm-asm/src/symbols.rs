//! Names: constants and labels.

use crate::AsmError;
use crate::error::{AsmProblem, Place};
use crate::expr::Expr;
use crate::statement::register;
use std::collections::HashMap;

/// The number of a name.
pub(crate) type SymbolId = usize;

/// What a name stands for.
#[derive(Debug)]
pub(crate) enum Definition {
    /// A constant (`.equ`).
    Constant(Expr),
    /// A place in the code.
    Code,
    /// A place in a data section.
    Data { section: usize, offset: u64 },
}

#[derive(Debug)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    /// Where it is seen first.
    pub(crate) place: Place,
    pub(crate) definition: Option<(Definition, Place)>,
}

/// Every name of a source, in the order in which they appear.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    by_name: HashMap<String, SymbolId>,
    all: Vec<Symbol>,
    /// Constants in the order of their definitions.
    pub(crate) constants: Vec<SymbolId>,
}

impl Symbols {
    pub(crate) fn id(&mut self, name: &str, place: Place) -> SymbolId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = self.all.len();
        self.by_name.insert(name.to_owned(), id);
        self.all.push(Symbol { name: name.to_owned(), place, definition: None });
        id
    }

    pub(crate) fn define(&mut self, name: &str, place: Place, definition: Definition) -> Result<SymbolId, AsmError> {
        if register(name).is_some() {
            return Err(place.error(AsmProblem::Reserved(name.to_owned())));
        }
        let id = self.id(name, place);
        if let Some((_, first)) = &self.all[id].definition {
            return Err(place.error(AsmProblem::Duplicate { name: name.to_owned(), line: first.line }));
        }
        if matches!(definition, Definition::Constant(_)) {
            self.constants.push(id);
        }
        self.all[id].definition = Some((definition, place));
        Ok(id)
    }

    pub(crate) fn all(&self) -> &[Symbol] {
        &self.all
    }

    pub(crate) fn get(&self, id: SymbolId) -> &Symbol {
        &self.all[id]
    }

    /// Refuses names that are used and never defined, and constants that use constants below them.
    pub(crate) fn check(&self) -> Result<(), AsmError> {
        for symbol in &self.all {
            if symbol.definition.is_none() {
                return Err(symbol.place.error(AsmProblem::Undefined(symbol.name.clone())));
            }
        }
        let mut above = vec![false; self.all.len()];
        for &id in &self.constants {
            let Some((Definition::Constant(expr), _)) = &self.all[id].definition else { continue };
            let is_below = |&id: &SymbolId| self.constant(id) && !above[id];
            if let Some(below) = expr.symbols().find(is_below) {
                return Err(expr.place.error(AsmProblem::ConstantBelow(self.all[below].name.clone())));
            }
            above[id] = true;
        }
        Ok(())
    }

    fn constant(&self, id: SymbolId) -> bool {
        matches!(self.all[id].definition, Some((Definition::Constant(_), _)))
    }
}
