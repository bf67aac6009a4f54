//! How far two paths may be apart.

use std::time::Duration;

/// Classes of receivers by the path differential that they bridge (ST 2022-7 §6, table 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkewClass {
    /// Low skew: 10 ms.
    A,
    /// Moderate skew: 50 ms.
    B,
    /// High skew: 450 ms.
    C,
    /// Ultra-low skew: 150 µs.
    D,
}

impl SkewClass {
    /// The path differential that a receiver of the class bridges.
    pub const fn limit(self) -> Duration {
        match self {
            Self::A => Duration::from_millis(10),
            Self::B => Duration::from_millis(50),
            Self::C => Duration::from_millis(450),
            Self::D => Duration::from_micros(150),
        }
    }

    /// The smallest class that bridges `skew`; `None` above 450 ms.
    pub fn of(skew: Duration) -> Option<Self> {
        [Self::D, Self::A, Self::B, Self::C].into_iter().find(|class| skew <= class.limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_class_is_found() {
        assert_eq!(SkewClass::of(Duration::from_micros(150)), Some(SkewClass::D));
        assert_eq!(SkewClass::of(Duration::from_micros(151)), Some(SkewClass::A));
        assert_eq!(SkewClass::of(Duration::from_millis(50)), Some(SkewClass::B));
        assert_eq!(SkewClass::of(Duration::from_millis(51)), Some(SkewClass::C));
        assert_eq!(SkewClass::of(Duration::from_millis(451)), None);
    }
}
