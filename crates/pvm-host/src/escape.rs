//! Text from guests, made harmless.

/// The text of some bytes, on one line: control characters, what changes the direction of text or is invisible, and
/// what is not UTF-8 are replaced by escapes, so that a guest cannot write to a terminal what it wants.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            // `escape_debug` knows what is printable; it would also escape quotes, which may stay.
            if c.is_control() || !c.is_ascii() && c.escape_debug().nth(1).is_some() {
                out.extend(c.escape_debug());
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_do_harm_is_escaped() {
        assert_eq!(escape("grün \"x\" 'y' \u{1f600}".as_bytes()), "grün \"x\" 'y' \u{1f600}");
        assert_eq!(escape(b"a\nb\x1b[31m\0\xff\x7f"), "a\\nb\\u{1b}[31m\\0\\xff\\u{7f}");
        assert_eq!(escape("\u{202e}\u{9b}\u{200b}".as_bytes()), "\\u{202e}\\u{9b}\\u{200b}");
    }
}
