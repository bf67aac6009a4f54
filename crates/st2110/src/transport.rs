//! The parts of the standard that carry streams.

media::named! {
    /// The part of ST 2110 that carries a stream.
    #[derive(Default)]
    pub enum Transport {
        /// Uncompressed video, ST 2110-20.
        #[default]
        St2110_20 = "st2110-20",
        /// Compressed video, ST 2110-22: JPEG XS by RFC 9134.
        St2110_22 = "st2110-22",
        /// PCM audio, ST 2110-30.
        St2110_30 = "st2110-30",
        /// AES3 audio and data, ST 2110-31.
        St2110_31 = "st2110-31",
        /// Ancillary data, ST 2110-40.
        St2110_40 = "st2110-40",
    }
}
