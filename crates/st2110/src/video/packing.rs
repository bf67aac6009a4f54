//! How rows are cut into packets (ST 2110-20 §6.3).

media::named! {
    /// How pgroups are shared out among packets.
    #[derive(Default)]
    pub enum Packing {
        /// General packing mode: packets are filled up as far as whole pgroups allow.
        #[default]
        General = "gpm",
        /// Block packing mode: the data of each packet but the last of a frame or field are a
        /// multiple of 180 octets.
        Block = "bpm",
    }
}

impl Packing {
    /// The value of `PM` in a session description.
    #[must_use]
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::General => "2110GPM",
            Self::Block => "2110BPM",
        }
    }

    /// The mode of a value of `PM`; `None` if it is none.
    #[must_use]
    pub fn from_parameter(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|packing| packing.parameter() == text)
    }
}
