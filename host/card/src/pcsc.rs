//! PC/SC readers, through the system's library. The only file that names it.
//!
//! Calls may block for as long as a driver or another program likes, so a connection lives on a
//! thread of its own and every call has a deadline. A thread that misses it is left alone: whenever
//! its call returns, it ends its transaction with a reset, and itself. `PCSCLITE_CSOCK_NAME` sends
//! libpcsclite to another daemon.

use std::ffi::{CStr, CString};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::pcsc::{Context, Error, Protocol, Protocols, ReaderState, Scope, ShareMode, State};
use apdu_spec::apdu::ANSWER_MAX;
use firmware_bridge::{Disposition, Transport, TransportError, check_command};
use zeroize::Zeroizing;

use crate::reader::Reader;
use crate::{apdu_log, t0};

/// What one call may take, unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(10);

/// Threads whose call has not returned, at most; no new one is started then.
const STUCK_MAX: usize = 4;

/// The card in one PC/SC reader: shared connection, one short exclusive transaction per operation.
#[derive(Debug)]
pub struct PcscTransport {
    reader: CString,
    deadline: Duration,
    worker: Option<Worker>,
    stuck: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Worker {
    calls: Sender<Call>,
    answers: Receiver<Answer>,
    thread: JoinHandle<()>,
}

enum Call {
    Begin,
    /// A command may carry a PIN.
    Transmit(Zeroizing<Vec<u8>>),
    End(Disposition),
}

/// The answer to a command; empty for the other calls.
type Answer = Result<Vec<u8>, TransportError>;

impl PcscTransport {
    /// The card in the reader with this whole name. Connects at the first transaction.
    ///
    /// # Errors
    /// [`TransportError::NoReader`] for a name that no reader can have.
    pub fn new(reader: &str) -> Result<Self, TransportError> {
        Ok(Self {
            reader: CString::new(reader).map_err(|_| TransportError::NoReader)?,
            deadline: DEADLINE,
            worker: None,
            stuck: Vec::new(),
        })
    }

    /// The same with another deadline per call; 10 s is the default.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Connects, with a context of its own: an older one does not survive a restart of the service
    /// or a sleep of the machine.
    fn connect(&mut self) -> Result<(), TransportError> {
        self.stuck.retain(|thread| !thread.is_finished());
        if self.stuck.len() >= STUCK_MAX {
            return Err(TransportError::Timeout);
        }
        let (calls, their_calls) = mpsc::channel();
        let (their_answers, answers) = mpsc::channel();
        let reader = self.reader.clone();
        let thread = start(move || serve(&reader, &their_calls, &their_answers))?;
        self.worker = Some(Worker { calls, answers, thread });
        self.await_answer().map(|_| ())
    }

    fn call(&mut self, call: Call) -> Answer {
        let worker = self.worker.as_ref().ok_or_else(no_transaction)?;
        // Where the thread has ended, waiting for its answer tells.
        drop(worker.calls.send(call));
        self.await_answer()
    }

    fn await_answer(&mut self) -> Answer {
        let worker = self.worker.as_ref().ok_or_else(no_transaction)?;
        match worker.answers.recv_timeout(self.deadline) {
            Ok(Err(error)) if error.loses_card() => {
                self.worker = None;
                Err(error)
            }
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                self.stuck.extend(self.worker.take().map(|worker| worker.thread));
                Err(TransportError::Timeout)
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.worker = None;
                Err(TransportError::Io("the reader's thread ended".to_owned()))
            }
        }
    }
}

impl Transport for PcscTransport {
    fn begin(&mut self) -> Result<(), TransportError> {
        if self.worker.is_none() {
            self.connect()?;
        }
        match self.call(Call::Begin) {
            // Only another program's transaction lasts so long.
            Err(TransportError::Timeout) => Err(TransportError::Busy),
            answer => answer.map(|_| ()),
        }
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let answer = check_command(command)
            .and_then(|()| self.call(Call::Transmit(Zeroizing::new(command.to_vec()))));
        apdu_log::note("pcsc", command, &answer);
        answer
    }

    fn end(&mut self, disposition: Disposition) -> Result<(), TransportError> {
        if self.worker.is_none() {
            return Ok(());
        }
        self.call(Call::End(disposition)).map(|_| ())
    }

    fn describe(&self) -> String {
        self.reader.to_string_lossy().into_owned()
    }
}

impl Drop for PcscTransport {
    /// Waits for the thread to disconnect: when a process ends before that, the service resets the
    /// card under whoever else uses it.
    fn drop(&mut self) {
        if let Some(Worker { calls, answers, .. }) = self.worker.take() {
            drop(calls);
            drop(answers.recv_timeout(self.deadline));
        }
    }
}

/// All readers, and whether they have a card.
///
/// # Errors
/// [`TransportError::ServiceStopped`], [`TransportError::Timeout`] after 10 s.
pub fn readers() -> Result<Vec<Reader>, TransportError> {
    let (sender, receiver) = mpsc::channel();
    start(move || drop(sender.send(list_readers().map_err(understand))))?;
    match receiver.recv_timeout(DEADLINE) {
        Ok(readers) => readers,
        Err(RecvTimeoutError::Timeout) => Err(TransportError::Timeout),
        Err(RecvTimeoutError::Disconnected) => Err(no_transaction()),
    }
}

fn list_readers() -> Result<Vec<Reader>, Error> {
    let context = Context::establish(Scope::User)?;
    let names = match context.list_readers_owned() {
        Err(Error::NoReadersAvailable) => Vec::new(),
        names => names?,
    };
    let mut states: Vec<ReaderState> =
        names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
    if !states.is_empty() {
        context.get_status_change(Duration::ZERO, &mut states)?;
    }
    let reader = |state: &ReaderState| Reader {
        name: state.name().to_string_lossy().into_owned(),
        has_card: state.event_state().contains(State::PRESENT),
    };
    Ok(states.iter().map(reader).collect())
}

fn start(run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, TransportError> {
    thread::Builder::new()
        .name("pcsc".to_owned())
        .spawn(run)
        .map_err(|error| TransportError::Io(error.to_string()))
}

fn no_transaction() -> TransportError {
    TransportError::Io("no transaction is open".to_owned())
}

/// The thread of one connection. Ends when the caller has gone or the card was lost.
fn serve(reader: &CStr, calls: &Receiver<Call>, answers: &Sender<Answer>) {
    let mut connection = match Connection::open(reader) {
        Ok(connection) => connection,
        Err(error) => return drop(answers.send(Err(understand(error)))),
    };
    let mut goes_on = answers.send(Ok(Vec::new())).is_ok();
    while goes_on && let Ok(call) = calls.recv() {
        goes_on = match call {
            Call::Begin => connection.transact(calls, answers),
            Call::Transmit(_) | Call::End(_) => answers.send(Err(no_transaction())).is_ok(),
        };
    }
    connection.close();
}

struct Connection {
    card: ::pcsc::Card,
    is_t0: bool,
}

impl Connection {
    fn open(reader: &CStr) -> Result<Self, Error> {
        let context = Context::establish(Scope::User)?;
        let card = context.connect(reader, ShareMode::Shared, PROTOCOLS)?;
        let is_t0 = uses_t0(&card)?;
        Ok(Self { card, is_t0 })
    }

    /// Starts a transaction. A reset by another program is no loss: everything begins with SELECT.
    fn begin(&mut self) -> Result<::pcsc::Transaction<'_>, Error> {
        match self.card.transaction2() {
            Ok(transaction) => Ok(transaction),
            Err((card, Error::ResetCard)) => {
                card.reconnect(ShareMode::Shared, PROTOCOLS, ::pcsc::Disposition::LeaveCard)?;
                self.is_t0 = uses_t0(card)?;
                card.transaction()
            }
            Err((_, error)) => Err(error),
        }
    }

    /// One transaction, from its begin on. Returns whether the connection can be used again.
    fn transact(&mut self, calls: &Receiver<Call>, answers: &Sender<Answer>) -> bool {
        let is_t0 = self.is_t0;
        let transaction = match self.begin() {
            Ok(transaction) => transaction,
            Err(error) => {
                let error = understand(error);
                let goes_on = !error.loses_card();
                return answers.send(Err(error)).is_ok() && goes_on;
            }
        };
        let mut answer = Ok(Vec::new());
        loop {
            let lost = answer.as_ref().is_err_and(TransportError::loses_card);
            if answers.send(answer).is_err() || lost {
                break;
            }
            answer = match calls.recv() {
                Ok(Call::Transmit(command)) => transmit(&transaction, is_t0, &command),
                Ok(Call::Begin) => Err(no_transaction()),
                Ok(Call::End(disposition)) => {
                    return end(transaction, disposition, answers);
                }
                Err(_) => break,
            };
        }
        // The caller has given up, perhaps with a PIN verified.
        drop(transaction.end(::pcsc::Disposition::ResetCard));
        false
    }

    fn close(self) {
        // Dropping the card would reset it.
        drop(self.card.disconnect(::pcsc::Disposition::LeaveCard));
    }
}

const PROTOCOLS: Protocols = Protocols::T0.union(Protocols::T1);

fn uses_t0(card: &::pcsc::Card) -> Result<bool, Error> {
    Ok(card.status2_owned()?.protocol2() == Some(Protocol::T0))
}

fn transmit(card: &::pcsc::Card, is_t0: bool, command: &[u8]) -> Answer {
    let send = |command: &[u8]| {
        let mut room = [0; ANSWER_MAX];
        match card.transmit(command, &mut room) {
            Ok([]) => Err(TransportError::Mute),
            Ok(answer) => Ok(answer.to_vec()),
            Err(error) => Err(understand(error)),
        }
    };
    if is_t0 { t0::exchange(command, send) } else { send(command) }
}

/// Ends a transaction. Where that fails the connection goes, for only that is sure to let others
/// at the card again.
fn end(
    transaction: ::pcsc::Transaction<'_>,
    disposition: Disposition,
    answers: &Sender<Answer>,
) -> bool {
    let disposition = match disposition {
        Disposition::Leave => ::pcsc::Disposition::LeaveCard,
        Disposition::Reset => ::pcsc::Disposition::ResetCard,
    };
    let ended = transaction.end(disposition).is_ok();
    let answer = if ended { Ok(Vec::new()) } else { Err(TransportError::Removed) };
    answers.send(answer).is_ok() && ended
}

/// What the library's errors mean here; all others are [`TransportError::Io`].
const MEANINGS: &[(Error, TransportError)] = &[
    (Error::NoService, TransportError::ServiceStopped),
    (Error::ServiceStopped, TransportError::ServiceStopped),
    (Error::Shutdown, TransportError::ServiceStopped),
    // libpcsclite when the daemon goes away in the middle of a call, or has come back since.
    (Error::CommError, TransportError::ServiceStopped),
    (Error::InvalidHandle, TransportError::ServiceStopped),
    (Error::UnknownReader, TransportError::NoReader),
    (Error::NoReadersAvailable, TransportError::NoReader),
    (Error::ReaderUnavailable, TransportError::NoReader),
    (Error::NoSmartcard, TransportError::NoCard),
    (Error::RemovedCard, TransportError::Removed),
    (Error::ResetCard, TransportError::Reset),
    (Error::SharingViolation, TransportError::Busy),
    (Error::ServerTooBusy, TransportError::Busy),
    (Error::Timeout, TransportError::Timeout),
    (Error::WaitedTooLong, TransportError::Timeout),
    (Error::UnresponsiveCard, TransportError::Mute),
    (Error::UnpoweredCard, TransportError::Mute),
    (Error::UnsupportedCard, TransportError::Mute),
    (Error::InvalidAtr, TransportError::Mute),
    (Error::ProtoMismatch, TransportError::Mute),
    // pcscd when the driver could not get an answer from the card.
    (Error::NotTransacted, TransportError::Mute),
    (Error::InsufficientBuffer, TransportError::TooLong),
];

fn understand(error: Error) -> TransportError {
    MEANINGS
        .iter()
        .find(|(known, _)| *known == error)
        .map_or_else(|| TransportError::Io(error.to_string()), |(_, meaning)| meaning.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_library_has_one_meaning() {
        for (place, (error, meaning)) in MEANINGS.iter().enumerate() {
            let others = MEANINGS.iter().skip(place).skip(1);
            assert!(others.clone().all(|(other, _)| other != error), "{error:?}");
            assert_eq!(understand(*error), *meaning);
        }
        let other = understand(Error::SecurityViolation);
        assert!(matches!(other, TransportError::Io(_)), "{other:?}");
    }

    #[test]
    fn a_transport_that_never_connected_is_harmless() {
        assert!(matches!(PcscTransport::new("a\0b"), Err(TransportError::NoReader)));
        let mut transport = PcscTransport::new("nowhere").unwrap();
        assert_eq!(transport.describe(), "nowhere");
        assert!(transport.transmit(&[0, 0xa4, 4, 0]).is_err());
        assert_eq!(transport.transmit(&[4]), Err(TransportError::TooShort));
        assert_eq!(transport.end(Disposition::Reset), Ok(()));
    }

    #[test]
    fn a_thread_that_hangs_is_given_up_and_a_few_of_them_end_the_patience() {
        let mut transport = PcscTransport::new("nowhere").unwrap();
        transport.deadline = Duration::from_millis(10);
        let mut ends = Vec::new();
        for _ in 0..STUCK_MAX {
            let (calls, their_calls) = mpsc::channel();
            let (their_answers, answers) = mpsc::channel();
            let (end, ended) = mpsc::channel::<()>();
            let thread = thread::spawn(move || {
                // Neither answers nor ends.
                let _ended = ended.recv();
                drop((their_calls, their_answers));
            });
            ends.push(end);
            transport.worker = Some(Worker { calls, answers, thread });
            let answer = transport.transmit(&[0, 0xa4, 4, 0]);
            assert_eq!(answer, Err(TransportError::Timeout));
            assert!(transport.worker.is_none());
        }
        assert_eq!(transport.connect(), Err(TransportError::Timeout));
        drop(ends);
    }
}
