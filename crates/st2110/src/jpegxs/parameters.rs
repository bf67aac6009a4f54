//! Parameters of session descriptions (RFC 9134 §7.1).

use media::named;

named! {
    /// What a packetisation unit is (`packetmode`).
    #[derive(Default)]
    pub enum PacketMode {
        /// A whole codestream.
        #[default]
        Codestream = "codestream",
        /// What comes before the first slice, and each slice, so that a lost packet costs no more
        /// than that.
        Slice = "slice",
    }
}

impl PacketMode {
    /// The value of the parameter `packetmode`.
    #[must_use]
    pub const fn parameter(self) -> u8 {
        match self {
            Self::Codestream => 0,
            Self::Slice => 1,
        }
    }
}

/// Whether packets are sent in order (`transmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransmissionMode {
    /// They may come in any order. Slice mode only.
    OutOfOrder,
    /// They are sent in order.
    Sequential,
}
