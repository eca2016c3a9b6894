//! What transfers cost a card, from the chip's own counts and from pcscd's log.

use serde::Serialize;
use serde_json::Value;

use crate::pcscd_log::Exchange;

/// Costs of the commands of one transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Commands, with SELECT.
    pub apdus: u64,
    /// Bytes both ways.
    pub bytes: u64,
    /// Signatures made.
    pub signatures: u64,
    /// Signatures of others verified.
    pub verifications: u64,
    /// Own signatures verified before they left the card.
    pub self_checks: u64,
    /// Writes of the header record.
    pub purse_commits: u64,
    /// Writes of the PIN cell.
    pub pin_writes: u64,
    /// Bytes written to non-volatile memory.
    pub nvm_bytes: u64,
    /// Commands before the buyer confirmed and after the transfer: status, key, certificate.
    pub idle_apdus: u64,
}

/// A run of commands that begins with SELECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It signs or moves value, or verifies the PIN for that.
    Transfer,
    /// It only reads, or puts P's certificate on the card (once per card).
    Idle,
}

/// Counts a stretch of the chip's trace.
#[must_use]
pub fn of_trace(trace: &[Value]) -> Costs {
    let mut costs = Costs::default();
    let instructions: Vec<&str> = trace.iter().map(|line| text(line, "ins")).collect();
    for (line, part) in trace.iter().zip(parts(&instructions)) {
        if part == Part::Idle {
            costs.idle_apdus += 1;
            continue;
        }
        costs.apdus += 1;
        costs.bytes += number(line, "command_bytes") + number(line, "answer_bytes");
        costs.signatures += number(line, "signatures");
        costs.verifications += number(line, "verifications");
        costs.self_checks += number(line, "self_checks");
        costs.purse_commits += number(line, "purse_commits");
        costs.pin_writes += number(line, "pin_writes");
        costs.nvm_bytes += number(line, "nvm_bytes");
    }
    costs
}

/// Counts commands and bytes of the same stretch in pcscd's log: (commands, bytes) of transfers.
#[must_use]
pub fn of_log(exchanges: &[Exchange]) -> (u64, u64) {
    let names: Vec<String> =
        exchanges.iter().map(|exchange| format!("{:02x}", exchange.command[1])).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sizes = exchanges.iter().map(|one| one.command.len() + one.response.len());
    let transfers = sizes.zip(parts(&names)).filter(|(_, part)| *part == Part::Transfer);
    transfers.fold((0, 0), |(count, bytes), (size, _)| (count + 1, bytes + size as u64))
}

fn parts(instructions: &[&str]) -> Vec<Part> {
    let mut parts = Vec::new();
    for run in instructions.chunk_by(|_, next| !next.eq_ignore_ascii_case("a4")) {
        let moves = run.iter().any(|ins| ["50", "52", "54"].contains(ins));
        let part = if moves { Part::Transfer } else { Part::Idle };
        parts.extend(run.iter().map(|_| part));
    }
    parts
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_default()
}

fn number(line: &Value, name: &str) -> u64 {
    line[name].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_only_read_are_idle() {
        let run = ["a4", "47", "5a", "a4", "50", "a4", "20", "54", "a4", "5a"];
        let transfer = parts(&run).iter().filter(|part| **part == Part::Transfer).count();
        assert_eq!(transfer, 5);
    }
}
