//! A card's life up to the point where it is active, for the transcripts that begin with a blank
//! card. The card makes its own key, so whatever it signs is any 64 bytes.

use apdu_spec::command::{Command, Personalisation};
use apdu_spec::cose::Sign1Bytes;
use apdu_spec::record::{CreditToken, LimitsRecord, Permit, Record};
use apdu_spec::value::{
    Amount, Currency, Epoch, Generation, IssuerId, Limits, LimitsVersion, OrderPin, Pin, Purpose,
    Sequence, Time,
};
use apdu_spec::{AID, CompactCertificate, PIECE_MAX, Refusal};
use e2e::keys::sha256;

use super::test_key::TestKey;
use super::transcript::{Transcript, any};
use super::{
    AUTHORITY, CARD, CREDIT, INVOICE, ISSUER, NONCE, PAYMENT, SHOP, TRANSACTION, YEN, hex,
};

pub(super) const PIN: &str = "1234";
pub(super) const PUK: &str = "87654321";
pub(super) const EPOCH: Epoch = Epoch(5);

pub(super) const LIMITS: Limits = Limits {
    balance_max: Amount(100_000),
    debit_max: Amount(20_000),
    pin_floor: Amount(1_000),
    pin_free_max: Amount(2_500),
    order_pin: OrderPin::OverFloor,
};

/// A transcript with the keys of everybody around the card.
pub(super) struct Life {
    pub(super) script: Transcript,
    pub(super) root: TestKey,
    pub(super) p: TestKey,
    pub(super) next_p: TestKey,
}

pub(super) fn pin(digits: &str) -> Pin {
    Pin::from_digits(digits).unwrap()
}

pub(super) fn personalisation() -> Personalisation {
    Personalisation {
        card: CARD,
        issuer: ISSUER,
        card_root: TestKey::card_root().public,
        currency: YEN,
        limits: LIMITS,
        pin: pin(PIN),
        puk: pin(PUK),
    }
}

/// A certificate file of two whole pieces and a short one. The card does not look into it.
pub(super) fn certificate_file(first: u8) -> Vec<u8> {
    (0..450_u16).map(|place| (place.to_be_bytes()[1]).wrapping_add(first)).collect()
}

/// A change of one byte.
pub(super) fn flipped(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 1;
    bytes
}

/// The pattern of a COSE_Sign1 by the card with this payload.
pub(super) fn by_card(payload: &[u8]) -> String {
    let length = u8::try_from(payload.len()).unwrap();
    let head = if length < 24 { vec![0x40 + length] } else { vec![0x58, length] };
    let (kid, signature) = (any(8), any(64));
    let (head, payload) = (hex(&head), hex(payload));
    format!("D284 4DA201260448 {kid} A0 {head} {payload} 5840 {signature}")
}

/// What the card answers for its key.
pub(super) fn public_key() -> String {
    format!("7F49 43 86 41 04 {}", any(64))
}

impl Life {
    pub(super) fn new(heading: &str) -> Self {
        Self {
            script: Transcript::new(heading),
            root: TestKey::card_root(),
            p: TestKey::payment(),
            next_p: TestKey::next_payment(),
        }
    }

    /// Checks life cycle and generation in the FCI; `None` stands for the bare one.
    pub(super) fn expect_fci(&mut self, life_cycle: u8, generation: Option<u32>) {
        let (outer, inner) = if generation.is_some() { ("27", "18") } else { ("13", "04") };
        let issued = generation.map_or_else(String::new, |generation| {
            let issuer = hex(&ISSUER.0);
            format!(" 81 08 {issuer} 82 02 {:04X} 83 04 {generation:08X}", YEN.0)
        });
        let fci = format!(
            "6F {outer} 84 08 {} 8A 01 {life_cycle:02X} A5 {inner} 80 02 0100{issued}",
            hex(AID)
        );
        self.script.done(&Command::Select { fci: true }, &fci);
    }

    pub(super) fn verify(&mut self) {
        self.script.done(&Command::Verify(pin(PIN)), "");
    }

    pub(super) fn expect_balance(&mut self, balance: u64) {
        let answer = format!("{balance:016X} {:04X}", YEN.0);
        self.script.done(&Command::ReadBalance, &answer);
    }

    pub(super) fn write_certificate(&mut self, file: &[u8]) {
        for (piece, offset) in file.chunks(PIECE_MAX).zip((0..).step_by(PIECE_MAX)) {
            self.script.done(&Command::UpdateBinary { offset, piece }, "");
        }
    }

    /// Reads the certificate file of [`certificate_file`]'s size.
    pub(super) fn expect_certificate(&mut self, file: &[u8]) {
        for (piece, offset) in file.chunks(PIECE_MAX).zip((0..).step_by(PIECE_MAX)) {
            self.script.done(&Command::ReadBinary { offset }, &hex(piece));
        }
        let behind = Command::ReadBinary { offset: 600 };
        self.script.refused(&behind, Refusal::RecordNotFound);
    }

    pub(super) fn make_active(&mut self) {
        self.script.part("From blank to active");
        self.expect_fci(1, None);
        self.script.done(&Command::Personalise(personalisation()), "");
        self.script.done(&Command::GenerateKey, &public_key());
        let file = certificate_file(0);
        self.write_certificate(&file);
        self.script.done(&commit_of(&file), "");
        self.expect_fci(5, Some(0));
    }

    pub(super) fn certificate(&self, generation: u32, key: &TestKey) -> CompactCertificate {
        CompactCertificate { issuer: ISSUER, generation: Generation(generation), key: key.public }
    }

    pub(super) fn signed_by_root(&self, certificate: CompactCertificate) -> Sign1Bytes {
        self.root.sign(certificate.encode().unwrap().as_bytes())
    }

    pub(super) fn signed_by_p(&self, record: &impl Record) -> Sign1Bytes {
        self.p.sign(record.encode().unwrap().as_bytes())
    }

    /// Checks GET STATUS: `[ack_debit, ack_credit, debit_seq, credit_seq]`, `pin_free_spent` and
    /// balance. The epoch is [`EPOCH`] once there was a transfer.
    pub(super) fn expect_status(&mut self, seq: [u32; 4], spent: u64, balance: u64) {
        let [ack_debit, ack_credit, debit_seq, credit_seq] = seq;
        let moved = debit_seq + credit_seq > 0;
        let epoch = if moved { EPOCH } else { Epoch(0) };
        let head = if moved { any(32) } else { "00".repeat(32) };
        let answer = format!(
            "05 03 08 00000002 00000001 {ack_debit:08X} {ack_credit:08X} {spent:016X} {card} \
             {balance:016X} {currency:04X} {debit_seq:08X} {credit_seq:08X} {epoch:016X} {head} \
             {signature}",
            card = hex(&CARD.0),
            currency = YEN.0,
            epoch = epoch.0,
            signature = any(64),
        );
        let command = Command::ReadStatus { nonce: NONCE };
        self.script.done(&command, &answer);
    }

    pub(super) fn debit(&mut self, permit: &Permit) {
        let permit = self.signed_by_p(permit);
        let command = Command::Debit(permit.as_bytes());
        self.script.done(&command, &any(64));
    }

    pub(super) fn refused_debit(&mut self, permit: &Permit, refusal: Refusal) {
        let permit = self.signed_by_p(permit);
        let command = Command::Debit(permit.as_bytes());
        self.script.refused(&command, refusal);
    }

    pub(super) fn credit(&mut self, token: &CreditToken) {
        let token = self.signed_by_p(token);
        let command = Command::Credit(token.as_bytes());
        self.script.done(&command, &any(64));
    }

    pub(super) fn refused_credit(&mut self, token: &CreditToken, refusal: Refusal) {
        let token = self.signed_by_p(token);
        let command = Command::Credit(token.as_bytes());
        self.script.refused(&command, refusal);
    }
}

pub(super) fn commit_of(file: &[u8]) -> Command<'static> {
    let length = u16::try_from(file.len()).unwrap();
    Command::CommitCertificate { length, hash: sha256(file) }
}

pub(super) fn other_issuer(certificate: CompactCertificate) -> CompactCertificate {
    CompactCertificate { issuer: IssuerId([0x23; 8]), ..certificate }
}

pub(super) fn limits_record(version: u32) -> LimitsRecord {
    LimitsRecord {
        card: CARD,
        version: LimitsVersion(version),
        balance_max: LIMITS.balance_max,
        debit_max: LIMITS.debit_max,
        pin_floor: LIMITS.pin_floor,
        pin_free_max: LIMITS.pin_free_max,
        order_pin: LIMITS.order_pin,
    }
}

pub(super) fn permit(debit_seq: u32, amount: u64) -> Permit {
    Permit {
        card: CARD,
        debit_seq: Sequence(debit_seq),
        payment: PAYMENT,
        invoice_hash: INVOICE,
        shop: SHOP,
        amount: Amount(amount),
        currency: YEN,
        expiry: Time(1_760_000_000),
        epoch: EPOCH,
        ack_debit: Sequence(0),
        ack_credit: Sequence(0),
    }
}

pub(super) fn token(slot: u32, amount: u64) -> CreditToken {
    CreditToken {
        card: CARD,
        slot: Sequence(slot),
        credit: CREDIT,
        authority_hash: AUTHORITY,
        transaction: TRANSACTION,
        shop: SHOP,
        amount: Amount(amount),
        currency: YEN,
        purpose: Purpose::Refund,
        epoch: EPOCH,
        ack_debit: Sequence(0),
        ack_credit: Sequence(0),
    }
}

/// Another currency than the card's.
pub(super) const DOLLAR: Currency = Currency(840);
