//! Sequence numbers as packets carry them, and their extension to 64 bits.

/// How much of a sequence number is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberWidth {
    /// The 16 bits of RTP.
    Bits16,
    /// RTP's 16 bits and above them the 16 of RFC 4175's extended sequence number.
    Bits32,
}

impl NumberWidth {
    /// The greatest number.
    pub const fn mask(self) -> u32 {
        match self {
            Self::Bits16 => 0xffff,
            Self::Bits32 => u32::MAX,
        }
    }

    /// From the continued number `from` to the nearest number that is `number` on the wire.
    pub const fn distance(self, from: u64, number: u32) -> i64 {
        let difference = number.wrapping_sub(from as u32);
        match self {
            Self::Bits16 => difference as i16 as i64,
            Self::Bits32 => difference as i32 as i64,
        }
    }

    /// The continued number of a sender that starts, or starts again at `number` after one that
    /// reached `last`: no number is ever given twice, and there is room below for packets that come
    /// in the wrong order.
    pub const fn restart(self, last: u64, number: u32) -> u64 {
        let cycle = self.mask() as u64 + 1;
        (last / cycle + 2) * cycle + (number & self.mask()) as u64
    }

    /// The widest window in which numbers are told apart safely: a quarter of the cycle.
    pub(crate) const fn widest_window(self) -> u64 {
        (self.mask() as u64 + 1) / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_number_is_meant() {
        let width = NumberWidth::Bits16;
        assert_eq!(width.distance(0x3_ffff, 0), 1);
        assert_eq!(width.distance(0x4_0000, 0xfffe), -2);
        assert_eq!(width.distance(0x4_0000, 0x7fff), 0x7fff);
        assert_eq!(width.distance(0x4_0000, 0x8000), -0x8000);
        // Bits above the width do not matter.
        assert_eq!(width.distance(0x4_0000, 0xdead_0001), 1);
        assert_eq!(NumberWidth::Bits32.distance(0x1_0000_0000, 0xffff_ffff), -1);
        assert_eq!(NumberWidth::Bits32.distance(0x1_0000_0000, 0x4_0000), 0x4_0000);
    }

    #[test]
    fn a_restart_goes_on_above() {
        assert_eq!(NumberWidth::Bits16.restart(0, 7), 0x2_0007);
        assert_eq!(NumberWidth::Bits16.restart(0x2_0007, 3), 0x4_0003);
        assert_eq!(NumberWidth::Bits32.restart(0x2_0000_0007, 3), 0x4_0000_0003);
    }
}
