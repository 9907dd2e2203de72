//! Reading pieces of a line.

use super::Problem;

/// Why a line is not read as a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It is none.
    NoRecord,
    /// It is one, but not a valid one.
    Invalid(Problem),
}

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a>(pub &'a str);

impl<'a> Scan<'a> {
    /// Takes `text`, which must come next.
    pub fn literal(&mut self, text: &str) -> Result<(), Miss> {
        self.0 = self.0.strip_prefix(text).ok_or(Miss::NoRecord)?;
        Ok(())
    }

    /// Takes what comes next as long as `belongs` holds.
    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !belongs(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// Takes letters and digits, of which there must be some.
    fn token(&mut self) -> Result<&'a str, Miss> {
        Some(self.run(|c| c.is_ascii_alphanumeric())).filter(|token| !token.is_empty()).ok_or(Miss::NoRecord)
    }

    /// Takes a number up to `limit`: decimal, or hexadecimal with `0x`.
    pub fn number(&mut self, field: &'static str, limit: u64) -> Result<u64, Miss> {
        let token = self.token()?;
        let (digits, radix) = match token.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (token, 10),
        };
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return Err(Miss::Invalid(Problem::NotANumber { field }));
        }
        let number = u64::from_str_radix(digits, radix).ok().filter(|&number| number <= limit);
        number.ok_or(Miss::Invalid(Problem::TooLarge { field, limit }))
    }

    /// Takes a number of 32 bits.
    pub fn number_32(&mut self, field: &'static str) -> Result<u32, Miss> {
        let number = self.number(field, u64::from(u32::MAX))?;
        u32::try_from(number).map_err(|_| Miss::NoRecord)
    }

    /// Takes `0x` and bytes, maybe none.
    pub fn bytes(&mut self) -> Result<Vec<u8>, Miss> {
        self.literal("0x")?;
        let digits = self.run(|c| c.is_ascii_alphanumeric()).as_bytes();
        let (pairs, rest) = digits.as_chunks::<2>();
        let bytes: Option<Vec<u8>> = pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect();
        bytes.filter(|_| rest.is_empty()).ok_or(Miss::Invalid(Problem::NotHex))
    }

    /// Takes a word: at least one character, up to the next white space or `=`. (With the `=` a line of nothing but
    /// `PANIC=` would be read to its end at each of them.)
    pub fn word(&mut self) -> Result<&'a str, Miss> {
        Some(self.run(|c| !c.is_whitespace() && c != '=')).filter(|word| !word.is_empty()).ok_or(Miss::NoRecord)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
