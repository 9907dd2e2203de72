//! Which kind of conformance file some bytes are.
//!
//! The checks are cheap and say yes to damaged files of their kind, too, so that whoever then reads the file gets an
//! error that says what is wrong with it instead of "no known kind of file".

use crate::trace::Record;

/// Whether `bytes` could be a test vector: a JSON object with a program and something that vectors expect of it.
pub fn looks_like_vector(bytes: &[u8]) -> bool {
    let contains = |key: &str| bytes.windows(key.len()).any(|window| window == key.as_bytes());
    bytes.trim_ascii_start().starts_with(b"{")
        && contains("\"program\"")
        && ["\"expected-status\"", "\"block-gas-costs\"", "\"steps\""].into_iter().any(contains)
}

/// Whether `bytes` could be a host-call trace: text with a `program` or a `start` record.
///
/// Vectors should be asked about first: their strings could hold anything.
pub fn looks_like_trace(bytes: &[u8]) -> bool {
    // Programs can have such a record among their strings, but hardly one without a zero byte.
    if bytes.contains(&0) {
        return false;
    }
    bytes.split(|&byte| byte == b'\n').any(|line| {
        let line = String::from_utf8_lossy(line);
        matches!(Record::find(&line), Ok(Some(Record::Program(_) | Record::Start(_))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_recognised() {
        assert!(looks_like_vector(br#" {"program": [0, 0, 0], "expected-status": "#));
        assert!(looks_like_vector(br#"{"block-gas-costs": {}, "program": []}"#));
        assert!(!looks_like_vector(br#"{"program": [0, 0, 0]}"#));
        assert!(!looks_like_vector(br#"["program", "steps"]"#));
        assert!(!looks_like_vector(b""));
        assert!(!looks_like_vector(b"\0\x01{"));
    }

    #[test]
    fn traces_are_recognised() {
        assert!(looks_like_trace(b"hello\n12:00 INFO program 0x000000 (3 bytes)\n"));
        assert!(looks_like_trace(b"\xff\xfe\nstart pc=0 gas=1"));
        assert!(!looks_like_trace(b"program 0x00\nstart pc=0 gas=1\0"));
        assert!(!looks_like_trace(b"start the engine\nprogram\n"));
        assert!(!looks_like_trace(b"(module) ;; comment program 0x00"));
        assert!(!looks_like_trace(b""));
    }
}
