//! Short APDUs over T=0, where a command cannot carry data and bring data back at once
//! (ISO 7816-3 §12.2): a card says 61xx for "xx more bytes, ask for them" and 6Cxx for "wrong Le,
//! xx is right".

use apdu_spec::apdu::ANSWER_MAX;
use firmware_bridge::TransportError;

/// Rounds for one command, at most: a hostile card could go on for ever.
const ROUNDS_MAX: u8 = 4;

/// Passes a command to `send`, and whatever the card then asks for, and gathers the answer.
pub(crate) fn exchange(
    command: &[u8],
    mut send: impl FnMut(&[u8]) -> Result<Vec<u8>, TransportError>,
) -> Result<Vec<u8>, TransportError> {
    let mut answer = send(without_le(command))?;
    let mut asked = header(command);
    let mut data = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let Some((part, [class, count])) = answer.split_last_chunk::<2>() else {
            return Ok(answer);
        };
        match class {
            0x61 => {
                data.extend(part);
                asked = [0x00, 0xc0, 0x00, 0x00];
            }
            0x6c => {}
            _ => break,
        }
        let [cla, ins, p1, p2] = asked;
        answer = send(&[cla, ins, p1, p2, *count])?;
    }
    data.extend(answer);
    if data.len() > ANSWER_MAX {
        return Err(TransportError::TooLong);
    }
    Ok(data)
}

/// The command without Le, where it has both data and Le.
fn without_le(command: &[u8]) -> &[u8] {
    match command {
        [_, _, _, _, lc, body @ ..] if body.len() == usize::from(*lc).saturating_add(1) => {
            command.split_last().map_or(command, |(_, rest)| rest)
        }
        _ => command,
    }
}

fn header(command: &[u8]) -> [u8; 4] {
    command.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a command against a list of what must be sent and what comes back.
    fn check(command: &[u8], script: &[(&[u8], &[u8])], expected: &[u8]) {
        let mut script = script.iter();
        let answer = exchange(command, |sent| {
            let (expected, answer) = script.next().expect("one more command");
            assert_eq!(sent, *expected);
            Ok(answer.to_vec())
        });
        assert_eq!(answer, Ok(expected.to_vec()));
        assert_eq!(script.next(), None);
    }

    #[test]
    fn commands_without_data_or_without_le_pass_unchanged() {
        let ok: &[u8] = &[0x90, 0];
        for command in [&[0, 0xe6, 0, 0][..], &[0x80, 0x5c, 0, 0, 0], &[0, 0xd6, 0, 0, 2, 8, 9]] {
            check(command, &[(command, ok)], ok);
        }
    }

    #[test]
    fn data_behind_a_command_with_data_is_fetched() {
        check(
            &[0x80, 0x54, 0, 0, 2, 8, 9, 0],
            &[
                (&[0x80, 0x54, 0, 0, 2, 8, 9], &[0x61, 3]),
                (&[0, 0xc0, 0, 0, 3], &[1, 2, 3, 0x90, 0]),
            ],
            &[1, 2, 3, 0x90, 0],
        );
    }

    #[test]
    fn a_command_is_repeated_with_the_right_length() {
        check(
            &[0x80, 0x5c, 0, 0, 0],
            &[(&[0x80, 0x5c, 0, 0, 0], &[0x6c, 2]), (&[0x80, 0x5c, 0, 0, 2], &[1, 2, 0x90, 0])],
            &[1, 2, 0x90, 0],
        );
    }

    #[test]
    fn a_refusal_comes_as_it_is() {
        let command: &[u8] = &[0, 0x20, 0, 1];
        check(command, &[(command, &[0x63, 0xc3])], &[0x63, 0xc3]);
    }

    #[test]
    fn a_card_that_never_ends_is_cut_off() {
        let mut sent = 0;
        let answer = exchange(&[0x80, 0x5c, 0, 0, 0], |_| {
            sent += 1;
            Ok(vec![0x61, 0])
        });
        assert_eq!(sent, 5);
        assert_eq!(answer, Ok(vec![0x61, 0]));
        let answer =
            exchange(&[0x80, 0x5c, 0, 0, 0], |_| Ok([vec![7; 200], vec![0x61, 0]].concat()));
        assert_eq!(answer, Err(TransportError::TooLong));
    }
}
