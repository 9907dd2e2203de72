//! Sizes, times and bytes, as they are written on the command line.

use std::time::Duration;

/// Splits a number from its unit.
fn split(text: &str) -> (&str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

/// A size in bytes: `65536`, `0x10000`, `64K`, `64KiB`, `1M`, `1G`. The units are powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: write bytes, or a number with K, M or G (1024, 1024², 1024³)");
    if text.starts_with("0x") {
        return number(text).map_err(|_| wrong());
    }
    let (number, unit) = split(text);
    let number: u64 = number.replace('_', "").parse().map_err(|_| wrong())?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// A time: `500ms`, `2s`, `1.5m`, or seconds.
pub fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: write a number with ms, s or m");
    let (number, unit) = split(text);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

/// A number, decimal or with `0x`; underscores may be between the digits.
pub fn number(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let parsed = match digits.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16),
        _ => digits.parse(),
    };
    parsed.map_err(|error| format!("`{text}` is no number: {error}"))
}

/// A program counter.
pub fn pc(text: &str) -> Result<u32, String> {
    u32::try_from(number(text)?).map_err(|_| format!("`{text}` is no program counter: those have 32 bits"))
}

/// Bytes in hexadecimal digits, with or without `0x`.
pub fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let nibble = |at: usize| {
        let digit =
            char::from(digits[at]).to_digit(16).ok_or_else(|| format!("character {at} is no hexadecimal digit"));
        digit.map(|digit| digit as u8)
    };
    if !digits.len().is_multiple_of(2) {
        return Err(format!("{} hexadecimal digits are no whole bytes", digits.len()));
    }
    (0..digits.len()).step_by(2).map(|at| Ok(nibble(at)? << 4 | nibble(at + 1)?)).collect()
}

/// Bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(
            ["0", "4096", "0x1000", "64K", "64kib", "1M", "1 GiB"].map(size).map(Result::unwrap),
            [0, 4096, 4096, 65536, 65536, 1 << 20, 1 << 30]
        );
        assert!(["", "K", "1.5K", "1T", "-1", "99999999999G", "0xg"].iter().all(|text| size(text).is_err()));
    }

    #[test]
    fn times() {
        let times = ["500ms", "2s", "1.5m", "3", "0ms"].map(|text| time(text).unwrap().as_millis());
        assert_eq!(times, [500, 2000, 90_000, 3000, 0]);
        assert!(["", "s", "1h", "-1s", "1.2.3s", "inf", "1e9999"].iter().all(|text| time(text).is_err()));
    }

    #[test]
    fn bytes() {
        assert_eq!(hex("0x00fF"), Ok(vec![0, 255]));
        assert_eq!((hex(""), hex("0x")), (Ok(vec![]), Ok(vec![])));
        assert!(["0", "0x0", "0g", "+1", "é0"].iter().all(|text| hex(text).is_err()));
        assert_eq!(to_hex(&[0, 0xab]), "00ab");
        assert_eq!((number("1_000"), number("0xff")), (Ok(1000), Ok(255)));
        assert!(["", "0x", "-1", "0x+1", "1k"].iter().all(|text| number(text).is_err()));
    }
}
