//! A source text, read: sections, names and instructions whose numbers are still expressions.

use crate::AsmError;
use crate::directive;
use crate::error::{AsmProblem, Place};
use crate::expr::{Expr, Values};
use crate::operands::Pending;
use crate::statement::Statement;
use crate::symbols::{Definition, SymbolId, Symbols};
use pvm_isa::{Opcode, Profile};
use pvm_program::Format;

/// A line of the code.
#[derive(Debug)]
pub(crate) enum Item {
    /// A label.
    Label(SymbolId),
    /// An instruction.
    Instruction(Pending),
    /// A `jump` of five bytes.
    WideJump(Expr),
    /// Bytes, the first of them marked as the start of an instruction or not.
    Raw { bytes: Vec<u8>, start: bool },
}

/// What a data section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ReadOnly,
    ReadWrite,
    /// A section of a `.polkavm` file.
    Numbered(u8),
    /// The place of the code among the sections of a `.polkavm` file.
    Code,
}

#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fixups: Vec<Fixup>,
}

/// A number in data that is known only in the end.
#[derive(Debug)]
pub(crate) struct Fixup {
    pub(crate) offset: usize,
    pub(crate) width: u32,
    pub(crate) value: Expr,
}

/// An entry of the jump table.
#[derive(Debug)]
pub(crate) enum Entry {
    Value(Expr),
    Bytes(Vec<u8>),
}

/// The jump table as it was written.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Bytes in an entry; chosen by the assembler where it is not written.
    pub(crate) size: Option<u8>,
    /// How many entries of no bytes there are.
    pub(crate) empty_entries: u64,
    pub(crate) entries: Vec<Entry>,
    /// Labels whose dynamic address is used somewhere, in order of appearance.
    pub(crate) used: Vec<SymbolId>,
}

/// Everything that a source says.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) format: Format,
    pub(crate) profile: Profile,
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) stack: u32,
    pub(crate) heap_pages: u16,
    pub(crate) isa: Option<u8>,
    pub(crate) sections: Vec<Section>,
    /// The section that data goes into; code where there is none.
    pub(crate) current: Option<usize>,
    pub(crate) code: Vec<Item>,
    pub(crate) table: Table,
    pub(crate) exports: Vec<(Vec<u8>, Expr)>,
    pub(crate) symbols: Symbols,
    /// Directives that not every container has, and where they are used.
    pub(crate) particular: Vec<(&'static str, Place)>,
    /// Bytes that `.zero` and `.align` made.
    pub(crate) filler: u64,
    /// The values of constants that need no label.
    known: Vec<Option<i128>>,
}

impl Source {
    /// Reads a source text.
    pub(crate) fn parse(text: &str) -> Result<Source, AsmError> {
        let mut source = Source {
            format: Format::Jam,
            profile: Profile::V0_7,
            metadata: None,
            stack: 0,
            heap_pages: 0,
            isa: None,
            sections: Vec::new(),
            current: None,
            code: Vec::new(),
            table: Table::default(),
            exports: Vec::new(),
            symbols: Symbols::default(),
            particular: Vec::new(),
            filler: 0,
            known: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            source.line(&mut Statement::new(line, line_number)?)?;
        }
        source.symbols.check()?;
        Ok(source)
    }

    fn line(&mut self, statement: &mut Statement<'_>) -> Result<(), AsmError> {
        while let Some((name, place)) = statement.label()? {
            self.label(name, place)?;
        }
        if statement.is_end() {
            return Ok(());
        }
        let place = statement.place();
        let word = statement.word("an instruction, a directive or a label")?;
        if word.starts_with('.') {
            return directive::read(self, word, place, statement);
        }
        let opcode = Opcode::from_mnemonic(word).ok_or_else(|| place.error(AsmProblem::Mnemonic(word.to_owned())))?;
        self.require_code(place)?;
        let pending = Pending::parse(opcode.spec(), place, statement, &mut self.symbols)?;
        for number in pending.numbers() {
            note_dynamic(&mut self.table, number);
        }
        self.code.push(Item::Instruction(pending));
        Ok(())
    }

    fn label(&mut self, name: &str, place: Place) -> Result<(), AsmError> {
        let Some(section) = self.current else {
            let id = self.symbols.define(name, place, Definition::Code)?;
            self.code.push(Item::Label(id));
            return Ok(());
        };
        let Section { kind: Kind::ReadOnly | Kind::ReadWrite, bytes, .. } = &self.sections[section] else {
            return Err(place.error(AsmProblem::WrongSection(".rodata, .rwdata or .text")));
        };
        let offset = bytes.len() as u64;
        self.symbols.define(name, place, Definition::Data { section, offset }).map(drop)
    }

    pub(crate) fn require_code(&self, place: Place) -> Result<(), AsmError> {
        match self.current {
            Some(_) => Err(place.error(AsmProblem::WrongSection(".text"))),
            None => Ok(()),
        }
    }

    /// The section that data goes into.
    pub(crate) fn data(&mut self, place: Place) -> Result<&mut Section, AsmError> {
        let current = self.current.and_then(|index| self.sections.get_mut(index));
        current.ok_or_else(|| place.error(AsmProblem::WrongSection(".rodata or .rwdata")))
    }

    /// Reads an expression; its labels behind `@` get a place in the jump table.
    pub(crate) fn expr(&mut self, statement: &mut Statement<'_>) -> Result<Expr, AsmError> {
        let expr = Expr::parse(statement, &mut self.symbols)?;
        note_dynamic(&mut self.table, &expr);
        Ok(expr)
    }

    /// Reads an expression whose value is needed at once.
    pub(crate) fn constant(&mut self, statement: &mut Statement<'_>) -> Result<(i128, Place), AsmError> {
        let expr = Expr::parse(statement, &mut self.symbols)?;
        match expr.value(&Known(&self.known))? {
            Some(value) => Ok((value, expr.place)),
            None => Err(expr.place.error(AsmProblem::NotConstant)),
        }
    }

    /// Defines a constant. Constants in its expression must be defined above, so that no definition is circular.
    pub(crate) fn define(&mut self, name: &str, place: Place, expr: Expr) -> Result<(), AsmError> {
        let value = expr.value(&Known(&self.known))?;
        let id = self.symbols.define(name, place, Definition::Constant(expr))?;
        if value.is_some() {
            self.known.resize(self.known.len().max(id + 1), None);
            self.known[id] = value;
        }
        Ok(())
    }
}

/// Gives labels behind `@` a place in the jump table.
fn note_dynamic(table: &mut Table, expr: &Expr) {
    table.used.extend(expr.dynamic_labels());
}

/// The values that are known while the source is read.
struct Known<'a>(&'a [Option<i128>]);

impl Values for Known<'_> {
    fn symbol(&self, id: SymbolId) -> Option<i128> {
        self.0.get(id).copied().flatten()
    }

    fn dynamic(&self, _: SymbolId) -> Option<i128> {
        None
    }
}
