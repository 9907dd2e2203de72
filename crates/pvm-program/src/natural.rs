//! Natural numbers of variable length (Gray Paper C.5): one to nine bytes, the shortest that fits.

/// Appends the encoding of `value`.
pub fn encode(value: u64, out: &mut Vec<u8>) {
    // With l trailing bytes, 7 - l bits of the first byte are left for the value.
    let trailing = (0..8).find(|l| value >> (7 * (l + 1)) == 0);
    match trailing {
        Some(l) => {
            let marker = !(0xff_u8 >> l);
            out.push(marker | (value >> (8 * l)) as u8);
            out.extend(&value.to_le_bytes()[..l]);
        }
        None => {
            out.push(0xff);
            out.extend(value.to_le_bytes());
        }
    }
}

/// Reads a number: its value, how many bytes it takes, and whether they are the shortest encoding.
///
/// `None` if `bytes` ends within the number.
pub fn decode(bytes: &[u8]) -> Option<(u64, usize, bool)> {
    let first = *bytes.first()?;
    let trailing = first.leading_ones() as usize;
    let mut low = [0; 8];
    low[..trailing].copy_from_slice(bytes.get(1..1 + trailing)?);
    let high = if trailing < 7 { u64::from(first & (0x7f >> trailing)) << (8 * trailing) } else { 0 };
    let value = high | u64::from_le_bytes(low);
    // One byte less must not have been enough.
    let shortest = trailing == 0 || value >> (7 * trailing) != 0;
    Some((value, 1 + trailing, shortest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, &mut out);
        out
    }

    #[test]
    fn known_encodings() {
        assert_eq!(bytes(0), [0]);
        assert_eq!(bytes(127), [0x7f]);
        assert_eq!(bytes(128), [0x80, 0x80]);
        assert_eq!(bytes(16383), [0xbf, 0xff]);
        assert_eq!(bytes(16384), [0xc0, 0x00, 0x40]);
        assert_eq!(bytes((1 << 32) - 1), [0xf0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(bytes(u64::MAX), [0xff; 9]);
    }

    #[test]
    fn every_length_comes_back() {
        for shift in 0..64 {
            for value in [1 << shift, (1 << shift) - 1, (1 << shift) + 1, u64::MAX >> shift] {
                let encoded = bytes(value);
                assert_eq!(decode(&encoded), Some((value, encoded.len(), true)));
                assert_eq!(decode(&encoded[..encoded.len() - 1]), None);
            }
        }
    }

    #[test]
    fn longer_spellings_are_noticed() {
        assert_eq!(decode(&[0x80, 1]), Some((1, 2, false)));
        assert_eq!(decode(&[0xff, 1, 0, 0, 0, 0, 0, 0, 0]), Some((1, 9, false)));
    }
}
