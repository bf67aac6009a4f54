//! Codestreams for tests of this and other crates: valid markers around arbitrary data.

/// What a codestream shall be like.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Octets of data in each slice.
    pub(crate) slices: Vec<usize>,
    /// They begin with this one and count up.
    pub(crate) fill: u8,
    /// Whether the header says how long it is.
    pub(crate) length_known: bool,
}

impl Default for Sample {
    fn default() -> Self {
        Self { slices: vec![1000, 3000], fill: 0, length_known: true }
    }
}

/// A codestream.
pub(crate) fn codestream(sample: &Sample) -> Vec<u8> {
    let mut out = vec![0xFF, 0x10];
    // Capabilities.
    out.extend([0xFF, 0x50, 0, 4, 0, 0]);
    let picture = out.len();
    out.extend([0xFF, 0x12, 0, 26, 0, 0, 0, 0, 0x35, 0x40, 0x10, 0x04]);
    out.extend([0x07, 0x80, 0x04, 0x38, 0, 0, 0, 4]);
    out.extend([3, 4, 8, 20, 0x80, 0, 0x52, 0]);
    // Three components of 10 bits, chroma halved in width.
    out.extend([0xFF, 0x13, 0, 8, 10, 0x11, 10, 0x21, 10, 0x21]);
    for (number, size) in (0u16..).zip(&sample.slices) {
        out.extend([0xFF, 0x20, 0, 4]);
        out.extend(number.to_be_bytes());
        out.extend((0..*size).map(|at| sample.fill.wrapping_add(at as u8)));
    }
    out.extend([0xFF, 0x11]);
    if sample.length_known {
        let length = out.len() as u32;
        out[picture + 4..picture + 8].copy_from_slice(&length.to_be_bytes());
    }
    out
}
