use apdu_spec::value::Nonce;

use crate::CaError;
use crate::serial::Serial;

/// Fresh random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], CaError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| CaError::NoEntropy)?;
    Ok(bytes)
}

pub(crate) fn nonce() -> Result<Nonce, CaError> {
    bytes().map(Nonce)
}

pub(crate) fn serial() -> Result<Serial, CaError> {
    bytes().map(Serial::from_random)
}

/// Ten decimal digits, the first one not 0.
pub(crate) fn payer_digits() -> Result<String, CaError> {
    const COUNT: u64 = 9_000_000_000;
    // 2^64 is not a multiple of COUNT, but the favour to some numbers is below one in 2^30.
    let number = u64::from_be_bytes(bytes()?).checked_rem(COUNT).unwrap_or(0);
    Ok(number.saturating_add(1_000_000_000).to_string())
}
