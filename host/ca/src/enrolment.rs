//! May this card have a certificate? Decided from its record, the clock and the books alone.

use apdu_spec::record::Enrolment;
use apdu_spec::value::{Hash, Time};
use protocol::Reject;

use crate::books::CodeEntry;
use crate::issued::IssuedCertificate;
use crate::revocation::Reason;
use crate::subject::{Holder, Owner};

/// What the books say about an enrolment.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Until when the record's nonce is good; `None` where it was not given or is used.
    pub(crate) nonce: Option<Time>,
    /// The code.
    pub(crate) code: Option<CodeEntry>,
    /// Whether a payment server of the card's issuer has been certified.
    pub(crate) issuer_known: bool,
    /// Every certificate of this card and every certificate of this key.
    pub(crate) related: Vec<IssuedCertificate>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The certificate has been issued already: the answer was lost.
    Repeat(Vec<u8>),
    /// Issue a certificate to this person.
    Issue(Holder),
}

/// Decides about a record whose signature under the key in it has been checked.
///
/// A wrong code and one that is used or expired are answered alike, and only after everything that
/// needs no code: so an answer tells a guesser nothing.
pub(crate) fn decide(
    record: &Enrolment,
    record_hash: Hash,
    facts: &Facts,
    now: Time,
) -> Result<Decision, Reject> {
    let code = facts.code.as_ref();
    let used = code.and_then(|code| code.used.as_ref());
    // Before the nonce: this record has used it up.
    if let Some(used) = used.filter(|used| used.record_hash == record_hash) {
        return Ok(Decision::Repeat(used.certificate.clone()));
    }
    if facts.nonce.is_none_or(|expiry| expiry < now) {
        return Err(Reject::EnrolmentNonceNotValid);
    }
    let usable = |code: &&CodeEntry| code.used.is_none() && now <= code.expiry;
    let Some(code) = code.filter(usable) else {
        return Err(Reject::EnrolmentCodeNotValid);
    };
    if !facts.issuer_known {
        return Err(Reject::UnknownIssuer);
    }
    let owner = Owner::Holder { payer: code.holder.payer.clone(), card: record.card };
    let same =
        |other: &IssuedCertificate| other.key == record.public_key && other.owner() == Some(&owner);
    if !facts.related.iter().all(same) {
        return Err(Reject::AlreadyEnrolled);
    }
    let mut revocations = facts.related.iter().filter_map(|other| other.revocation);
    if revocations.any(|revocation| ends_the_card(revocation.reason)) {
        return Err(Reject::CertificateRevoked);
    }
    Ok(Decision::Issue(code.holder.clone()))
}

/// Whether the revocation was about the card, and not only about what its certificate said.
const fn ends_the_card(reason: Reason) -> bool {
    match reason {
        Reason::Superseded | Reason::AffiliationChanged => false,
        Reason::Unspecified
        | Reason::KeyCompromise
        | Reason::CaCompromise
        | Reason::CessationOfOperation
        | Reason::PrivilegeWithdrawn => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::CodeUse;
    use crate::certify::Validity;
    use crate::issued::Kind;
    use crate::revocation::Revocation;
    use crate::serial::Serial;
    use apdu_spec::value::{CardId, IssuerId, Nonce, PublicKey};
    use protocol::certificate::{PartyName, PayerId};

    const NOW: Time = Time(1_000);
    const CARD: CardId = CardId([1; 8]);
    const KEY: PublicKey = PublicKey([2; 64]);
    const HASH: Hash = Hash([3; 32]);

    fn record() -> Enrolment {
        Enrolment { card: CARD, nonce: Nonce([4; 16]), public_key: KEY, issuer: IssuerId([5; 8]) }
    }

    fn holder(payer: &str) -> Holder {
        Holder { payer: PayerId::new(payer).unwrap(), name: PartyName::new("Hanako").unwrap() }
    }

    fn certificate(
        payer: &str,
        card: CardId,
        key: PublicKey,
        revoked: Option<Reason>,
    ) -> IssuedCertificate {
        let Holder { payer, name } = holder(payer);
        let kind = Kind::Party(Owner::Holder { payer, card });
        let validity = Validity { not_before: Time(0), not_after: Time(500) };
        let serial = Serial::from_random([0; 16]);
        let issued = IssuedCertificate::new(serial, kind, name, key, validity, Time(0), vec![]);
        let revocation = revoked.map(|reason| Revocation { time: NOW, reason });
        IssuedCertificate { revocation, ..issued }
    }

    fn good() -> Facts {
        Facts {
            nonce: Some(NOW),
            code: Some(CodeEntry { holder: holder("1"), expiry: NOW, used: None }),
            issuer_known: true,
            related: vec![certificate("1", CARD, KEY, None)],
        }
    }

    fn with_code(change: impl FnOnce(&mut CodeEntry)) -> Facts {
        let mut facts = good();
        facts.code.as_mut().map(change);
        facts
    }

    fn used_for(hash: Hash) -> Option<CodeUse> {
        Some(CodeUse { record_hash: hash, certificate: vec![7] })
    }

    #[test]
    fn a_code_a_nonce_and_a_card_of_their_own_give_a_certificate() {
        let issue = Ok(Decision::Issue(holder("1")));
        assert_eq!(decide(&record(), HASH, &good(), NOW), issue);
        let first = Facts { related: vec![], ..good() };
        assert_eq!(decide(&record(), HASH, &first, NOW), issue);
        for reason in [Reason::Superseded, Reason::AffiliationChanged] {
            let facts =
                Facts { related: vec![certificate("1", CARD, KEY, Some(reason))], ..good() };
            assert_eq!(decide(&record(), HASH, &facts, NOW), issue, "{reason}");
        }
    }

    #[test]
    fn a_lost_answer_is_repeated_whatever_has_become_of_code_and_nonce() {
        let repeated = Facts {
            nonce: None,
            ..with_code(|code| {
                code.used = used_for(HASH);
                code.expiry = Time(1);
            })
        };
        let decision = decide(&record(), HASH, &repeated, NOW);
        assert_eq!(decision, Ok(Decision::Repeat(vec![7])));
        let other = decide(&record(), Hash([9; 32]), &repeated, NOW);
        assert_eq!(other, Err(Reject::EnrolmentNonceNotValid));
    }

    #[test]
    fn everything_else_is_refused() {
        let no_code = Facts { code: None, ..good() };
        let related = |related| Facts { related, ..good() };
        let revoked = |reason| related(vec![certificate("1", CARD, KEY, Some(reason))]);
        let not_holder =
            IssuedCertificate { kind: Kind::IssuingCa, ..certificate("1", CARD, KEY, None) };
        for (case, facts, reject) in [
            ("unknown nonce", Facts { nonce: None, ..good() }, Reject::EnrolmentNonceNotValid),
            (
                "stale nonce",
                Facts { nonce: Some(Time(999)), ..good() },
                Reject::EnrolmentNonceNotValid,
            ),
            ("wrong code", no_code, Reject::EnrolmentCodeNotValid),
            (
                "expired code",
                with_code(|code| code.expiry = Time(999)),
                Reject::EnrolmentCodeNotValid,
            ),
            (
                "used code",
                with_code(|code| code.used = used_for(Hash([9; 32]))),
                Reject::EnrolmentCodeNotValid,
            ),
            ("unknown issuer", Facts { issuer_known: false, ..good() }, Reject::UnknownIssuer),
            (
                "another holder's card",
                related(vec![certificate("2", CARD, KEY, None)]),
                Reject::AlreadyEnrolled,
            ),
            (
                "another key",
                related(vec![certificate("1", CARD, PublicKey([9; 64]), None)]),
                Reject::AlreadyEnrolled,
            ),
            (
                "another card's key",
                related(vec![certificate("1", CardId([9; 8]), KEY, None)]),
                Reject::AlreadyEnrolled,
            ),
            ("a CA's key", related(vec![not_holder]), Reject::AlreadyEnrolled),
            ("lost card", revoked(Reason::KeyCompromise), Reject::CertificateRevoked),
            ("withdrawn", revoked(Reason::PrivilegeWithdrawn), Reject::CertificateRevoked),
        ] {
            assert_eq!(decide(&record(), HASH, &facts, NOW), Err(reject), "{case}");
        }
    }
}
