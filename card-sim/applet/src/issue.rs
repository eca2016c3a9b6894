//! From the blank card to the active one, and to its end: personalisation, key, certificates.

use apdu_spec::answer::PublicKeyObject;
use apdu_spec::command::Personalisation;
use apdu_spec::cose::Sign1;
use apdu_spec::value::{Generation, Hash, LifeCycle, LimitsVersion};
use apdu_spec::{CERTIFICATE_MAX, CompactCertificate, PIECE_MAX, Refusal};
use sha2::{Digest, Sha256};

use crate::applet::Stop;
use crate::crypto;
use crate::env::{Cell, Env, Fault};
use crate::pin::PinCell;
use crate::state::{self, Identity, NamedKey, State};

/// PUT DATA (personalisation): identity, PIN cell, then the header that makes them count.
pub(crate) fn personalise(
    env: &mut impl Env,
    state: &mut State,
    data: &Personalisation,
) -> Result<(), Stop> {
    let full_puk = data.puk.block().iter().all(u8::is_ascii_digit);
    if !full_puk || !crypto::is_point(&data.card_root) {
        return Err(Refusal::IncorrectData.into());
    }
    let identity = Identity {
        card: data.card,
        issuer: data.issuer,
        card_root: data.card_root,
        currency: data.currency,
    };
    identity.write(env)?;
    PinCell::create(env, data.pin.clone(), data.puk.clone())?;
    let mut next = state.header.clone();
    next.life_cycle = LifeCycle::Personalised;
    next.limits = data.limits;
    next.limits_version = LimitsVersion(0);
    state.commit(env, next)?;
    state.identity = Some(identity);
    Ok(())
}

/// GENERATE ASYMMETRIC KEY PAIR: once in the life of a card.
pub(crate) fn generate_key(env: &mut impl Env, state: &mut State) -> Result<PublicKeyObject, Stop> {
    if state.header.has_key {
        return Err(Refusal::ConditionsNotSatisfied.into());
    }
    let (private, public) = crypto::generate(env)?;
    state::write_key_pair(env, &private, &public)?;
    let mut next = state.header.clone();
    next.has_key = true;
    state.commit(env, next)?;
    state.own_key = Some(NamedKey::new(public));
    Ok(PublicKeyObject(public))
}

/// UPDATE BINARY: a piece of the next certificate file, into the area that is not valid.
pub(crate) fn update_certificate(
    env: &mut impl Env,
    state: &State,
    offset: u16,
    piece: &[u8],
) -> Result<(), Stop> {
    state.signer()?;
    let offset = usize::from(offset);
    let end = offset.saturating_add(piece.len());
    if !offset.is_multiple_of(PIECE_MAX) || end > CERTIFICATE_MAX {
        return Err(Refusal::IncorrectData.into());
    }
    let cell = piece_cell(next_area(state), offset);
    Ok(env.write(cell, piece)?)
}

/// PUT DATA (certificate commit): the file becomes valid, and a personalised card active.
pub(crate) fn commit_certificate(
    env: &mut impl Env,
    state: &mut State,
    length: u16,
    expected: Hash,
    pin_verified: bool,
) -> Result<(), Stop> {
    state.signer()?;
    let area = next_area(state);
    if length == 0 || usize::from(length) > CERTIFICATE_MAX {
        return Err(Refusal::IncorrectData.into());
    }
    if hash_area(env, area, usize::from(length))? != expected {
        return Err(Refusal::IncorrectData.into());
    }
    let active = state.header.life_cycle == LifeCycle::Active;
    if active && !pin_verified {
        return Err(Refusal::PinNeeded.into());
    }
    let mut next = state.header.clone();
    next.life_cycle = LifeCycle::Active;
    next.certificate_area = area;
    next.certificate_length = length;
    Ok(state.commit(env, next)?)
}

/// READ BINARY: the piece of the valid certificate file that begins at the offset.
pub(crate) fn read_certificate<'a>(
    env: &mut impl Env,
    state: &State,
    offset: u16,
    piece: &'a mut [u8; PIECE_MAX],
) -> Result<&'a [u8], Stop> {
    let offset = usize::from(offset);
    let left = usize::from(state.header.certificate_length).saturating_sub(offset);
    if !offset.is_multiple_of(PIECE_MAX) {
        return Err(Refusal::IncorrectData.into());
    }
    if left == 0 {
        return Err(Refusal::RecordNotFound.into());
    }
    let piece = piece.get_mut(..left.min(PIECE_MAX)).ok_or(Fault)?;
    env.read(piece_cell(state.header.certificate_area, offset), piece)?;
    Ok(piece)
}

fn next_area(state: &State) -> u8 {
    state.header.certificate_area ^ 1
}

fn piece_cell(area: u8, offset: usize) -> Cell {
    // CERTIFICATE_MAX is 11 pieces, so the number fits a byte.
    Cell::Certificate(area, u8::try_from(offset.div_euclid(PIECE_MAX)).unwrap_or(u8::MAX))
}

fn hash_area(env: &mut impl Env, area: u8, length: usize) -> Result<Hash, Fault> {
    let mut digest = Sha256::new();
    let mut offset = 0;
    while offset < length {
        let mut piece = [0; PIECE_MAX];
        let size = length.saturating_sub(offset).min(PIECE_MAX);
        let piece = piece.get_mut(..size).ok_or(Fault)?;
        env.read(piece_cell(area, offset), piece)?;
        digest.update(piece);
        offset = offset.saturating_add(PIECE_MAX);
    }
    Ok(Hash(digest.finalize().into()))
}

/// PUT DATA (payment certificate): the issuer's payment server gets a key of a higher generation,
/// and every lower one is withdrawn.
pub(crate) fn put_payment_certificate(
    env: &mut impl Env,
    state: &mut State,
    bytes: &[u8],
) -> Result<(), Stop> {
    let Some(identity) = &state.identity else {
        return Err(Refusal::ConditionsNotSatisfied.into());
    };
    let certificate = open_certificate(env, identity, bytes)?;
    if certificate.issuer != identity.issuer {
        return Err(Refusal::WrongIssuer.into());
    }
    let stored = state.header.generation;
    if certificate.generation == Generation(0) || certificate.generation < stored {
        return Err(Refusal::OldGeneration.into());
    }
    if certificate.generation == stored {
        let same = state.payment_key.is_some_and(|key| key.key == certificate.key);
        return if same { Ok(()) } else { Err(Refusal::OldGeneration.into()) };
    }
    let slot = match state::payment_key_slot(env, stored)? {
        Some((slot, _)) => slot ^ 1,
        None => 0,
    };
    state::write_payment_key(env, slot, certificate.generation, &certificate.key)?;
    let mut next = state.header.clone();
    next.generation = certificate.generation;
    state.commit(env, next)?;
    state.payment_key = Some(NamedKey::new(certificate.key));
    Ok(())
}

fn open_certificate(
    env: &mut impl Env,
    identity: &Identity,
    bytes: &[u8],
) -> Result<CompactCertificate, Stop> {
    let sign1 = Sign1::read(bytes).map_err(|_| Refusal::IncorrectData)?;
    let certificate =
        CompactCertificate::decode(sign1.payload).map_err(|_| Refusal::IncorrectData)?;
    if !crypto::is_point(&certificate.key) {
        return Err(Refusal::IncorrectData.into());
    }
    let structure = sign1.sig_structure().map_err(|_| Refusal::IncorrectData)?;
    let digest = crypto::hash(&[structure.as_bytes()]);
    let root = &identity.card_root;
    let genuine =
        sign1.kid == crypto::key_id(root) && crypto::verify(env, root, digest, &sign1.signature);
    if genuine { Ok(certificate) } else { Err(Refusal::BadSignature.into()) }
}

/// TERMINATE DF: the end of a card without value. Its journals need not be empty: an
/// acknowledgement comes only with a next transfer, and what they hold stays readable.
pub(crate) fn terminate(
    env: &mut impl Env,
    state: &mut State,
    pin_verified: bool,
) -> Result<(), Stop> {
    let header = &state.header;
    if header.balance.0 != 0 {
        return Err(Refusal::NotEmpty.into());
    }
    if !pin_verified {
        return Err(Refusal::PinNeeded.into());
    }
    let mut next = header.clone();
    next.life_cycle = LifeCycle::Terminated;
    Ok(state.commit(env, next)?)
}
