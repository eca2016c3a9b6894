//! File control information, from a card that may be hostile.
//!
//! `iso7816-tlv` is kept behind three checks: what it gets is short, so that nesting cannot exhaust
//! the stack; what it gives is at most two levels deep; and encoding that again in the only
//! canonical way gives the bytes received. The encoder is ours: version 0.4.4 writes a length of
//! 127 in two bytes, and lets a child whose length is not minimal reach past its parent.

use apdu_spec::answer::{Fci, Issued};
use apdu_spec::value::{Currency, Generation, IssuerId, LifeCycle};
use apdu_spec::{AID, SPEC_VERSION};
use iso7816_tlv::ber::{Tlv, Value};

use crate::error::Garbled;

/// Largest data object in bytes: the most that a short answer can have.
const OBJECT_MAX: usize = 256;

/// Levels of data objects in an FCI: 6F, and A5 in it.
const DEPTH_MAX: usize = 2;

/// Reads an FCI. Tags that this version does not know are passed over.
pub(crate) fn read(bytes: &[u8]) -> Result<Fci, Garbled> {
    let fci = parse(bytes)?;
    let members = members(&fci, 0x6f)?;
    if single(members, 0x84)?.and_then(primitive) != Some(AID) {
        return Err(Garbled::Object);
    }
    let [life_cycle] = required(members, 0x8a)?;
    let proprietary = single(members, 0xa5)?.ok_or(Garbled::Object)?;
    let members = self::members(proprietary, 0xa5)?;
    let [major, minor] = required(members, 0x80)?;
    if major != SPEC_VERSION[0] {
        return Err(Garbled::Version(major, minor));
    }
    Ok(Fci { life_cycle: LifeCycle::from_number(life_cycle)?, issued: issued(members)? })
}

fn issued(members: &[Tlv]) -> Result<Option<Issued>, Garbled> {
    let mut present =
        [0x81, 0x82, 0x83].iter().map(|tag| single(members, *tag).map(|found| found.is_some()));
    if present.try_fold(true, |none, found| found.map(|found| none && !found))? {
        return Ok(None);
    }
    Ok(Some(Issued {
        issuer: IssuerId(required(members, 0x81)?),
        currency: Currency(u16::from_be_bytes(required(members, 0x82)?)),
        generation: Generation(u32::from_be_bytes(required(members, 0x83)?)),
    }))
}

/// Parses one data object that fills `bytes`.
fn parse(bytes: &[u8]) -> Result<Tlv, Garbled> {
    if bytes.len() > OBJECT_MAX {
        return Err(Garbled::Length);
    }
    let object = Tlv::from_bytes(bytes).map_err(|_| Garbled::Object)?;
    if !is_within(&object, DEPTH_MAX) || encode(&object) != bytes {
        return Err(Garbled::Object);
    }
    Ok(object)
}

/// Whether at most `levels` constructed objects are nested.
fn is_within(object: &Tlv, levels: usize) -> bool {
    match (object.value(), levels.checked_sub(1)) {
        (Value::Primitive(_), _) => true,
        (Value::Constructed(_), None) => false,
        (Value::Constructed(members), Some(levels)) => {
            members.iter().all(|member| is_within(member, levels))
        }
    }
}

/// The canonical encoding: every length in its shortest form (ISO 7816-4 §5.2.2.2).
fn encode(object: &Tlv) -> Vec<u8> {
    let content: Vec<u8> = match object.value() {
        Value::Primitive(bytes) => bytes.clone(),
        Value::Constructed(members) => members.iter().flat_map(encode).collect(),
    };
    let mut out = object.tag().to_bytes().to_vec();
    // Nothing that was parsed is longer than OBJECT_MAX; if it were, it would not be equal.
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    match (high, low) {
        (0, 0..=0x7f) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}

fn members(object: &Tlv, tag: u8) -> Result<&[Tlv], Garbled> {
    match object.value() {
        Value::Constructed(members) if object.tag().to_bytes() == [tag] => Ok(members),
        Value::Constructed(_) | Value::Primitive(_) => Err(Garbled::Object),
    }
}

/// The member with this tag; more than one is an error.
fn single(members: &[Tlv], tag: u8) -> Result<Option<&Tlv>, Garbled> {
    let mut found = members.iter().filter(|member| member.tag().to_bytes() == [tag]);
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(Garbled::Object),
        (found, None) => Ok(found),
    }
}

fn primitive(object: &Tlv) -> Option<&[u8]> {
    match object.value() {
        Value::Primitive(bytes) => Some(bytes),
        Value::Constructed(_) => None,
    }
}

fn required<const N: usize>(members: &[Tlv], tag: u8) -> Result<[u8; N], Garbled> {
    single(members, tag)?
        .and_then(primitive)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Garbled::Object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted;

    /// A data object with a length in its shortest form.
    fn object(tag: &[u8], content: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let length = match content.len() {
            0..=127 => vec![low],
            128..=255 => vec![0x81, low],
            _ => vec![0x82, high, low],
        };
        [tag, &length, content].concat()
    }

    /// An FCI with more members in 6F and in A5.
    fn fci_with(outer: &[u8], inner: &[u8]) -> Vec<u8> {
        let proprietary = object(&[0xa5], &[&object(&[0x80], &[1, 0]), inner].concat());
        let name = object(&[0x84], AID);
        let content = [&name, &object(&[0x8a], &[5]), &proprietary, outer].concat();
        object(&[0x6f], &content)
    }

    const BARE: Fci = Fci { life_cycle: LifeCycle::Active, issued: None };

    #[test]
    fn what_the_card_writes_is_read() {
        assert_eq!(read(&fci_with(&[], &[])), Ok(BARE));
        for fci in [scripted::fci(), BARE] {
            assert_eq!(read(fci.encode().unwrap().as_bytes()), Ok(fci));
        }
    }

    #[test]
    fn unknown_tags_are_passed_over_at_both_levels() {
        let unknown = [object(&[0x99], &[]), object(&[0x9f, 0x20], &[1, 2])].concat();
        assert_eq!(read(&fci_with(&unknown, &unknown)), Ok(BARE));
        let constructed = object(&[0xa6], &unknown);
        assert_eq!(read(&fci_with(&constructed, &[])), Ok(BARE));
    }

    #[test]
    fn lengths_are_read_up_to_the_longest_answer() {
        let around = fci_with(&object(&[0x99], &[0; 128]), &[]).len() - 128;
        for value in [126, 127, 128, 129, 255, 256] {
            let fci = fci_with(&object(&[0x99], &vec![7; value]), &[]);
            let expected = if value + around <= 256 { Ok(BARE) } else { Err(Garbled::Length) };
            assert_eq!(read(&fci), expected, "value of {value}, {} in all", fci.len());
        }
        for (total, expected) in
            [(254, Ok(BARE)), (255, Ok(BARE)), (256, Ok(BARE)), (257, Err(Garbled::Length))]
        {
            let fci = fci_with(&object(&[0x99], &vec![7; total - around]), &[]);
            assert_eq!(fci.len(), total);
            assert_eq!(read(&fci), expected, "{total} in all");
        }
    }

    #[test]
    fn contents_of_127_bytes_are_read_at_every_level() {
        for tag in [0x6f, 0xa5] {
            for size in 125..=130 {
                let fill = |length| object(&[0x99], &vec![0; length]);
                let (outer, inner) = if tag == 0x6f {
                    let around = fci_with(&fill(0), &[]).len() - 2;
                    (fill(size - around), vec![])
                } else {
                    (vec![], fill(size - 4 - 2))
                };
                let fci = fci_with(&outer, &inner);
                assert_eq!(read(&fci), Ok(BARE), "{tag:02x} of {size}");
            }
        }
    }

    #[test]
    fn only_the_shortest_form_of_a_length_is_taken() {
        let good = fci_with(&[], &[]);
        let content = &good[2..];
        let length = good[1];
        for head in [
            &[0x6f, 0x81, length][..],
            &[0x6f, 0x82, 0, length],
            &[0x6f, 0x83, 0, 0, length],
            &[0x6f, 0x84, 0, 0, 0, length],
            &[0x6f, 0x85, 0, 0, 0, 0, length],
            &[0x6f, 0x80],
            &[0x6f, 0xff],
            &[0x6f, length + 1],
            &[0x6f, length - 1],
        ] {
            let bytes = [head, content].concat();
            assert_eq!(read(&bytes), Err(Garbled::Object), "{head:02x?}");
        }
    }

    #[test]
    fn a_member_does_not_reach_past_its_object() {
        // The library counts a length of 127 in two bytes as one: 6F is one byte too short here.
        let long = [&[0x99, 0x81, 0x7f][..], &[0; 127]].concat();
        let members = &fci_with(&[], &[])[2..];
        let content = [members, &long, &[0x98, 0x00]].concat();
        let mut bytes = object(&[0x6f], &content);
        assert_eq!(read(&bytes), Err(Garbled::Object));
        bytes[2] -= 1;
        assert_eq!(read(&bytes), Err(Garbled::Object));
    }

    #[test]
    fn nesting_ends_at_two_levels() {
        let deeper = |levels: usize| (0..levels).fold(vec![], |inner, _| object(&[0xa6], &inner));
        assert_eq!(read(&fci_with(&deeper(1), &[])), Ok(BARE));
        assert_eq!(read(&fci_with(&deeper(2), &[])), Err(Garbled::Object));
        assert_eq!(read(&fci_with(&[], &deeper(1))), Err(Garbled::Object));
        assert_eq!(read(&deeper(84)), Err(Garbled::Object), "{}", deeper(84).len());
        assert_eq!(read(&deeper(8000)), Err(Garbled::Length));
    }

    #[test]
    fn a_wrong_fci_is_not_ours() {
        let issuer = object(&[0x81], &[9; 8]);
        let head = |aid: &[u8], life: &[u8], inner: &[u8]| {
            let members = [object(&[0x84], aid), object(&[0x8a], life)].concat();
            object(&[0x6f], &[members, object(&[0xa5], inner)].concat())
        };
        let version = object(&[0x80], &[1, 0]);
        let whole = fci_with(&[], &[]);
        for (case, bytes, expected) in [
            ("empty", vec![], Garbled::Object),
            ("other object", object(&[0x6e], &whole[2..]), Garbled::Object),
            ("trailing byte", [&whole[..], &[0]].concat(), Garbled::Object),
            ("short", whole[..whole.len() - 1].to_vec(), Garbled::Object),
            ("other name", head(&AID[..7], &[5], &version), Garbled::Object),
            ("no life cycle", head(AID, &[], &version), Garbled::Object),
            (
                "other life cycle",
                head(AID, &[6], &version),
                Garbled::Fields(apdu_spec::codec::CodecError::Range),
            ),
            ("no version", head(AID, &[5], &[]), Garbled::Object),
            ("other version", head(AID, &[5], &object(&[0x80], &[2, 7])), Garbled::Version(2, 7)),
            ("half issued", fci_with(&[], &issuer), Garbled::Object),
            ("name twice", fci_with(&object(&[0x84], AID), &[]), Garbled::Object),
            ("version twice", fci_with(&[], &version), Garbled::Object),
        ] {
            assert_eq!(read(&bytes), Err(expected), "{case}");
        }
        let minor = head(AID, &[5], &object(&[0x80], &[1, 9]));
        assert_eq!(read(&minor), Ok(BARE), "a later minor version stays ours");
    }
}
