//! Parameters of session descriptions (RFC 9134, clause 7.1; values of ISO/IEC 21122-2).

use std::fmt;
use std::str::FromStr;

use super::JpegXsError;

/// Declares an enumeration with a name and a code for each value.
macro_rules! parameter {
    (
        $(#[$meta:meta])*
        $name:ident: $parameter:literal, $allowed:literal, $code:ty,
        { $( $(#[$variant_meta:meta])* $variant:ident = $text:literal, $value:literal; )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )+
        }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];
            /// The name of the parameter.
            pub const PARAMETER: &'static str = $parameter;

            /// The value's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The value's code in a codestream or packet.
            #[must_use]
            pub const fn code(self) -> $code {
                match self { $( Self::$variant => $value, )+ }
            }

            /// The value of a code; `None` where this crate knows none.
            #[must_use]
            pub const fn from_code(code: $code) -> Option<Self> {
                match code { $( $value => Some(Self::$variant), )+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = JpegXsError;

            fn from_str(name: &str) -> Result<Self, JpegXsError> {
                Self::ALL.iter().copied().find(|value| value.name() == name).ok_or_else(|| {
                    JpegXsError::Parameter {
                        parameter: $parameter,
                        value: name.to_owned(),
                        allowed: $allowed,
                    }
                })
            }
        }
    };
}

parameter! {
    /// What a packetisation unit is.
    PacketMode: "packetmode", "0 (codestream) or 1 (slice)", u8, {
        /// A whole picture.
        Codestream = "0", 0;
        /// What comes before the first slice, and each slice.
        Slice = "1", 1;
    }
}

parameter! {
    /// Whether packets are sent in order.
    TransmissionMode: "transmode", "0 (out of order) or 1 (sequential)", u8, {
        /// They may come in any order. Slice mode only.
        OutOfOrder = "0", 0;
        /// They are sent in order.
        Sequential = "1", 1;
    }
}

parameter! {
    /// Ppih: which tools a decoder needs.
    Profile: "profile", "a profile of ISO/IEC 21122-2, such as High444.12 or Main422.10", u16, {
        /// None is named.
        Unrestricted = "Unrestricted", 0x0000;
        /// Light 422.10.
        Light422_10 = "Light422.10", 0x1500;
        /// Light 444.12.
        Light444_12 = "Light444.12", 0x1A00;
        /// Light-Subline 422.10.
        LightSubline422_10 = "LightSubline422.10", 0x2500;
        /// Main 420.12.
        Main420_12 = "Main420.12", 0x3240;
        /// Main 422.10.
        Main422_10 = "Main422.10", 0x3540;
        /// Main 444.12.
        Main444_12 = "Main444.12", 0x3A40;
        /// Main 4444.12.
        Main4444_12 = "Main4444.12", 0x3E40;
        /// High 420.12.
        High420_12 = "High420.12", 0x4240;
        /// High 444.12.
        High444_12 = "High444.12", 0x4A40;
        /// High 4444.12.
        High4444_12 = "High4444.12", 0x4E40;
        /// MLS.12.
        Mls12 = "MLS.12", 0x6EC0;
    }
}

parameter! {
    /// High half of Plev: how large and fast pictures are.
    Level: "level", "a level of ISO/IEC 21122-2: Unrestricted, 1k-1, 2k-1, 4k-1 to 3, 8k-1 to 3, 10k-1", u8, {
        /// None is named.
        Unrestricted = "Unrestricted", 0x00;
        /// 1280 wide.
        L1k1 = "1k-1", 0x04;
        /// 2048 wide.
        L2k1 = "2k-1", 0x10;
        /// 4096 wide.
        L4k1 = "4k-1", 0x20;
        /// 4096 wide, twice as fast.
        L4k2 = "4k-2", 0x24;
        /// 4096 wide, four times as fast.
        L4k3 = "4k-3", 0x28;
        /// 8192 wide.
        L8k1 = "8k-1", 0x30;
        /// 8192 wide, twice as fast.
        L8k2 = "8k-2", 0x34;
        /// 8192 wide, four times as fast.
        L8k3 = "8k-3", 0x38;
        /// 10240 wide.
        L10k1 = "10k-1", 0x40;
    }
}

parameter! {
    /// Low half of Plev: how many bits a pixel has at most.
    Sublevel: "sublevel", "a sublevel of ISO/IEC 21122-2: Unrestricted, Full, Sublev12bpp, 9, 6, 4, 3 or 2bpp", u8, {
        /// None is named.
        Unrestricted = "Unrestricted", 0x00;
        /// As many as uncompressed.
        Full = "Full", 0x80;
        /// 12 bits.
        Bpp12 = "Sublev12bpp", 0x10;
        /// 9 bits.
        Bpp9 = "Sublev9bpp", 0x0C;
        /// 6 bits.
        Bpp6 = "Sublev6bpp", 0x08;
        /// 4 bits.
        Bpp4 = "Sublev4bpp", 0x06;
        /// 3 bits.
        Bpp3 = "Sublev3bpp", 0x04;
        /// 2 bits.
        Bpp2 = "Sublev2bpp", 0x03;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(*profile));
            assert_eq!(Profile::from_code(profile.code()), Some(*profile));
        }
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(*level));
            assert_eq!(Level::from_code(level.code()), Some(*level));
        }
        for sublevel in Sublevel::ALL {
            assert_eq!(sublevel.name().parse(), Ok(*sublevel));
            assert_eq!(Sublevel::from_code(sublevel.code()), Some(*sublevel));
        }
        assert_eq!("1".parse(), Ok(PacketMode::Slice));
        let error = "2".parse::<TransmissionMode>().unwrap_err().to_string();
        assert_eq!(error, "transmode=2: 0 (out of order) or 1 (sequential)");
    }
}
