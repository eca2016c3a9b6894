//! Reads the APDUs out of pcscd's log: what really went over the reader, whoever sent it.

/// A command and the card's answer, status word included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The command APDU.
    pub command: Vec<u8>,
    /// The response APDU; empty if the card was gone before it answered.
    pub response: Vec<u8>,
}

/// The exchanges in a log that pcscd wrote with `--apdu`.
///
/// Its lines are `00000042 APDU: 00 A4 04 00` and `00000042 SW: 90 00`, among others.
#[must_use]
pub fn exchanges(log: &str) -> Vec<Exchange> {
    let mut found: Vec<Exchange> = Vec::new();
    for line in log.lines() {
        let message = line.split_once(' ').map_or("", |(_, message)| message);
        if let Some(bytes) = message.strip_prefix("APDU:").and_then(parse_hex) {
            found.push(Exchange { command: bytes, response: Vec::new() });
        } else if let Some(bytes) = message.strip_prefix("SW:").and_then(parse_hex)
            && let Some(last) = found.last_mut()
        {
            last.response = bytes;
        }
    }
    found
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).ok()).collect()
}
