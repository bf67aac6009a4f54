//! Division of received numbers by the sizes of a pgroup.

/// A divisor that is known beforehand. Without it, the divisions would take longer than all else
/// that is done to find a packet's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Divisor {
    by: u32,
    /// 2²⁰ / `by`, rounded up.
    inverse: u32,
}

const SHIFT: u32 = 20;
/// The inverse is too great by less than 1, and so the quotient of a number of 16 bits by less than
/// 2¹⁶ / 2²⁰. As long as that is at most 1 / `by`, it is right when rounded down.
const GREATEST: u32 = 16;

impl Divisor {
    /// # Panics
    /// If it is not one of 1 to 16, as the sizes of all pgroups are.
    pub(super) fn new(by: usize) -> Self {
        let by = u32::try_from(by).unwrap_or(0);
        assert!((1..=GREATEST).contains(&by), "{by} is no size of a pgroup");
        Self { by, inverse: (1_u32 << SHIFT).div_ceil(by) }
    }

    /// `value` divided by it, if nothing is left over.
    pub(super) fn exact(self, value: u16) -> Option<u16> {
        let value = u32::from(value);
        // At most the value, which has 16 bits.
        let quotient = ((u64::from(value) * u64::from(self.inverse)) >> SHIFT) as u32;
        (quotient * self.by == value).then_some(quotient as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::WireFormat;

    #[test]
    fn it_divides_every_number_by_every_size() {
        for by in 1..=16 {
            let divisor = Divisor::new(by.into());
            for value in 0..=u16::MAX {
                let expected = value.is_multiple_of(by).then_some(value / by);
                assert_eq!(divisor.exact(value), expected, "{value} / {by}");
            }
        }
        for format in WireFormat::all() {
            let pgroup = format.pgroup();
            let _ = [pgroup.octets, pgroup.pixels, pgroup.lines].map(Divisor::new);
        }
    }
}
