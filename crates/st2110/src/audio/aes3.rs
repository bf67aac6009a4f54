//! AES3 subframes as AM824 (ST 2110-31), and the channel status of a sender of PCM (AES3, clause
//! 5).

/// Frames in a block: so many bits of channel status come round.
pub const BLOCK_FRAMES: u32 = 192;

const BLOCK_START: u8 = 0x20;
const FRAME_START: u8 = 0x10;
const PARITY: u8 = 0x08;
const CHANNEL_STATUS: u8 = 0x04;
const USER: u8 = 0x02;
const INVALID: u8 = 0x01;

/// One AES3 subframe: a sample of one channel with its bits of side information.
///
/// On the wire it is four bytes: two zero bits, then B, F, P, C, U, V, then the 24 bits of the
/// sample, most significant first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subframe {
    /// B: the first subframe of a block of [`BLOCK_FRAMES`] frames.
    pub block_start: bool,
    /// F: the first subframe of a frame, which has two.
    pub frame_start: bool,
    /// P, as it came; [`Subframe::with_parity`] makes it right.
    pub parity: bool,
    /// C: a bit of channel status.
    pub channel_status: bool,
    /// U: a bit of user data.
    pub user: bool,
    /// V: set if the sample is not fit to be converted to sound, as for data by ST 337.
    pub invalid: bool,
    /// The sample or data, most significant byte first.
    pub sample: [u8; 3],
}

impl Subframe {
    /// From the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        let [flags, a, b, c] = bytes;
        Self {
            block_start: flags & BLOCK_START != 0,
            frame_start: flags & FRAME_START != 0,
            parity: flags & PARITY != 0,
            channel_status: flags & CHANNEL_STATUS != 0,
            user: flags & USER != 0,
            invalid: flags & INVALID != 0,
            sample: [a, b, c],
        }
    }

    /// For the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        const fn bit(set: bool, flag: u8) -> u8 {
            if set { flag } else { 0 }
        }
        let flags = bit(self.block_start, BLOCK_START)
            | bit(self.frame_start, FRAME_START)
            | bit(self.parity, PARITY)
            | bit(self.channel_status, CHANNEL_STATUS)
            | bit(self.user, USER)
            | bit(self.invalid, INVALID);
        [flags, self.sample[0], self.sample[1], self.sample[2]]
    }

    /// Whether P makes the number of ones even, over the sample, V, U, C and P (AES3 time slots 4
    /// to 31).
    #[must_use]
    pub const fn parity_is_even(self) -> bool {
        let [flags, a, b, c] = self.to_bytes();
        let carried =
            u32::from_be_bytes([flags & (PARITY | CHANNEL_STATUS | USER | INVALID), a, b, c]);
        carried.count_ones().is_multiple_of(2)
    }

    /// The same with the right P.
    #[must_use]
    pub const fn with_parity(self) -> Self {
        if self.parity_is_even() { self } else { Self { parity: !self.parity, ..self } }
    }
}

/// The channel status of a block: 24 bytes, the first bit in the lowest bit of the first byte.
///
/// Professional use, PCM, no emphasis, 24 bits. The sampling frequency is told where the first byte
/// can, else left open.
pub(super) const fn channel_status(rate: u32) -> [u8; 24] {
    let frequency = match rate {
        48_000 => 0x80, // bits 6 and 7 are 0 1
        44_100 => 0x40, // 1 0
        _ => 0,
    };
    let mut status = [0; 24];
    // Bit 0: professional. Bits 2 to 4 are 1 0 0: no emphasis.
    status[0] = 0x01 | 0x04 | frequency;
    // Bits 0 to 2 are 0 0 1: auxiliary bits belong to the sample. Bits 3 to 5 are 1 0 1: 24 bits of
    // it are used.
    status[2] = 0x04 | 0x28;
    status[23] = crc(&status);
    status
}

/// The check of the first 23 bytes: x⁸+x⁴+x³+x²+1, preset to ones (AES3, CRCC).
const fn crc(status: &[u8; 24]) -> u8 {
    let mut register: u8 = 0xff;
    let mut byte = 0;
    while byte < 23 {
        let mut bit = 0;
        while bit < 8 {
            let carry = (register ^ (status[byte] >> bit)) & 1;
            register >>= 1;
            if carry == 1 {
                register ^= 0xb8;
            }
            bit += 1;
        }
        byte += 1;
    }
    register
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn layout_of_the_bits() {
        let subframe = Subframe {
            block_start: true,
            frame_start: true,
            channel_status: true,
            sample: [0x12, 0x34, 0x56],
            ..Subframe::default()
        };
        // 9 ones in the sample and C make an even number already.
        assert_eq!(subframe.with_parity().to_bytes(), [0x34, 0x12, 0x34, 0x56]);
        let quiet = Subframe { sample: [0, 0, 1], ..Subframe::default() };
        assert_eq!(quiet.with_parity().to_bytes(), [0x08, 0, 0, 1]);
    }

    /// The examples of AES3, Annex B, as EBU Tech 3250 repeats them.
    #[test]
    fn check_of_the_channel_status() {
        let mut status = [0; 24];
        (status[0], status[1], status[4]) = (0x3d, 0x02, 0x02);
        assert_eq!(crc(&status), 0x9b);
        let mut status = [0; 24];
        status[0] = 0x01;
        assert_eq!(crc(&status), 0x32);
    }

    proptest! {
        #[test]
        fn subframes_are_read_back(flags in 0_u8..0x40, sample: [u8; 3]) {
            let bytes = [flags, sample[0], sample[1], sample[2]];
            let subframe = Subframe::from_bytes(bytes);
            prop_assert_eq!(subframe.to_bytes(), bytes);
            prop_assert!(subframe.with_parity().parity_is_even());
        }
    }
}
