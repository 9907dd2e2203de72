//! A cursor over the tokens of one statement.

use crate::AsmError;
use crate::error::{AsmProblem, Place};
use crate::token::{Token, tokens};
use pvm_isa::LAST_REG;
use pvm_ops::Reg;

/// What is left of a line.
pub(crate) struct Statement<'a> {
    tokens: Vec<(Token<'a>, Place)>,
    at: usize,
}

impl<'a> Statement<'a> {
    pub(crate) fn new(text: &'a str, line: u32) -> Result<Statement<'a>, AsmError> {
        Ok(Statement { tokens: tokens(text, line)?, at: 0 })
    }

    /// The token `ahead` places from here; the line ends without end.
    fn look(&self, ahead: usize) -> &(Token<'a>, Place) {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }

    pub(crate) fn peek(&self) -> &Token<'a> {
        &self.look(0).0
    }

    pub(crate) fn place(&self) -> Place {
        self.look(0).1
    }

    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    pub(crate) fn is_end(&self) -> bool {
        *self.peek() == Token::End
    }

    pub(crate) fn error(&self, problem: AsmProblem) -> AsmError {
        self.place().error(problem)
    }

    pub(crate) fn expected(&self, expected: &'static str) -> AsmError {
        self.error(AsmProblem::Expected { expected, found: self.peek().describe() })
    }

    /// Takes this punctuation if it is next.
    pub(crate) fn take(&mut self, mark: char) -> bool {
        let found = *self.peek() == Token::Mark(mark);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, mark: char, name: &'static str) -> Result<(), AsmError> {
        if self.take(mark) { Ok(()) } else { Err(self.expected(name)) }
    }

    pub(crate) fn comma(&mut self) -> Result<(), AsmError> {
        self.expect(',', "`,`")
    }

    pub(crate) fn end(&self) -> Result<(), AsmError> {
        if self.is_end() { Ok(()) } else { Err(self.expected("the end of the line")) }
    }

    pub(crate) fn word(&mut self, what: &'static str) -> Result<&'a str, AsmError> {
        match *self.peek() {
            Token::Word(word) => {
                self.advance();
                Ok(word)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// A word that can be a name.
    pub(crate) fn name(&mut self) -> Result<&'a str, AsmError> {
        match *self.peek() {
            Token::Word(word) if !word.starts_with(|first: char| first.is_ascii_digit()) => self.word("a name"),
            _ => Err(self.expected("a name")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<Vec<u8>, AsmError> {
        match self.peek() {
            Token::Text(text) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.expected("a string")),
        }
    }

    /// The label that the line begins with, if it does.
    pub(crate) fn label(&mut self) -> Result<Option<(&'a str, Place)>, AsmError> {
        if self.look(1).0 != Token::Mark(':') {
            return Ok(None);
        }
        let place = self.place();
        let name = self.name()?;
        self.advance();
        Ok(Some((name, place)))
    }

    /// The register that is next, if it is one.
    pub(crate) fn maybe_register(&mut self) -> Option<Reg> {
        let Token::Word(word) = *self.peek() else { return None };
        let found = register(word)?;
        self.advance();
        Some(found)
    }

    pub(crate) fn register(&mut self) -> Result<Reg, AsmError> {
        self.maybe_register().ok_or_else(|| self.expected("a register (r0 to r12)"))
    }

    /// Strings and rows of hexadecimal digits up to the end of the line, with or without commas between them.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, AsmError> {
        let mut bytes = Vec::new();
        while !self.is_end() {
            match self.peek() {
                Token::Text(text) => bytes.extend(text),
                Token::Word(word) => {
                    let row = hex(word).ok_or_else(|| self.error(AsmProblem::HexBytes((*word).to_owned())))?;
                    bytes.extend(row);
                }
                _ => return Err(self.expected("a string or hexadecimal bytes")),
            }
            self.advance();
            self.take(',');
        }
        Ok(bytes)
    }
}

fn hex(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let (pairs, rest) = digits.as_bytes().as_chunks();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |&[high, low]: &[u8; 2]| Some((digit(high)? << 4 | digit(low)?) as u8);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

/// The register of this name: `r0` to `r12`, or its name in the calling convention.
pub(crate) fn register(word: &str) -> Option<Reg> {
    const ALIASES: [&str; 13] = ["ra", "sp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5"];
    let number = match ALIASES.iter().position(|alias| *alias == word) {
        Some(number) => number,
        None => {
            let digits = word.strip_prefix('r')?;
            let number = digits.parse().ok()?;
            // No sign and no leading zeros: `r+1` and `r01` are names.
            if digits.starts_with(['+', '0']) && digits != "0" {
                return None;
            }
            number
        }
    };
    (number <= LAST_REG.index()).then(|| Reg::ALL[number])
}
