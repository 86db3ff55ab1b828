//! Integers in as few bytes as they need: seven bits a byte, least significant first, the top bit set on all
//! but the last; negative numbers interleaved with positive ones so that small ones stay short.

/// Appends an unsigned number.
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number.
pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a signed number of up to 128 bits.
pub(crate) fn put_i128(out: &mut Vec<u8>, value: i128) {
    let mut value = ((value << 1) ^ (value >> 127)) as u128;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads an unsigned number off the front; `None` if the bytes end early or hold too many bits.
pub(crate) fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take_byte(bytes)?;
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Reads a signed number off the front.
pub(crate) fn take_i64(bytes: &mut &[u8]) -> Option<i64> {
    let value = take_u64(bytes)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Reads a signed number of up to 128 bits off the front.
pub(crate) fn take_i128(bytes: &mut &[u8]) -> Option<i128> {
    let mut value = 0u128;
    for shift in (0..128).step_by(7) {
        let byte = take_byte(bytes)?;
        if shift == 126 && byte > 3 {
            return None;
        }
        value |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value >> 1) as i128 ^ -((value & 1) as i128));
        }
    }
    None
}

/// Reads one byte off the front.
pub(crate) fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

/// Reads so many bytes off the front.
pub(crate) fn take_bytes<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    //! STO-1: numbers are kept to the last digit.
    use super::*;

    #[test]
    fn every_number_survives_the_way_out_and_back() {
        for value in [0, 1, -1, 63, 64, -64, -65, 1 << 40, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_i64(&mut out, value);
            put_i128(&mut out, i128::from(value) * i128::from(i64::MAX));
            put_i128(&mut out, if value < 0 { i128::MIN } else { i128::MAX });
            put_u64(&mut out, value as u64);
            let mut rest = out.as_slice();
            assert_eq!(take_i64(&mut rest), Some(value));
            assert_eq!(take_i128(&mut rest), Some(i128::from(value) * i128::from(i64::MAX)));
            assert_eq!(take_i128(&mut rest), Some(if value < 0 { i128::MIN } else { i128::MAX }));
            assert_eq!(take_u64(&mut rest), Some(value as u64));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn bytes_that_end_early_or_hold_too_many_bits_are_no_number() {
        assert_eq!(take_u64(&mut [0x80u8, 0x80].as_slice()), None);
        assert_eq!(take_u64(&mut [].as_slice()), None);
        assert_eq!(take_u64(&mut [0xffu8; 10].as_slice()), None);
        assert_eq!(take_i128(&mut [0xffu8; 19].as_slice()), None);
        assert_eq!(take_bytes(&mut [1u8].as_slice(), 2), None);
    }
}
