//! Nonces that a server needs not remember before they come back: time and chance, marked with a
//! secret of the books. Nothing is written for a message 10, which anyone may send; a nonce is used
//! up by a row only after the card's signature over it was checked.
//!
//! ```text
//! 4 bytes  seconds since 1970, big-endian, modulo 2³²
//! 4 bytes  random
//! 8 bytes  HMAC-SHA-256 over the first eight, cut
//! ```

use apdu_spec::value::{Nonce, Time};
use aws_lc_rs::constant_time;
use aws_lc_rs::hmac::{self, HMAC_SHA256};

/// How long a nonce is good, in seconds.
pub(crate) const LIFE_S: u64 = 60;

/// Makes a nonce.
pub(crate) fn make(key: &[u8], chance: [u8; 4], now: Time) -> Nonce {
    let mut nonce = [0; 16];
    let (front, mark) = nonce.split_at_mut(8);
    let [.., a, b, c, d] = now.0.to_be_bytes();
    for (to, from) in front.iter_mut().zip([a, b, c, d].into_iter().chain(chance)) {
        *to = from;
    }
    mark.copy_from_slice(&mark_of(key, front));
    Nonce(nonce)
}

/// When a nonce ends, if this server made it and it is still good.
pub(crate) fn expiry(key: &[u8], nonce: &Nonce, now: Time) -> Option<Time> {
    let (front, mark) = nonce.0.split_at(8);
    constant_time::verify_slices_are_equal(mark, &mark_of(key, front)).ok()?;
    let made = u32::from_be_bytes(front.first_chunk().copied()?);
    let [.., a, b, c, d] = now.0.to_be_bytes();
    let age = u64::from(u32::from_be_bytes([a, b, c, d]).wrapping_sub(made));
    let left = LIFE_S.checked_sub(age)?;
    now.0.checked_add(left).map(Time)
}

fn mark_of(key: &[u8], front: &[u8]) -> [u8; 8] {
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), front);
    tag.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_a_minute_and_only_with_its_mark() {
        let made = Time(1_800_000_000);
        let nonce = make(b"key", [1, 2, 3, 4], made);
        let at = |seconds: u64| Time(made.0 + seconds);
        for (now, good) in
            [(made, true), (at(60), true), (at(61), false), (Time(made.0 - 1), false)]
        {
            let expiry = expiry(b"key", &nonce, now);
            assert_eq!(expiry, good.then_some(at(60)), "{now}");
        }
        assert_eq!(expiry(b"other", &nonce, made), None);
        for byte in 0..16 {
            let mut changed = nonce;
            changed.0[byte] ^= 1;
            assert_eq!(expiry(b"key", &changed, made), None, "{byte}");
        }
        assert_ne!(make(b"key", [1, 2, 3, 5], made), nonce);
    }
}
