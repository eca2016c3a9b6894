//! What the log says about an exchange with a card: instruction, lengths, status word. Never data:
//! commands carry PINs, answers carry balances.

use firmware_bridge::TransportError;

/// The log point of a transport; each calls it once per exchange.
pub(crate) fn note(transport: &str, command: &[u8], answer: &Result<Vec<u8>, TransportError>) {
    let instruction = command.get(1).copied().unwrap_or_default();
    let sent = command.len();
    match answer {
        Ok(answer) => {
            let received = answer.len();
            let status = answer.last_chunk::<2>().map_or(0, |word| u16::from_be_bytes(*word));
            tracing::debug!(
                transport,
                instruction = format_args!("{instruction:02X}"),
                sent,
                received,
                status = format_args!("{status:04X}"),
                "apdu"
            );
        }
        Err(error) => {
            let instruction = format_args!("{instruction:02X}");
            tracing::debug!(transport, instruction, sent, %error, "apdu");
        }
    }
}
