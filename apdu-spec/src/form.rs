//! The form of every command in one table: what is checked before anything else.

use crate::apdu::Apdu;
use crate::certificate::CompactCertificate;
use crate::cose::SIGN1_MAX;
use crate::fields::{CreditFields, DebitFields, OrderFields, Personalisation};
use crate::refusal::Refusal;
use crate::{PIECE_MAX, answer};

/// Which bytes a parameter may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Exactly this byte.
    Is(u8),
    /// Any byte; the command gives it a meaning.
    Any,
    /// Up to this byte.
    UpTo(u8),
}

impl Parameter {
    const fn allows(self, byte: u8) -> bool {
        match self {
            Self::Is(value) => byte == value,
            Self::Any => true,
            Self::UpTo(most) => byte <= most,
        }
    }
}

/// The form of one command: what is checked before anything else.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The command's name.
    pub name: &'static str,
    /// Class: 00 for ISO 7816-4/-8, 80 for the purse.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: Parameter,
    /// Second parameter.
    pub p2: Parameter,
    /// Permitted lengths of the data field in bytes, as ranges with both ends.
    pub data: &'static [(usize, usize)],
    /// Largest answer in bytes without status word; 0: Le must be absent, otherwise Le must be 00
    /// or not below it.
    pub answer_max: usize,
}

macro_rules! forms {
    ($(
        $id:ident: $name:literal $cla:literal $ins:literal
        $p1:ident$(($p1v:literal))? $p2:ident$(($p2v:literal))?, $data:expr => $answer:expr;
    )*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum FormId { $($id,)* }

        impl FormId {
            pub(crate) const fn form(self) -> &'static Form {
                match self {
                    $(Self::$id => const { &Form {
                        name: $name, cla: $cla, ins: $ins,
                        p1: Parameter::$p1$(($p1v))?, p2: Parameter::$p2$(($p2v))?,
                        data: &$data, answer_max: $answer,
                    } },)*
                }
            }
        }

        const FORM_IDS: &[FormId] = &[$(FormId::$id,)*];

        /// The forms of all commands. Instructions 50, 52, 54, 5A and 5C are EN 1546's, all others
        /// ISO 7816-4/-8's.
        pub const FORMS: &[&Form] = &[$(FormId::$id.form(),)*];
    };
}

const fn one(length: usize) -> [(usize, usize); 1] {
    [(length, length)]
}

forms! {
    Select: "SELECT" 0x00 0xa4 Is(0x04) Is(0x00), [(1, 16)] => answer::Fci::SIZE_MAX;
    SelectQuiet: "SELECT without FCI" 0x00 0xa4 Is(0x04) Is(0x0c), [(1, 16)] => 0;
    Verify: "VERIFY" 0x00 0x20 Is(0x00) Is(0x01), [(0, 0), (8, 8)] => 0;
    ChangePin: "CHANGE REFERENCE DATA" 0x00 0x24 Is(0x00) Is(0x01), one(16) => 0;
    UnblockPin: "RESET RETRY COUNTER" 0x00 0x2c Is(0x00) Is(0x01), one(16) => 0;
    GenerateKey: "GENERATE ASYMMETRIC KEY PAIR" 0x00 0x47 Is(0x80) Is(0x00), one(0)
        => answer::PublicKeyObject::SIZE;
    ReadKey: "READ PUBLIC KEY" 0x00 0x47 Is(0x81) Is(0x00), one(0) => answer::PublicKeyObject::SIZE;
    ReadBinary: "READ BINARY" 0x00 0xb0 UpTo(0x7f) Any, one(0) => PIECE_MAX;
    UpdateBinary: "UPDATE BINARY" 0x00 0xd6 UpTo(0x7f) Any, [(1, PIECE_MAX)] => 0;
    ReadDebitJournal: "READ RECORD (debit journal)" 0x00 0xb2 Any Is(0x0c), one(0) => SIGN1_MAX;
    ReadCreditJournal: "READ RECORD (credit journal)" 0x00 0xb2 Any Is(0x14), one(0) => SIGN1_MAX;
    ReadHistory: "READ RECORD (history)" 0x00 0xb2 Any Is(0x1c), one(0)
        => answer::HistoryEntry::SIZE;
    ReadLimits: "GET DATA (limits)" 0x00 0xca Is(0x01) Is(0x03), one(0)
        => answer::LimitsAnswer::SIZE;
    Personalise: "PUT DATA (personalisation)" 0x00 0xda Is(0x01) Is(0x01),
        one(Personalisation::SIZE) => 0;
    PutPaymentCertificate: "PUT DATA (payment certificate)" 0x00 0xda Is(0x01) Is(0x02),
        one(CompactCertificate::SIGN1_SIZE) => 0;
    PutLimits: "PUT DATA (limits)" 0x00 0xda Is(0x01) Is(0x03), [(1, SIGN1_MAX)] => 0;
    CommitCertificate: "PUT DATA (certificate commit)" 0x00 0xda Is(0x01) Is(0x04), one(34) => 0;
    Terminate: "TERMINATE DF" 0x00 0xe6 Is(0x00) Is(0x00), one(0) => 0;
    SignRequest: "SIGN REQUEST" 0x80 0x50 Is(0x00) Is(0x00), one(DebitFields::SIZE)
        => answer::Numbered::SIZE;
    SignCreditRequest: "SIGN CREDIT REQUEST" 0x80 0x50 Is(0x01) Is(0x00), one(CreditFields::SIZE)
        => answer::Numbered::SIZE;
    SignOrder: "SIGN ORDER" 0x80 0x50 Is(0x02) Is(0x00), one(OrderFields::SIZE) => 64;
    Credit: "CREDIT" 0x80 0x52 Is(0x00) Is(0x00), [(1, SIGN1_MAX)] => 64;
    AbortCredit: "ABORT CREDIT" 0x80 0x52 Is(0x01) Is(0x00), one(4) => 64;
    Debit: "DEBIT" 0x80 0x54 Is(0x00) Is(0x00), [(1, SIGN1_MAX)] => 64;
    ReadStatus: "GET STATUS" 0x80 0x5a Is(0x00) Is(0x00), one(16) => answer::StatusAnswer::SIZE;
    SignEnrolment: "SIGN ENROLMENT" 0x80 0x5a Is(0x01) Is(0x00), one(16) => 64;
    ReadBalance: "GET BALANCE" 0x80 0x5c Is(0x00) Is(0x00), one(0) => answer::Balance::SIZE;
}

/// Takes a command apart and finds its form, checking it in the order of [`Refusal`]'s precedence.
pub(crate) fn find(bytes: &[u8]) -> Result<(FormId, Apdu<'_>), Refusal> {
    let [cla, ins, p1, p2, ..] = *bytes else {
        return Err(Refusal::WrongLength);
    };
    if !FORMS.iter().any(|form| form.cla == cla) {
        return Err(Refusal::ClassNotSupported);
    }
    if !FORMS.iter().any(|form| form.cla == cla && form.ins == ins) {
        return Err(Refusal::InstructionNotSupported);
    }
    let matches = |id: &&FormId| {
        let form = id.form();
        form.cla == cla && form.ins == ins && form.p1.allows(p1) && form.p2.allows(p2)
    };
    let id = FORM_IDS.iter().find(matches).ok_or(Refusal::WrongParameters)?;
    let form = id.form();
    let apdu = Apdu::read(bytes)?;
    let le_fits = match apdu.le {
        None => form.answer_max == 0,
        Some(le) => form.answer_max > 0 && usize::from(le) >= form.answer_max,
    };
    if permits(form, apdu.data.len()) && le_fits {
        Ok((*id, apdu))
    } else {
        Err(Refusal::WrongLength)
    }
}

pub(crate) fn permits(form: &Form, length: usize) -> bool {
    form.data.iter().any(|(least, most)| (*least..=*most).contains(&length))
}
