//! Words of 10 bits, packed into bytes.

/// Bits of a word.
const WORD: usize = 10;

/// The word that begins at this bit. The caller has checked that it lies within `bytes`.
pub(super) fn word(bytes: &[u8], bit: usize) -> u16 {
    // A word of 10 bits lies in two bytes: it begins at an even bit.
    let (byte, shift) = (bit / 8, bit % 8);
    let pair = u16::from_be_bytes([bytes[byte], bytes[byte + 1]]);
    pair << shift >> (16 - WORD)
}

/// Puts words one after the other, from a bit on, into bytes that are zero.
pub(super) fn put_words(bytes: &mut [u8], bit: usize, words: impl Iterator<Item = u16>) {
    for (n, word) in words.enumerate() {
        let bit = bit + n * WORD;
        let (byte, shift) = (bit / 8, bit % 8);
        let pair = ((word & 0x3ff) << (16 - WORD)) >> shift;
        let [first, second] = pair.to_be_bytes();
        bytes[byte] |= first;
        bytes[byte + 1] |= second;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_are_read_back(words in proptest::collection::vec(0_u16..1024, 1..20)) {
            let mut bytes = vec![0; (words.len() * WORD).div_ceil(8) + 1];
            put_words(&mut bytes, 0, words.iter().copied());
            let read: Vec<u16> = (0..words.len()).map(|n| word(&bytes, n * WORD)).collect();
            prop_assert_eq!(read, words);
        }
    }

    #[test]
    fn first_bits_come_first() {
        let mut bytes = [0; 4];
        put_words(&mut bytes, 0, [0x3ff, 0, 0x201].into_iter());
        assert_eq!(bytes, [0xff, 0xc0, 0x08, 0x04]);
    }
}
