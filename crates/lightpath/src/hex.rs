//! Bytes as hex digits, as people paste them and as JSON carries them.

use std::fmt;

use anyhow::{Error, Result, bail};
use serde::{Deserialize, Serialize};

/// Bytes that are written as hex digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Hex {
    /// Reads digits in either case, between which may be spaces, colons, dashes and line breaks. What `tcpdump -x` begins
    /// its lines with, such as `0x0010:`, is skipped, and so is a `0x` before everything.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut nibbles = Vec::new();
        for (line, content) in text.lines().enumerate() {
            let skipped = offset_length(content);
            for (column, character) in content.chars().enumerate().skip(skipped) {
                match character.to_digit(16) {
                    Some(digit) => nibbles.extend(u8::try_from(digit)),
                    None if character.is_whitespace() || character == ':' || character == '-' => {}
                    None => bail!(
                        "{character:?} in line {}, column {} is no hex digit; between digits there may be spaces, colons and \
                         line breaks",
                        line + 1,
                        column + 1
                    ),
                }
            }
        }
        let (pairs, []) = nibbles.as_chunks::<2>() else {
            bail!("the number of hex digits is odd ({}): half a byte is missing", nibbles.len());
        };
        Ok(Self(pairs.iter().map(|[high, low]| high << 4 | low).collect()))
    }
}

/// Characters before the digits of a line: an offset with its colon, or a bare `0x`.
fn offset_length(line: &str) -> usize {
    let blank = line.chars().take_while(|character| character.is_whitespace()).count();
    let Some(rest) = line.trim_start().strip_prefix("0x") else {
        return 0;
    };
    let digits = rest.chars().take_while(char::is_ascii_hexdigit).count();
    let offset = if rest.chars().nth(digits) == Some(':') { digits + 1 } else { 0 };
    blank + 2 + offset
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Hex> for String {
    fn from(hex: Hex) -> Self {
        hex.to_string()
    }
}

impl TryFrom<String> for Hex {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Result<Vec<u8>, String> {
        Hex::parse(text).map(|hex| hex.0).map_err(|error| error.to_string())
    }

    #[test]
    fn digits_are_read_however_they_are_separated() {
        for text in [
            "00ffab12",
            "00FFaB12",
            "00 ff ab 12",
            "00:ff:ab:12",
            "00-ff-ab-12",
            "00ff\nab12\n",
            " 00ff \r\n\tab12 ",
            "0x00ffab12",
            "\t0x0000:  00ff\n\t0x0002:  ab12\n",
        ] {
            assert_eq!(bytes(text), Ok(vec![0x00, 0xff, 0xab, 0x12]), "{text:?}");
        }
    }

    #[test]
    fn no_digits_are_no_bytes() {
        for text in ["", " \n:", "0x"] {
            assert_eq!(bytes(text), Ok(Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_bytes_is_named_with_its_place() {
        for (text, expected) in [
            ("45000", "the number of hex digits is odd (5)"),
            ("4500\n00 2g", "'g' in line 2, column 5"),
            ("45é0", "'é' in line 1, column 3"),
            ("00 0x11", "'x' in line 1, column 5"),
        ] {
            let refusal = bytes(text).unwrap_err();
            assert!(refusal.starts_with(expected), "{text:?}: {refusal}");
        }
    }

    #[test]
    fn json_carries_digits_without_separators() {
        let hex = Hex(vec![0, 0x5a, 0xff]);
        assert_eq!(serde_json::to_string(&hex).unwrap(), "\"005aff\"");
        assert_eq!(serde_json::from_str::<Hex>("\"00:5a:ff\"").unwrap(), hex);
    }
}
