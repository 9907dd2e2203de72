//! A line of source as tokens.

use crate::AsmError;
use crate::error::{AsmProblem, Place};

/// A token. Words are not told apart further: `7`, `0.7`, `00ff`, `.text` and `loop` are all words, and the statement
/// decides what it wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    Text(Vec<u8>),
    Char(u8),
    Mark(char),
    End,
}

impl Token<'_> {
    /// How the token is named in a message.
    pub(crate) fn describe(&self) -> String {
        match self {
            Token::Word(word) => format!("`{word}`"),
            Token::Text(_) => "a string".to_owned(),
            Token::Char(_) => "a character".to_owned(),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::End => "the end of the line".to_owned(),
        }
    }
}

/// Splits a line; the last token is [`Token::End`]. A comment begins with `#` or `;`.
pub(crate) fn tokens(text: &str, line: u32) -> Result<Vec<(Token<'_>, Place)>, AsmError> {
    let mut scanner = Scanner { rest: text, place: Place { line, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        let (token, place) = scanner.next()?;
        let end = token == Token::End;
        tokens.push((token, place));
        if end {
            return Ok(tokens);
        }
    }
}

struct Scanner<'a> {
    rest: &'a str,
    place: Place,
}

impl<'a> Scanner<'a> {
    fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let found = chars.next()?;
        self.rest = chars.as_str();
        self.place.column = self.place.column.saturating_add(1);
        Some(found)
    }

    fn next(&mut self) -> Result<(Token<'a>, Place), AsmError> {
        while self.rest.starts_with(char::is_whitespace) {
            self.bump();
        }
        let place = self.place;
        let token = match self.rest.chars().next() {
            None | Some('#' | ';') => Token::End,
            Some(first) if is_word(first) => self.word(),
            Some(',' | ':' | '[' | ']' | '(' | ')' | '+' | '-' | '*' | '@') => Token::Mark(self.bump().unwrap_or(',')),
            Some('"') => self.text()?,
            Some('\'') => self.character()?,
            Some(other) => return Err(place.error(AsmProblem::Character(other))),
        };
        Ok((token, place))
    }

    fn word(&mut self) -> Token<'a> {
        let len = self.rest.find(|next| !is_word(next)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest;
        // A word is ASCII.
        self.place.column = self.place.column.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        Token::Word(word)
    }

    fn text(&mut self) -> Result<Token<'a>, AsmError> {
        let open = self.place;
        self.bump();
        let mut bytes = Vec::new();
        loop {
            match self.bump() {
                None => return Err(open.error(AsmProblem::Unclosed)),
                Some('"') => return Ok(Token::Text(bytes)),
                Some('\\') => bytes.push(self.escape()?),
                Some(other) => bytes.extend(other.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
    }

    fn character(&mut self) -> Result<Token<'a>, AsmError> {
        let open = self.place;
        self.bump();
        let byte = match self.bump() {
            None => return Err(open.error(AsmProblem::Unclosed)),
            Some('\\') => self.escape()?,
            Some(found) if found.is_ascii() => found as u8,
            Some(found) => return Err(open.error(AsmProblem::Character(found))),
        };
        match self.bump() {
            Some('\'') => Ok(Token::Char(byte)),
            _ => Err(open.error(AsmProblem::Unclosed)),
        }
    }

    fn escape(&mut self) -> Result<u8, AsmError> {
        let place = self.place;
        let unknown = || place.error(AsmProblem::Escape);
        match self.bump().ok_or_else(unknown)? {
            'n' => Ok(b'\n'),
            'r' => Ok(b'\r'),
            't' => Ok(b'\t'),
            '0' => Ok(0),
            same @ ('\\' | '"' | '\'') => Ok(same as u8),
            'x' => {
                let mut digit = || self.bump().and_then(|found| found.to_digit(16)).ok_or_else(unknown);
                Ok((digit()? << 4 | digit()?) as u8)
            }
            _ => Err(unknown()),
        }
    }
}

/// Whether a character is part of words.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '$')
}
