//! Loops in plain Rust, for any processor: the reference for all others.

/// Four samples of 10 bits in five octets, first sample first, most significant bit first.
pub(super) fn put_four(samples: [u16; 4], out: &mut [u8; 5]) {
    let bits = samples.iter().fold(0u64, |bits, sample| bits << 10 | u64::from(sample & 0x3FF));
    out.copy_from_slice(&bits.to_be_bytes()[3..]);
}

/// The reverse of [`put_four`].
pub(super) fn take_four([a, b, c, d, e]: [u8; 5]) -> [u16; 4] {
    let bits = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    [30, 20, 10, 0].map(|shift| (bits >> shift & 0x3FF) as u16)
}

/// Little-endian samples of 16 bits.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes))
}

/// `N` samples of a slice at a time.
pub(super) fn word_groups<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u16; N]> + '_ {
    let pairs = bytes.as_chunks::<2>().0;
    pairs.as_chunks::<N>().0.iter().map(|group| group.map(u16::from_le_bytes))
}

/// Places for `N` samples at a time.
pub(super) fn word_places<const N: usize>(
    bytes: &mut [u8],
) -> impl Iterator<Item = &mut [[u8; 2]; N]> + '_ {
    bytes.as_chunks_mut::<2>().0.as_chunks_mut::<N>().0.iter_mut()
}

/// Twelve samples in fifteen octets.
fn put_twelve(samples: &[u16; 12], out: &mut [u8; 15]) {
    for (samples, out) in samples.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        put_four(*samples, out);
    }
}

/// The reverse of [`put_twelve`].
fn take_twelve(wire: &[u8; 15]) -> [u16; 12] {
    let mut samples = [0; 12];
    for (samples, wire) in samples.as_chunks_mut().0.iter_mut().zip(wire.as_chunks().0) {
        *samples = take_four(*wire);
    }
    samples
}

pub(super) fn pack_422p10(y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let samples = word_groups::<2>(y).zip(words(u)).zip(words(v));
    for ((([y0, y1], u), v), out) in samples.zip(wire.as_chunks_mut().0) {
        put_four([u, y0, v, y1], out);
    }
}

pub(super) fn unpack_422p10(wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let places = word_places::<2>(y).zip(u.as_chunks_mut().0).zip(v.as_chunks_mut().0);
    for (pgroup, ((y, u), v)) in wire.as_chunks().0.iter().zip(places) {
        let [cb, y0, cr, y1] = take_four(*pgroup).map(u16::to_le_bytes);
        (*u, *v, *y) = (cb, cr, [y0, y1]);
    }
}

/// Whole words of v210, three pgroups in four of them. Returns how many pgroups that were.
pub(super) fn pack_v210_words(words: &[u8], wire: &mut [u8]) -> usize {
    let groups = words.as_chunks::<4>().0.as_chunks::<4>().0.iter().zip(wire.as_chunks_mut().0);
    let count = groups.len();
    for (group, out) in groups {
        let mut samples = [0; 12];
        for (samples, word) in samples.as_chunks_mut().0.iter_mut().zip(group) {
            let word = u32::from_le_bytes(*word);
            *samples = [0, 10, 20].map(|shift| (word >> shift & 0x3FF) as u16);
        }
        put_twelve(&samples, out);
    }
    count * 3
}

/// The reverse of [`pack_v210_words`].
pub(super) fn unpack_v210_words(wire: &[u8], words: &mut [u8]) -> usize {
    let places = words.as_chunks_mut::<4>().0.as_chunks_mut::<4>().0;
    let groups = wire.as_chunks().0.iter().zip(places);
    let count = groups.len();
    for (pgroups, group) in groups {
        for ([a, b, c], word) in take_twelve(pgroups).as_chunks().0.iter().zip(group) {
            *word = (u32::from(*a) | u32::from(*b) << 10 | u32::from(*c) << 20).to_le_bytes();
        }
    }
    count * 3
}

/// Pgroups beginning at any component.
pub(super) fn pack_v210(frame: &[u8], first: usize, wire: &mut [u8]) {
    let words = frame.as_chunks().0;
    let component = |index: usize| {
        let word = u32::from_le_bytes(words[index / 3]);
        (word >> (index % 3 * 10) & 0x3FF) as u16
    };
    for (at, out) in (first..).step_by(4).zip(wire.as_chunks_mut().0) {
        put_four([at, at + 1, at + 2, at + 3].map(component), out);
    }
}

/// The reverse of [`pack_v210`]. The two unused bits of a word that gets a component become 0.
pub(super) fn unpack_v210(wire: &[u8], frame: &mut [u8], first: usize) {
    let words = frame.as_chunks_mut().0;
    let components = wire.as_chunks().0.iter().flat_map(|pgroup| take_four(*pgroup));
    for (index, component) in (first..).zip(components) {
        let shift = index % 3 * 10;
        let word = &mut words[index / 3];
        let rest = u32::from_le_bytes(*word) & 0x3FFF_FFFF & !(0x3FF << shift);
        *word = (rest | u32::from(component) << shift).to_le_bytes();
    }
}

pub(super) fn pack_422p8(y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let samples = y.as_chunks().0.iter().zip(u).zip(v);
    for ((([y0, y1], u), v), out) in samples.zip(wire.as_chunks_mut().0) {
        *out = [*u, *y0, *v, *y1];
    }
}

pub(super) fn unpack_422p8(wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let places = y.as_chunks_mut().0.iter_mut().zip(u).zip(v);
    for ([cb, y0, cr, y1], ((y, u), v)) in wire.as_chunks().0.iter().zip(places) {
        (*u, *v, *y) = (*cb, *cr, [*y0, *y1]);
    }
}

pub(in super::super) fn pack_420p8(y0: &[u8], y1: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let samples = y0.as_chunks().0.iter().zip(y1.as_chunks().0).zip(u.iter().zip(v));
    for ((([a, b], [c, d]), (u, v)), out) in samples.zip(wire.as_chunks_mut().0) {
        *out = [*a, *b, *c, *d, *u, *v];
    }
}

pub(in super::super) fn unpack_420p8(
    wire: &[u8],
    y0: &mut [u8],
    y1: &mut [u8],
    u: &mut [u8],
    v: &mut [u8],
) {
    let lines = y0.as_chunks_mut().0.iter_mut().zip(y1.as_chunks_mut().0);
    let places = lines.zip(u.iter_mut().zip(v));
    for ([a, b, c, d, cb, cr], ((y0, y1), (u, v))) in wire.as_chunks().0.iter().zip(places) {
        (*y0, *y1, *u, *v) = ([*a, *b], [*c, *d], *cb, *cr);
    }
}

pub(in super::super) fn pack_nv12(y0: &[u8], y1: &[u8], uv: &[u8], wire: &mut [u8]) {
    let samples = y0.as_chunks().0.iter().zip(y1.as_chunks().0).zip(uv.as_chunks().0);
    for ((([a, b], [c, d]), [u, v]), out) in samples.zip(wire.as_chunks_mut().0) {
        *out = [*a, *b, *c, *d, *u, *v];
    }
}

pub(in super::super) fn unpack_nv12(wire: &[u8], y0: &mut [u8], y1: &mut [u8], uv: &mut [u8]) {
    let lines = y0.as_chunks_mut().0.iter_mut().zip(y1.as_chunks_mut().0);
    let places = lines.zip(uv.as_chunks_mut().0);
    for ([a, b, c, d, cb, cr], ((y0, y1), uv)) in wire.as_chunks().0.iter().zip(places) {
        (*y0, *y1, *uv) = ([*a, *b], [*c, *d], [*cb, *cr]);
    }
}

/// Samples of a 4:2:0 pgroup of 10 bits, four pixels wide, from its two lines, Cb and Cr.
fn interleave_420(y0: [u16; 4], y1: [u16; 4], u: [u16; 2], v: [u16; 2]) -> [u16; 12] {
    [y0[0], y0[1], y1[0], y1[1], u[0], v[0], y0[2], y0[3], y1[2], y1[3], u[1], v[1]]
}

pub(in super::super) fn pack_420p10(y0: &[u8], y1: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let lines = word_groups(y0).zip(word_groups(y1));
    let samples = lines.zip(word_groups(u).zip(word_groups(v)));
    for (((y0, y1), (u, v)), out) in samples.zip(wire.as_chunks_mut().0) {
        put_twelve(&interleave_420(y0, y1, u, v), out);
    }
}

pub(in super::super) fn unpack_420p10(
    wire: &[u8],
    y0: &mut [u8],
    y1: &mut [u8],
    u: &mut [u8],
    v: &mut [u8],
) {
    let places = word_places(y0).zip(word_places(y1)).zip(word_places(u).zip(word_places(v)));
    for (pgroup, ((y0, y1), (u, v))) in wire.as_chunks().0.iter().zip(places) {
        let [a, b, c, d, cb0, cr0, e, f, g, h, cb1, cr1] =
            take_twelve(pgroup).map(u16::to_le_bytes);
        (*y0, *y1, *u, *v) = ([a, b, e, f], [c, d, g, h], [cb0, cb1], [cr0, cr1]);
    }
}

pub(in super::super) fn pack_p010(y0: &[u8], y1: &[u8], uv: &[u8], wire: &mut [u8]) {
    let samples = word_groups(y0).zip(word_groups(y1)).zip(word_groups(uv));
    for (((y0, y1), [u0, v0, u1, v1]), out) in samples.zip(wire.as_chunks_mut().0) {
        put_twelve(&interleave_420(y0, y1, [u0, u1], [v0, v1]).map(|sample| sample >> 6), out);
    }
}

pub(in super::super) fn unpack_p010(wire: &[u8], y0: &mut [u8], y1: &mut [u8], uv: &mut [u8]) {
    let places = word_places(y0).zip(word_places(y1)).zip(word_places(uv));
    for (pgroup, ((y0, y1), uv)) in wire.as_chunks().0.iter().zip(places) {
        let [a, b, c, d, cb0, cr0, e, f, g, h, cb1, cr1] =
            take_twelve(pgroup).map(|sample| (sample << 6).to_le_bytes());
        (*y0, *y1, *uv) = ([a, b, e, f], [c, d, g, h], [cb0, cr0, cb1, cr1]);
    }
}

pub(in super::super) fn pack_444p10(y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let samples = word_groups::<4>(y).zip(word_groups::<4>(u)).zip(word_groups::<4>(v));
    for (((y, u), v), out) in samples.zip(wire.as_chunks_mut().0) {
        let mut group = [0; 12];
        for (pixel, place) in group.as_chunks_mut().0.iter_mut().enumerate() {
            *place = [u[pixel], y[pixel], v[pixel]];
        }
        put_twelve(&group, out);
    }
}

pub(in super::super) fn unpack_444p10(wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let places = word_places::<4>(y).zip(word_places::<4>(u)).zip(word_places::<4>(v));
    for (pgroup, ((y, u), v)) in wire.as_chunks().0.iter().zip(places) {
        let group = take_twelve(pgroup);
        for (pixel, [cb, luma, cr]) in group.as_chunks().0.iter().enumerate() {
            (u[pixel], y[pixel], v[pixel]) =
                (cb.to_le_bytes(), luma.to_le_bytes(), cr.to_le_bytes());
        }
    }
}

/// From pixels of `N` bytes with R, G and B at the places `order`.
pub(in super::super) fn pack_rgb<const N: usize>(
    order: [usize; 3],
    pixels: &[u8],
    wire: &mut [u8],
) {
    for (pixel, out) in pixels.as_chunks::<N>().0.iter().zip(wire.as_chunks_mut().0) {
        *out = order.map(|place| pixel[place]);
    }
}

/// To pixels of `N` bytes. A fourth one is opaque.
pub(in super::super) fn unpack_rgb<const N: usize>(
    order: [usize; 3],
    wire: &[u8],
    pixels: &mut [u8],
) {
    for (rgb, pixel) in wire.as_chunks::<3>().0.iter().zip(pixels.as_chunks_mut::<N>().0) {
        pixel.fill(u8::MAX);
        for (place, sample) in order.into_iter().zip(rgb) {
            pixel[place] = *sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: RFC 4175 puts the most significant bit of the first sample first.
    #[test]
    fn four_samples_of_ten_bits() {
        for (samples, octets) in [
            ([0x3FF, 0, 0, 0], [0xFF, 0xC0, 0x00, 0x00, 0x00]),
            ([0, 0x3FF, 0, 0], [0x00, 0x3F, 0xF0, 0x00, 0x00]),
            ([0, 0, 0x3FF, 0], [0x00, 0x00, 0x0F, 0xFC, 0x00]),
            ([0, 0, 0, 0x3FF], [0x00, 0x00, 0x00, 0x03, 0xFF]),
            ([0x200, 0x040, 0x200, 0x3AC], [0x80, 0x04, 0x08, 0x03, 0xAC]),
        ] {
            let mut out = [0; 5];
            put_four(samples, &mut out);
            assert_eq!(out, octets);
            assert_eq!(take_four(octets), samples);
        }
    }
}
