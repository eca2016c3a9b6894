//! The direct transport: a software card on a Unix socket, without pcscd.
//!
//! ```text
//! frame           length u16 BE | as many bytes
//! power off, on   00 01 | 00    00 01 | 01
//! reset           00 01 | 02
//! ATR             00 01 | 04, answered by a frame
//! command         any longer frame, answered by a frame; an empty one: the card is mute
//! ```

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use apdu_spec::apdu::ANSWER_MAX;
use firmware_bridge::{Disposition, Transport, TransportError, check_command};
use zeroize::Zeroizing;

use crate::apdu_log;

/// What one call may take, unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(10);

const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const GET_ATR: u8 = 4;

/// A software card that serves a Unix socket. The connection stays open between transactions, and
/// as long as it does no other client is served.
#[derive(Debug)]
pub struct DirectTransport {
    path: PathBuf,
    deadline: Duration,
    stream: Option<UnixStream>,
}

impl DirectTransport {
    /// The card behind this socket. Connects at the first transaction.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), deadline: DEADLINE, stream: None }
    }

    /// The same with another deadline per call, which must not be zero; 10 s is the default.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn connect(&self) -> Result<UnixStream, TransportError> {
        let mut stream = UnixStream::connect(&self.path).map_err(failed)?;
        stream.set_write_timeout(Some(self.deadline)).map_err(failed)?;
        write(&mut stream, &[POWER_ON])?;
        // A card that serves another client lets us in and does not answer.
        write(&mut stream, &[GET_ATR])?;
        match read(&mut stream, self.deadline) {
            Err(TransportError::Timeout) => Err(TransportError::Busy),
            Ok(atr) if atr.is_empty() => Err(TransportError::NoCard),
            Ok(_) => Ok(stream),
            Err(error) => Err(error),
        }
    }

    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        check_command(command)?;
        let stream = self.stream.as_mut().ok_or_else(no_transaction)?;
        let answer = write(stream, command).and_then(|()| read(stream, self.deadline));
        let answer =
            answer.and_then(
                |answer| {
                    if answer.is_empty() { Err(TransportError::Mute) } else { Ok(answer) }
                },
            );
        if answer.is_err() {
            // A late answer must not be taken for that of the next command.
            self.stream = None;
        }
        answer
    }
}

impl Transport for DirectTransport {
    fn begin(&mut self) -> Result<(), TransportError> {
        if self.stream.is_none() {
            self.stream = Some(self.connect()?);
        }
        Ok(())
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let answer = self.exchange(command);
        apdu_log::note("direct", command, &answer);
        answer
    }

    fn end(&mut self, disposition: Disposition) -> Result<(), TransportError> {
        match (&mut self.stream, disposition) {
            (Some(stream), Disposition::Reset) => {
                let written = write(stream, &[RESET]);
                if written.is_err() {
                    self.stream = None;
                }
                written
            }
            (Some(_), Disposition::Leave) | (None, _) => Ok(()),
        }
    }

    fn describe(&self) -> String {
        format!("direct:{}", self.path.display())
    }
}

fn no_transaction() -> TransportError {
    TransportError::Io("no transaction is open".to_owned())
}

/// Writes one frame in one piece. It may carry a PIN, and is overwritten afterwards.
fn write(stream: &mut UnixStream, content: &[u8]) -> Result<(), TransportError> {
    let length = u16::try_from(content.len()).map_err(|_| TransportError::TooLong)?;
    let mut frame = Zeroizing::new(Vec::with_capacity(content.len().saturating_add(2)));
    frame.extend(length.to_be_bytes());
    frame.extend(content);
    stream.write_all(&frame).map_err(failed)
}

/// Reads one frame, all of it within the deadline.
fn read(stream: &mut UnixStream, deadline: Duration) -> Result<Vec<u8>, TransportError> {
    let start = Instant::now();
    let mut length = [0; 2];
    fill(stream, &mut length, start, deadline)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > ANSWER_MAX {
        return Err(TransportError::TooLong);
    }
    let mut content = vec![0; length];
    fill(stream, &mut content, start, deadline)?;
    Ok(content)
}

fn fill(
    stream: &mut UnixStream,
    mut room: &mut [u8],
    start: Instant,
    deadline: Duration,
) -> Result<(), TransportError> {
    while !room.is_empty() {
        let left = deadline.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(TransportError::Timeout);
        }
        stream.set_read_timeout(Some(left)).map_err(failed)?;
        match stream.read(room) {
            Ok(0) => return Err(TransportError::Removed),
            Ok(count) => room = room.get_mut(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// What the system's errors mean here; all others are [`TransportError::Io`].
const MEANINGS: &[(ErrorKind, TransportError)] = &[
    (ErrorKind::NotFound, TransportError::NoReader),
    (ErrorKind::ConnectionRefused, TransportError::NoReader),
    (ErrorKind::WouldBlock, TransportError::Timeout),
    (ErrorKind::TimedOut, TransportError::Timeout),
    (ErrorKind::BrokenPipe, TransportError::Removed),
    (ErrorKind::ConnectionReset, TransportError::Removed),
];

fn failed(error: io::Error) -> TransportError {
    let meaning = MEANINGS.iter().find(|(kind, _)| *kind == error.kind());
    meaning.map_or_else(|| TransportError::Io(error.to_string()), |(_, meaning)| meaning.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    const COMMAND: [u8; 5] = [0x80, 0x5c, 0, 0, 0];
    const SOON: Duration = Duration::from_millis(50);

    fn frame(content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        [&length.to_be_bytes(), content].concat()
    }

    /// Expects `expected` from one client, and sends `answers` after as many bytes each as given.
    /// Then holds the connection until the client leaves.
    fn with_server(
        script: Vec<(Vec<u8>, Vec<u8>)>,
        closes: bool,
        run: impl FnOnce(DirectTransport),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for (expected, answer) in script {
                let mut received = vec![0; expected.len()];
                stream.read_exact(&mut received).unwrap();
                assert_eq!(received, expected);
                stream.write_all(&answer).unwrap();
            }
            if !closes {
                let mut rest = Vec::new();
                // A client that leaves with bytes unread resets the connection.
                let _ended = stream.read_to_end(&mut rest);
                assert_eq!(rest, [0; 0], "more than was expected");
            }
        });
        run(DirectTransport::new(path));
        server.join().unwrap();
    }

    fn power_on() -> (Vec<u8>, Vec<u8>) {
        let expected = [frame(&[1]), frame(&[4])].concat();
        (expected, frame(&[0x3b, 0x80, 0x80, 0x01, 0x01]))
    }

    #[test]
    fn a_card_is_switched_on_once_asked_and_reset() {
        let script = vec![
            power_on(),
            (frame(&COMMAND), frame(&[0x90, 0])),
            ([frame(&[2]), frame(&COMMAND)].concat(), frame(&[0x69, 0x85])),
        ];
        with_server(script, false, |mut card| {
            card.begin().unwrap();
            assert_eq!(card.transmit(&COMMAND), Ok(vec![0x90, 0]));
            card.end(Disposition::Reset).unwrap();
            card.begin().unwrap();
            assert_eq!(card.transmit(&COMMAND), Ok(vec![0x69, 0x85]));
            card.end(Disposition::Leave).unwrap();
        });
    }

    #[test]
    fn control_frames_and_over_long_commands_are_not_sent() {
        with_server(vec![power_on()], false, |mut card| {
            card.begin().unwrap();
            for length in 0..4 {
                let sent = card.transmit(&COMMAND[..length]);
                assert_eq!(sent, Err(TransportError::TooShort));
            }
            assert_eq!(card.transmit(&[0; 262]), Err(TransportError::TooLong));
        });
    }

    #[test]
    fn whatever_goes_wrong_has_a_name_and_ends_the_connection() {
        for (case, answer, closes, expected) in [
            ("mute", frame(&[]), false, TransportError::Mute),
            ("gone", vec![], true, TransportError::Removed),
            ("gone within a frame", vec![0, 9, 1], true, TransportError::Removed),
            ("silent", vec![], false, TransportError::Timeout),
            ("silent within a frame", vec![0, 9, 1], false, TransportError::Timeout),
            ("too long", frame(&[0; 259]), false, TransportError::TooLong),
            ("far too long", vec![0xff, 0xff], false, TransportError::TooLong),
        ] {
            let script = vec![power_on(), (frame(&COMMAND), answer)];
            with_server(script, closes, |mut card| {
                card.begin().unwrap();
                if expected == TransportError::Timeout {
                    card = card.with_deadline(SOON);
                }
                assert_eq!(card.transmit(&COMMAND), Err(expected), "{case}");
                assert_eq!(card.end(Disposition::Reset), Ok(()), "{case}");
                assert!(card.stream.is_none(), "{case}");
            });
        }
    }

    #[test]
    fn bytes_that_drip_do_not_move_the_deadline() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let dripping = thread::spawn(move || {
            far.write_all(&[1, 0]).unwrap();
            while far.write_all(&[0]).is_ok() {
                thread::sleep(SOON / 5);
            }
        });
        let start = Instant::now();
        assert_eq!(read(&mut near, SOON), Err(TransportError::Timeout));
        assert!(start.elapsed() < SOON * 10);
        drop(near);
        dripping.join().unwrap();
    }

    #[test]
    fn a_card_that_is_held_missing_or_not_in_is_told_apart() {
        let waiting = ([frame(&[1]), frame(&[4])].concat(), vec![]);
        with_server(vec![waiting], false, |card| {
            let mut card = card.with_deadline(SOON);
            assert_eq!(card.begin(), Err(TransportError::Busy));
        });
        let empty = ([frame(&[1]), frame(&[4])].concat(), frame(&[]));
        with_server(vec![empty], false, |mut card| {
            assert_eq!(card.begin(), Err(TransportError::NoCard));
        });
        let folder = tempfile::tempdir().unwrap();
        let mut nowhere = DirectTransport::new(folder.path().join("socket"));
        assert_eq!(nowhere.begin(), Err(TransportError::NoReader));
        drop(UnixListener::bind(folder.path().join("socket")).unwrap());
        assert_eq!(nowhere.begin(), Err(TransportError::NoReader));
        assert!(nowhere.transmit(&COMMAND).is_err());
        assert_eq!(nowhere.end(Disposition::Reset), Ok(()));
    }
}
