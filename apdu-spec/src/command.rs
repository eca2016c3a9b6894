//! Every command of the card as one typed enum that the host writes and the card reads.

use crate::AID;
use crate::apdu::{Apdu, CommandBytes};
use crate::codec::{Buffer, CodecError, Reader};
use crate::form::{self, Form, FormId, Parameter};
use crate::refusal::Refusal;
use crate::value::{Hash, Nonce, Pin, Sequence};

pub use crate::fields::{CreditFields, DebitFields, OrderFields, Personalisation};

/// A command whose form has been checked.
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// SELECT the applet, answering the FCI or nothing.
    Select {
        /// Whether the FCI shall be answered.
        fci: bool,
    },
    /// VERIFY the PIN; allows one PIN-bound command.
    Verify(Pin),
    /// VERIFY without data: how many tries are left?
    ReadTries,
    /// CHANGE REFERENCE DATA: a new PIN against the old one.
    ChangePin {
        /// The present PIN.
        old: Pin,
        /// The new PIN.
        new: Pin,
    },
    /// RESET RETRY COUNTER: a new PIN against the PUK.
    UnblockPin {
        /// The PUK.
        puk: Pin,
        /// The new PIN.
        new: Pin,
    },
    /// GENERATE ASYMMETRIC KEY PAIR on the card, once.
    GenerateKey,
    /// Read the public key.
    ReadKey,
    /// READ BINARY: a piece of the valid certificate file.
    ReadBinary {
        /// Offset in bytes.
        offset: u16,
    },
    /// UPDATE BINARY: a piece of the next certificate file.
    UpdateBinary {
        /// Offset in bytes, a multiple of 200.
        offset: u16,
        /// 200 bytes, or fewer in the last piece.
        piece: &'a [u8],
    },
    /// READ RECORD: unacknowledged debit records, 1 is the oldest.
    ReadDebitJournal {
        /// Record number from 1.
        number: u8,
    },
    /// READ RECORD: unacknowledged credit records and burned slots, 1 is the oldest.
    ReadCreditJournal {
        /// Record number from 1.
        number: u8,
    },
    /// READ RECORD: one of the last 32 transfers, 1 is the newest.
    ReadHistory {
        /// Record number from 1.
        number: u8,
    },
    /// GET DATA: the limits and their version.
    ReadLimits,
    /// PUT DATA: identity, card root key, currency, first limits, PIN and PUK of a blank card.
    Personalise(Personalisation),
    /// PUT DATA: P's compact certificate, a COSE_Sign1.
    PutPaymentCertificate(&'a [u8]),
    /// PUT DATA: a limits record signed by P, a COSE_Sign1.
    PutLimits(&'a [u8]),
    /// PUT DATA: make the certificate file that was written valid.
    CommitCertificate {
        /// Its length in bytes.
        length: u16,
        /// SHA-256 of its bytes.
        hash: Hash,
    },
    /// TERMINATE DF: the end of an empty card.
    Terminate,
    /// SIGN REQUEST (D1).
    SignRequest(DebitFields),
    /// SIGN CREDIT REQUEST (C1).
    SignCreditRequest(CreditFields),
    /// SIGN ORDER (130).
    SignOrder(OrderFields),
    /// CREDIT: take the value of a token, a COSE_Sign1.
    Credit(&'a [u8]),
    /// ABORT CREDIT: burn exactly this slot.
    AbortCredit {
        /// The slot, credit_seq + 1.
        slot: Sequence,
    },
    /// DEBIT: consume a permit, a COSE_Sign1.
    Debit(&'a [u8]),
    /// GET STATUS, signed over the nonce.
    ReadStatus {
        /// The asking party's random bytes.
        nonce: Nonce,
    },
    /// Sign the enrolment record over the CA's nonce.
    SignEnrolment {
        /// The CA's random bytes.
        nonce: Nonce,
    },
    /// The balance, unsigned.
    ReadBalance,
}

impl<'a> Command<'a> {
    /// Reads a command, checking its form in the order of [`Refusal`]'s precedence.
    ///
    /// # Errors
    /// [`Refusal::ClassNotSupported`], [`Refusal::InstructionNotSupported`],
    /// [`Refusal::WrongParameters`], [`Refusal::WrongLength`], [`Refusal::NotFound`] for SELECT of
    /// another application, [`Refusal::IncorrectData`] for fields out of range.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let (form, apdu) = form::find(bytes)?;
        let mut from = Reader::new(apdu.data);
        let command = Self::from_form(form, &apdu, &mut from)?;
        from.end().map_err(|_| Refusal::IncorrectData)?;
        Ok(command)
    }

    fn from_form(form: FormId, apdu: &Apdu<'a>, from: &mut Reader<'a>) -> Result<Self, Refusal> {
        let offset = u16::from_be_bytes([apdu.p1, apdu.p2]);
        let number = apdu.p1;
        Ok(match form {
            FormId::Select | FormId::SelectQuiet => {
                let name = take_all(from);
                if name != AID {
                    return Err(Refusal::NotFound);
                }
                Self::Select { fci: form == FormId::Select }
            }
            FormId::Verify if apdu.data.is_empty() => Self::ReadTries,
            FormId::Verify => Self::Verify(read_pin(from)?),
            FormId::ChangePin => Self::ChangePin { old: read_pin(from)?, new: read_pin(from)? },
            FormId::UnblockPin => Self::UnblockPin { puk: read_pin(from)?, new: read_pin(from)? },
            FormId::GenerateKey => Self::GenerateKey,
            FormId::ReadKey => Self::ReadKey,
            FormId::ReadBinary => Self::ReadBinary { offset },
            FormId::UpdateBinary => Self::UpdateBinary { offset, piece: take_all(from) },
            FormId::ReadDebitJournal => Self::ReadDebitJournal { number },
            FormId::ReadCreditJournal => Self::ReadCreditJournal { number },
            FormId::ReadHistory => Self::ReadHistory { number },
            FormId::ReadLimits => Self::ReadLimits,
            FormId::Personalise => Self::Personalise(read(from, Personalisation::read)?),
            FormId::PutPaymentCertificate => Self::PutPaymentCertificate(take_all(from)),
            FormId::PutLimits => Self::PutLimits(take_all(from)),
            FormId::CommitCertificate => Self::CommitCertificate {
                length: read(from, Reader::u16)?,
                hash: Hash(read(from, Reader::array)?),
            },
            FormId::Terminate => Self::Terminate,
            FormId::SignRequest => Self::SignRequest(read(from, DebitFields::read)?),
            FormId::SignCreditRequest => Self::SignCreditRequest(read(from, CreditFields::read)?),
            FormId::SignOrder => Self::SignOrder(read(from, OrderFields::read)?),
            FormId::Credit => Self::Credit(take_all(from)),
            FormId::AbortCredit => Self::AbortCredit { slot: Sequence(read(from, Reader::u32)?) },
            FormId::Debit => Self::Debit(take_all(from)),
            FormId::ReadStatus => Self::ReadStatus { nonce: Nonce(read(from, Reader::array)?) },
            FormId::SignEnrolment => {
                Self::SignEnrolment { nonce: Nonce(read(from, Reader::array)?) }
            }
            FormId::ReadBalance => Self::ReadBalance,
        })
    }

    /// Writes the command as the host sends it.
    ///
    /// # Errors
    /// [`CodecError::Full`] when a piece or record is longer than a short APDU allows,
    /// [`CodecError::Range`] when its length is not one that the command's form permits.
    pub fn encode(&self) -> Result<CommandBytes, CodecError> {
        let form = self.form();
        let mut data = Buffer::<255>::new();
        self.write_data(&mut data)?;
        let mut out = CommandBytes::new();
        let [high, low] = self.offset_or_number().to_be_bytes();
        let parameter = |parameter, variable| match parameter {
            Parameter::Is(value) => value,
            Parameter::Any | Parameter::UpTo(_) => variable,
        };
        out.extend(&[form.cla, form.ins, parameter(form.p1, high), parameter(form.p2, low)])?;
        let length = data.as_bytes().len();
        if !form::permits(form, length) {
            return Err(CodecError::Range);
        }
        if length > 0 {
            out.push(u8::try_from(length).map_err(|_| CodecError::Full)?)?;
            out.extend(data.as_bytes())?;
        }
        data.clear();
        if form.answer_max > 0 {
            out.push(0)?;
        }
        Ok(out)
    }

    /// The form of this command.
    #[must_use]
    pub const fn form(&self) -> &'static Form {
        self.form_id().form()
    }

    const fn form_id(&self) -> FormId {
        match self {
            Self::Select { fci: true } => FormId::Select,
            Self::Select { fci: false } => FormId::SelectQuiet,
            Self::Verify(_) | Self::ReadTries => FormId::Verify,
            Self::ChangePin { .. } => FormId::ChangePin,
            Self::UnblockPin { .. } => FormId::UnblockPin,
            Self::GenerateKey => FormId::GenerateKey,
            Self::ReadKey => FormId::ReadKey,
            Self::ReadBinary { .. } => FormId::ReadBinary,
            Self::UpdateBinary { .. } => FormId::UpdateBinary,
            Self::ReadDebitJournal { .. } => FormId::ReadDebitJournal,
            Self::ReadCreditJournal { .. } => FormId::ReadCreditJournal,
            Self::ReadHistory { .. } => FormId::ReadHistory,
            Self::ReadLimits => FormId::ReadLimits,
            Self::Personalise(_) => FormId::Personalise,
            Self::PutPaymentCertificate(_) => FormId::PutPaymentCertificate,
            Self::PutLimits(_) => FormId::PutLimits,
            Self::CommitCertificate { .. } => FormId::CommitCertificate,
            Self::Terminate => FormId::Terminate,
            Self::SignRequest(_) => FormId::SignRequest,
            Self::SignCreditRequest(_) => FormId::SignCreditRequest,
            Self::SignOrder(_) => FormId::SignOrder,
            Self::Credit(_) => FormId::Credit,
            Self::AbortCredit { .. } => FormId::AbortCredit,
            Self::Debit(_) => FormId::Debit,
            Self::ReadStatus { .. } => FormId::ReadStatus,
            Self::SignEnrolment { .. } => FormId::SignEnrolment,
            Self::ReadBalance => FormId::ReadBalance,
        }
    }

    fn offset_or_number(&self) -> u16 {
        match self {
            Self::ReadBinary { offset } | Self::UpdateBinary { offset, .. } => *offset,
            Self::ReadDebitJournal { number }
            | Self::ReadCreditJournal { number }
            | Self::ReadHistory { number } => u16::from_be_bytes([*number, 0]),
            Self::Select { .. }
            | Self::Verify(_)
            | Self::ReadTries
            | Self::ChangePin { .. }
            | Self::UnblockPin { .. }
            | Self::GenerateKey
            | Self::ReadKey
            | Self::ReadLimits
            | Self::Personalise(_)
            | Self::PutPaymentCertificate(_)
            | Self::PutLimits(_)
            | Self::CommitCertificate { .. }
            | Self::Terminate
            | Self::SignRequest(_)
            | Self::SignCreditRequest(_)
            | Self::SignOrder(_)
            | Self::Credit(_)
            | Self::AbortCredit { .. }
            | Self::Debit(_)
            | Self::ReadStatus { .. }
            | Self::SignEnrolment { .. }
            | Self::ReadBalance => 0,
        }
    }

    fn write_data(&self, data: &mut Buffer<255>) -> Result<(), CodecError> {
        match self {
            Self::Select { .. } => data.extend(AID),
            Self::Verify(pin) => data.extend(pin.block()),
            Self::ChangePin { old: first, new } | Self::UnblockPin { puk: first, new } => {
                data.extend(first.block())?;
                data.extend(new.block())
            }
            Self::UpdateBinary { piece: bytes, .. }
            | Self::PutPaymentCertificate(bytes)
            | Self::PutLimits(bytes)
            | Self::Credit(bytes)
            | Self::Debit(bytes) => data.extend(bytes),
            Self::Personalise(personalisation) => personalisation.write(data),
            Self::CommitCertificate { length, hash } => {
                data.extend(&length.to_be_bytes())?;
                data.extend(&hash.0)
            }
            Self::SignRequest(fields) => fields.write(data),
            Self::SignCreditRequest(fields) => fields.write(data),
            Self::SignOrder(fields) => fields.write(data),
            Self::AbortCredit { slot } => data.extend(&slot.0.to_be_bytes()),
            Self::ReadStatus { nonce } | Self::SignEnrolment { nonce } => data.extend(&nonce.0),
            Self::ReadTries
            | Self::GenerateKey
            | Self::ReadKey
            | Self::ReadBinary { .. }
            | Self::ReadDebitJournal { .. }
            | Self::ReadCreditJournal { .. }
            | Self::ReadHistory { .. }
            | Self::ReadLimits
            | Self::Terminate
            | Self::ReadBalance => Ok(()),
        }
    }
}

fn take_all<'a>(from: &mut Reader<'a>) -> &'a [u8] {
    let all = from.rest();
    *from = Reader::new(&[]);
    all
}

fn read<'a, T>(
    from: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<T, Refusal> {
    read(from).map_err(|_| Refusal::IncorrectData)
}

fn read_pin(from: &mut Reader<'_>) -> Result<Pin, Refusal> {
    read(from, |from| Pin::from_block(from.array()?))
}
