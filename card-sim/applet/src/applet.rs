//! Power-up, selection, dispatch: which command is allowed when.

use apdu_spec::apdu::ANSWER_MAX;
use apdu_spec::codec::{Buffer, CodecError};
use apdu_spec::command::Command;
use apdu_spec::value::LifeCycle;
use apdu_spec::{PIECE_MAX, Refusal};

use crate::env::{Env, Fault};
use crate::journal::{self, Journal};
use crate::pin::{self, PinCell};
use crate::state::{Header, State};
use crate::{issue, report, sign, transfer};

/// The card's answer: data and status word.
#[derive(Clone, Debug, Default)]
pub struct Response {
    bytes: Buffer<ANSWER_MAX>,
}

impl Response {
    /// An empty response.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Buffer::new() }
    }

    /// The whole answer, 2 to 258 bytes after [`Applet::process`].
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_bytes()
    }

    fn extend(&mut self, data: &[u8]) -> Result<(), Stop> {
        Ok(self.bytes.extend(data)?)
    }
}

/// Why a command ends without 9000.
pub(crate) enum Stop {
    Refused(Refusal),
    Fault,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Stop {
    fn from(_: Fault) -> Self {
        Self::Fault
    }
}

impl From<CodecError> for Stop {
    fn from(error: CodecError) -> Self {
        Fault::from(error).into()
    }
}

/// What a successful VERIFY allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permission {
    None,
    OneCommand,
    MoreHistory,
}

/// The applet between power-up and power-down.
#[derive(Debug)]
pub struct Applet {
    /// `None` when the memory could not be read at power-up or has failed since.
    state: Option<State>,
    /// Whether something has failed since power-up.
    failed: bool,
    selected: bool,
    permission: Permission,
}

/// Makes a new chip a blank card. Only for a chip that was never a card: it writes the header that
/// every later power-up must find.
///
/// # Errors
/// [`Fault`] when the chip's memory cannot be written.
pub fn manufacture(env: &mut impl Env) -> Result<(), Fault> {
    Header::BLANK.write(env)
}

impl Applet {
    /// Power-up or reset: reads the committed state. A card whose state cannot be read is blocked,
    /// never blank again.
    #[must_use]
    pub fn boot(env: &mut impl Env) -> Self {
        Self {
            state: State::load(env).ok(),
            failed: false,
            selected: false,
            permission: Permission::None,
        }
    }

    /// Processes one command; the answer, always at least a status word, replaces `response`.
    pub fn process(&mut self, env: &mut impl Env, command: &[u8], response: &mut Response) {
        response.bytes.clear();
        let word = match self.handle(env, command, response) {
            Ok(()) => 0x9000,
            Err(Stop::Refused(refusal)) => {
                response.bytes.clear();
                refusal.status_word()
            }
            Err(Stop::Fault) => {
                self.state = None;
                self.failed = true;
                response.bytes.clear();
                Refusal::MemoryFailure.status_word()
            }
        };
        // There is room: data has at most 256 bytes.
        let _ = response.bytes.extend(&word.to_be_bytes());
    }

    fn handle(
        &mut self,
        env: &mut impl Env,
        command: &[u8],
        response: &mut Response,
    ) -> Result<(), Stop> {
        let command = Command::decode(command);
        let permission = match command {
            Ok(Command::ReadTries) => self.permission,
            _ => core::mem::replace(&mut self.permission, Permission::None),
        };
        if let Ok(Command::Select { fci }) = command {
            self.selected = true;
            if fci {
                response.extend(report::fci(self.state.as_ref()).encode()?.as_bytes())?;
            }
            return Ok(());
        }
        if self.failed {
            return Err(Stop::Fault);
        }
        let command = command?;
        let state = self.state.as_mut().filter(|_| self.selected);
        let state = state.ok_or(Refusal::ConditionsNotSatisfied)?;
        if !is_allowed(&command, state.header.life_cycle) {
            return Err(Refusal::ConditionsNotSatisfied.into());
        }
        self.permission = dispatch(env, state, &command, permission, response)?;
        Ok(())
    }
}

/// Carries out an allowed command; answers the permission that holds afterwards.
#[expect(clippy::wildcard_enum_match_arm, reason = "carry_out has an arm for every command")]
fn dispatch(
    env: &mut impl Env,
    state: &mut State,
    command: &Command<'_>,
    permission: Permission,
    response: &mut Response,
) -> Result<Permission, Stop> {
    match command {
        Command::Verify(pin) => {
            pin::verify(env, pin, None)?;
            Ok(Permission::OneCommand)
        }
        Command::ReadTries if permission == Permission::None => {
            let tries_left = PinCell::load(env)?.pin_tries;
            Err(Refusal::Wrong { tries_left }.into())
        }
        Command::ReadTries => Ok(permission),
        Command::ReadHistory { number } => {
            let entry = journal::read_history(env, state, *number)?;
            if permission == Permission::None {
                return Err(Refusal::PinNeeded.into());
            }
            response.extend(entry.as_bytes())?;
            Ok(Permission::MoreHistory)
        }
        command => {
            let verified = permission == Permission::OneCommand;
            carry_out(env, state, command, verified, response)?;
            Ok(Permission::None)
        }
    }
}

fn carry_out(
    env: &mut impl Env,
    state: &mut State,
    command: &Command<'_>,
    verified: bool,
    out: &mut Response,
) -> Result<(), Stop> {
    match command {
        // Handled before: they change or read what is selected and permitted.
        Command::Select { .. }
        | Command::Verify(_)
        | Command::ReadTries
        | Command::ReadHistory { .. } => Ok(()),

        Command::ChangePin { old, new } => pin::verify(env, old, Some(new)),
        Command::UnblockPin { puk, new } => pin::unblock(env, state, puk, new),

        Command::Personalise(data) => issue::personalise(env, state, data),
        Command::GenerateKey => out.extend(issue::generate_key(env, state)?.encode()?.as_bytes()),
        Command::SignEnrolment { nonce } => out.extend(&sign::enrolment(env, state, *nonce)?.0),
        Command::UpdateBinary { offset, piece } => {
            issue::update_certificate(env, state, *offset, piece)
        }
        Command::CommitCertificate { length, hash } => {
            issue::commit_certificate(env, state, *length, *hash, verified)
        }
        Command::PutPaymentCertificate(bytes) => issue::put_payment_certificate(env, state, bytes),
        Command::Terminate => issue::terminate(env, state, verified),

        Command::PutLimits(bytes) => transfer::put_limits(env, state, bytes),
        Command::SignOrder(fields) => out.extend(&sign::order(env, state, fields, verified)?.0),
        Command::SignRequest(fields) => {
            out.extend(sign::debit_request(env, state, fields)?.encode()?.as_bytes())
        }
        Command::Debit(permit) => out.extend(&transfer::debit(env, state, permit, verified)?.0),
        Command::SignCreditRequest(fields) => {
            out.extend(sign::credit_request(env, state, fields)?.encode()?.as_bytes())
        }
        Command::Credit(token) => out.extend(&transfer::credit(env, state, token)?.0),
        Command::AbortCredit { slot } => {
            out.extend(&transfer::abort_credit(env, state, *slot, verified)?.0)
        }

        Command::ReadKey => out.extend(report::public_key(state)?.encode()?.as_bytes()),
        Command::ReadBinary { offset } => {
            let mut piece = [0; PIECE_MAX];
            out.extend(issue::read_certificate(env, state, *offset, &mut piece)?)
        }
        Command::ReadDebitJournal { number } => {
            out.extend(Journal::Debit.read_number(env, state, *number)?.as_bytes())
        }
        Command::ReadCreditJournal { number } => {
            out.extend(Journal::Credit.read_number(env, state, *number)?.as_bytes())
        }
        Command::ReadLimits => out.extend(report::limits(state).encode()?.as_bytes()),
        Command::ReadBalance => out.extend(report::balance(state)?.encode()?.as_bytes()),
        Command::ReadStatus { nonce } => {
            out.extend(report::status(env, state, *nonce)?.encode()?.as_bytes())
        }
    }
}

/// Which life-cycle states allow a command. Commands that also need an identity or a key refuse
/// with the same word where it is missing.
fn is_allowed(command: &Command<'_>, life_cycle: LifeCycle) -> bool {
    use LifeCycle::{Active, Blank, Blocked, Personalised};
    match command {
        Command::Select { .. } => true,
        Command::Personalise(_) => life_cycle == Blank,
        Command::GenerateKey => life_cycle == Personalised,
        Command::SignEnrolment { .. }
        | Command::UpdateBinary { .. }
        | Command::CommitCertificate { .. }
        | Command::PutPaymentCertificate(_) => matches!(life_cycle, Personalised | Active),
        Command::Verify(_)
        | Command::ReadTries
        | Command::ChangePin { .. }
        | Command::UnblockPin { .. }
        | Command::ReadHistory { .. }
        | Command::PutLimits(_)
        | Command::Terminate
        | Command::SignRequest(_)
        | Command::SignCreditRequest(_)
        | Command::SignOrder(_)
        | Command::Credit(_)
        | Command::AbortCredit { .. }
        | Command::Debit(_) => life_cycle == Active,
        Command::ReadLimits => matches!(life_cycle, Personalised | Active | Blocked),
        Command::ReadBinary { .. } => !matches!(life_cycle, Blank | Personalised),
        Command::ReadDebitJournal { .. }
        | Command::ReadCreditJournal { .. }
        | Command::ReadKey
        | Command::ReadStatus { .. }
        | Command::ReadBalance => life_cycle != Blank,
    }
}
