//! Loops for 12 bits on the wire with 10 in memory, and for pictures of one component. Scalar code
//! only.

use super::scalar::{put_four, take_four, word_groups, word_places, words};

/// Samples of 10 bits as 12 bits on the wire, two in three octets.
fn put_wide(samples: &[u16], out: &mut [u8]) {
    for ([a, b], out) in samples.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        let (a, b) = ((a & 0x3FF) << 2, (b & 0x3FF) << 2);
        *out = [(a >> 4) as u8, (a << 4 | b >> 8) as u8, b as u8];
    }
}

/// The upper 10 bits of `N` samples, little endian.
fn take_wide<const N: usize>(octets: &[u8]) -> [[u8; 2]; N] {
    let mut samples = [[0; 2]; N];
    for (samples, [a, b, c]) in samples.as_chunks_mut().0.iter_mut().zip(octets.as_chunks().0) {
        let [a, b, c] = [*a, *b, *c].map(u16::from);
        *samples = [a << 4 | b >> 4, (b & 0xF) << 8 | c].map(|sample| (sample >> 2).to_le_bytes());
    }
    samples
}

pub(in super::super) fn pack_422p12(y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let samples = word_groups::<2>(y).zip(words(u)).zip(words(v));
    for ((([y0, y1], u), v), out) in samples.zip(wire.as_chunks_mut::<6>().0) {
        put_wide(&[u, y0, v, y1], out);
    }
}

pub(in super::super) fn unpack_422p12(wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let places = word_places::<2>(y).zip(u.as_chunks_mut().0).zip(v.as_chunks_mut().0);
    for (pgroup, ((y, u), v)) in wire.as_chunks::<6>().0.iter().zip(places) {
        let [cb, y0, cr, y1] = take_wide(pgroup);
        (*u, *v, *y) = (cb, cr, [y0, y1]);
    }
}

pub(in super::super) fn pack_420p12(y0: &[u8], y1: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let lines = word_groups::<2>(y0).zip(word_groups::<2>(y1));
    let samples = lines.zip(words(u).zip(words(v)));
    for ((([a, b], [c, d]), (u, v)), out) in samples.zip(wire.as_chunks_mut::<9>().0) {
        put_wide(&[a, b, c, d, u, v], out);
    }
}

pub(in super::super) fn unpack_420p12(
    wire: &[u8],
    y0: &mut [u8],
    y1: &mut [u8],
    u: &mut [u8],
    v: &mut [u8],
) {
    let chroma = u.as_chunks_mut().0.iter_mut().zip(v.as_chunks_mut().0);
    let places = word_places::<2>(y0).zip(word_places::<2>(y1)).zip(chroma);
    for (pgroup, ((y0, y1), (u, v))) in wire.as_chunks::<9>().0.iter().zip(places) {
        let [a, b, c, d, cb, cr] = take_wide(pgroup);
        (*y0, *y1, *u, *v) = ([a, b], [c, d], cb, cr);
    }
}

pub(in super::super) fn pack_444p12(y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let samples = word_groups(y).zip(word_groups(u)).zip(word_groups(v));
    for ((([y0, y1], [u0, u1]), [v0, v1]), out) in samples.zip(wire.as_chunks_mut::<9>().0) {
        put_wide(&[u0, y0, v0, u1, y1, v1], out);
    }
}

pub(in super::super) fn unpack_444p12(wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let places = word_places(y).zip(word_places(u)).zip(word_places(v));
    for (pgroup, ((y, u), v)) in wire.as_chunks::<9>().0.iter().zip(places) {
        let [u0, y0, v0, u1, y1, v1] = take_wide(pgroup);
        (*y, *u, *v) = ([y0, y1], [u0, u1], [v0, v1]);
    }
}

pub(in super::super) fn pack_gray10(samples: &[u8], wire: &mut [u8]) {
    for (samples, out) in word_groups(samples).zip(wire.as_chunks_mut().0) {
        put_four(samples, out);
    }
}

pub(in super::super) fn unpack_gray10(wire: &[u8], samples: &mut [u8]) {
    for (pgroup, places) in wire.as_chunks().0.iter().zip(word_places(samples)) {
        *places = take_four(*pgroup).map(u16::to_le_bytes);
    }
}

/// 16 bits, big endian on the wire, little endian in memory, either way.
pub(in super::super) fn swap_octets(from: &[u8], to: &mut [u8]) {
    for ([a, b], to) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
        *to = [*b, *a];
    }
}
