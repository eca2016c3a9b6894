//! The commands that are cut, as bytes.

use apdu_spec::cose::Sign1;
use apdu_spec::record::{CreditToken, LimitsRecord, Permit, Record};
use apdu_spec::value::{
    Amount, CardId, CreditId, Currency, Epoch, Hash, LimitsVersion, OrderPin, PaymentId, Purpose,
    Sequence, ShopId, Time, TransactionId,
};
use e2e::keys::{TestKey, key_id, sha256};

/// A COSE_Sign1 by a test key.
pub(crate) fn signed(payload: &[u8], key: &str) -> Vec<u8> {
    let key = TestKey::named(key);
    let kid = key_id(&key.public());
    let signature = key.sign(kid, payload);
    let sign1 = Sign1 { kid, payload, signature };
    sign1.write().unwrap().as_bytes().to_vec()
}

/// A command with data; `le` where it has an answer.
pub(crate) fn command(header: [u8; 4], data: &[u8], le: bool) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap();
    let le: &[u8] = if le { &[0] } else { &[] };
    [&header[..], &[length], data, le].concat()
}

pub(crate) fn debit(permit: &Permit) -> Vec<u8> {
    debit_by("payment", permit)
}

pub(crate) fn debit_by(server: &str, permit: &Permit) -> Vec<u8> {
    let permit = signed(permit.encode().unwrap().as_bytes(), server);
    command([0x80, 0x54, 0, 0], &permit, true)
}

pub(crate) fn credit(token: &CreditToken) -> Vec<u8> {
    let token = signed(token.encode().unwrap().as_bytes(), "payment");
    command([0x80, 0x52, 0, 0], &token, true)
}

pub(crate) fn abort_credit(slot: Sequence) -> Vec<u8> {
    command([0x80, 0x52, 1, 0], &slot.0.to_be_bytes(), true)
}

pub(crate) fn put_limits(limits: &LimitsRecord) -> Vec<u8> {
    let limits = signed(limits.encode().unwrap().as_bytes(), "payment");
    command([0, 0xda, 1, 3], &limits, false)
}

/// The permit for the next debit of the well-used card.
pub(crate) fn next_permit(card: CardId, amount: u64) -> Permit {
    Permit {
        card,
        debit_seq: Sequence(38),
        payment: PaymentId([0x71; 16]),
        invoice_hash: Hash([0x72; 32]),
        shop: ShopId([0x73; 8]),
        amount: Amount(amount),
        currency: Currency(392),
        expiry: Time(1_800_000_000),
        epoch: Epoch(10),
        ack_debit: Sequence(34),
        ack_credit: Sequence(3),
    }
}

/// The token for its next slot.
pub(crate) fn next_token(card: CardId, amount: u64) -> CreditToken {
    CreditToken {
        card,
        slot: Sequence(7),
        credit: CreditId([0x81; 16]),
        authority_hash: Hash([0x82; 32]),
        transaction: TransactionId([0x83; 16]),
        shop: ShopId([0x84; 8]),
        amount: Amount(amount),
        currency: Currency(392),
        purpose: Purpose::Refund,
        epoch: Epoch(11),
        ack_debit: Sequence(36),
        ack_credit: Sequence(3),
    }
}

pub(crate) fn next_limits(card: CardId) -> LimitsRecord {
    LimitsRecord {
        card,
        version: LimitsVersion(2),
        balance_max: Amount(0x0102_0304_0506_0708),
        debit_max: Amount(77_777),
        pin_floor: Amount(3_333),
        pin_free_max: Amount(9_999),
        order_pin: OrderPin::Always,
    }
}

/// Writing the certificate file in pieces, and the command that makes it valid.
pub(crate) fn certificate_commands(file: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let pieces = (0_u16..).zip(file.chunks(200)).map(|(number, piece)| {
        let [high, low] = (number * 200).to_be_bytes();
        command([0, 0xd6, high, low], piece, false)
    });
    let length = u16::try_from(file.len()).unwrap().to_be_bytes();
    let commit = [&length[..], &sha256(file).0].concat();
    (pieces.collect(), command([0, 0xda, 1, 4], &commit, false))
}
