//! The inner loops: runs of pgroups to and from slices of planes that are exactly as long.
//!
//! Slices shorter than their counterparts would be a fault of [`Conversion`](super::Conversion);
//! all code here stays within the shortest.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod deep;
mod scalar;

pub(super) use deep::{
    pack_420p12, pack_422p12, pack_444p12, pack_gray10, swap_octets, unpack_420p12, unpack_422p12,
    unpack_444p12, unpack_gray10,
};
pub(super) use scalar::{
    pack_420p8, pack_420p10, pack_444p10, pack_nv12, pack_p010, pack_rgb, unpack_420p8,
    unpack_420p10, unpack_444p10, unpack_nv12, unpack_p010, unpack_rgb,
};

/// Which instructions are used. Results are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simd(Option<Avx2>);

/// Proof that this processor has AVX2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Avx2(());

impl Simd {
    /// None but those that every processor has.
    pub const SCALAR: Self = Self(None);

    /// The fastest that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Self(Some(Avx2(())));
        }
        Self::SCALAR
    }

    /// `AVX2` or `scalar`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        if self.0.is_some() { "AVX2" } else { "scalar" }
    }
}

/// Runs the AVX2 code on as much as it takes, where there is AVX2. It returns how many pgroups it
/// has done.
macro_rules! vector_part {
    ($simd:expr, $name:ident($($argument:expr),*)) => {
        match $simd.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the code needs AVX2, and an `Avx2` exists only where `Simd::detect` has found
            // it.
            Some(Avx2(())) => unsafe { avx2::$name($($argument),*) },
            _ => 0,
        }
    };
}

/// 4:2:2, 10 bits, from planes of 16 bits.
pub(super) fn pack_422p10(simd: Simd, y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let done = vector_part!(simd, pack_422p10(y, u, v, wire));
    scalar::pack_422p10(&y[done * 4..], &u[done * 2..], &v[done * 2..], &mut wire[done * 5..]);
}

/// 4:2:2, 10 bits, to planes of 16 bits.
pub(super) fn unpack_422p10(simd: Simd, wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let done = vector_part!(simd, unpack_422p10(wire, y, u, v));
    let (y, u, v) = (&mut y[done * 4..], &mut u[done * 2..], &mut v[done * 2..]);
    scalar::unpack_422p10(&wire[done * 5..], y, u, v);
}

/// 4:2:2, 8 bits, from planes.
pub(super) fn pack_422p8(simd: Simd, y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) {
    let done = vector_part!(simd, pack_422p8(y, u, v, wire));
    scalar::pack_422p8(&y[done * 2..], &u[done..], &v[done..], &mut wire[done * 4..]);
}

/// 4:2:2, 8 bits, to planes.
pub(super) fn unpack_422p8(simd: Simd, wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let done = vector_part!(simd, unpack_422p8(wire, y, u, v));
    scalar::unpack_422p8(&wire[done * 4..], &mut y[done * 2..], &mut u[done..], &mut v[done..]);
}

/// Pgroups from component `first` to the next one that begins a word of v210, at most `most`.
///
/// v210 has three components in each word of 32 bits, in the order of the wire, and runs on across
/// lines. Pgroups have four of them, so every third pgroup begins a word.
fn to_word(first: usize, most: usize) -> usize {
    // first + 4n is a multiple of 3 for n = 2 · (first mod 3) mod 3.
    (first % 3 * 2 % 3).min(most)
}

/// 4:2:2, 10 bits, from a frame of v210 beginning at component `first`.
pub(super) fn pack_v210(simd: Simd, frame: &[u8], mut first: usize, mut wire: &mut [u8]) {
    let ahead = to_word(first, wire.len() / 5);
    let part;
    (part, wire) = wire.split_at_mut(ahead * 5);
    scalar::pack_v210(frame, first, part);
    if wire.is_empty() {
        return;
    }
    first += ahead * 4;
    let words = &frame[first / 3 * 4..];
    let mut done = vector_part!(simd, pack_v210(words, wire));
    done += scalar::pack_v210_words(&words[done / 3 * 16..], &mut wire[done * 5..]);
    scalar::pack_v210(frame, first + done * 4, &mut wire[done * 5..]);
}

/// 4:2:2, 10 bits, to a frame of v210 beginning at component `first`.
pub(super) fn unpack_v210(simd: Simd, mut wire: &[u8], frame: &mut [u8], mut first: usize) {
    let ahead = to_word(first, wire.len() / 5);
    let part;
    (part, wire) = wire.split_at(ahead * 5);
    scalar::unpack_v210(part, frame, first);
    if wire.is_empty() {
        return;
    }
    first += ahead * 4;
    let words = &mut frame[first / 3 * 4..];
    let mut done = vector_part!(simd, unpack_v210(wire, words));
    done += scalar::unpack_v210_words(&wire[done * 5..], &mut words[done / 3 * 16..]);
    scalar::unpack_v210(&wire[done * 5..], frame, first + done * 4);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The AVX2 code, or nothing to compare.
    fn vector() -> Simd {
        let simd = Simd::detect();
        if simd == Simd::SCALAR {
            eprintln!("skipped: this processor has no AVX2");
        }
        simd
    }

    /// Runs `kernel` with scalar code and AVX2 on copies of `out`.
    fn agree<const N: usize>(out: [Vec<u8>; N], kernel: impl Fn(Simd, &mut [Vec<u8>; N])) {
        let (mut scalar, mut vector_out) = (out.clone(), out);
        kernel(Simd::SCALAR, &mut scalar);
        kernel(vector(), &mut vector_out);
        assert_eq!(scalar, vector_out);
    }

    fn bytes(len: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), len)
    }

    proptest! {
        /// With every length, at every alignment, and with rubbish in the unused bits.
        #[test]
        fn vectors_are_bit_exact_for_planes(
            (count, data) in (0usize..70).prop_flat_map(|count| (Just(count), bytes(count * 5 + 8))),
            (planes, at) in (bytes(70 * 8 + 32), 0usize..8),
        ) {
            let wire = &data[at..][..count * 5];
            let (y, rest) = planes[at..].split_at(count * 4);
            let (u, rest) = rest.split_at(count * 2);
            let v = &rest[..count * 2];
            agree([vec![0xAA; count * 5]], |simd, [out]| pack_422p10(simd, y, u, v, out));
            let planes = [vec![1; count * 4], vec![2; count * 2], vec![3; count * 2]];
            agree(planes, |simd, [y, u, v]| unpack_422p10(simd, wire, y, u, v));
            let (y, u, v) = (&y[..count * 2], &u[..count], &v[..count]);
            agree([vec![0xAA; count * 4]], |simd, [out]| pack_422p8(simd, y, u, v, out));
            let planes = [vec![1; count * 2], vec![2; count], vec![3; count]];
            agree(planes, |simd, [y, u, v]| unpack_422p8(simd, &wire[..count * 4], y, u, v));
        }

        #[test]
        fn vectors_are_bit_exact_for_v210(
            words in bytes(4 * 120),
            wire in bytes(5 * 90),
            first in 0usize..20,
            count in 0usize..85,
        ) {
            // 120 words are 360 components.
            let (first, count) = (first * 4, count.min(90 - first));
            agree([vec![0xAA; count * 5]], |simd, [out]| pack_v210(simd, &words, first, out));
            agree([words.clone()], |simd, [out]| unpack_v210(simd, &wire[..count * 5], out, first));
            // So are whole words, against single components.
            let (mut by_words, mut by_components) = (vec![0; count * 5], vec![0; count * 5]);
            pack_v210(Simd::SCALAR, &words, first, &mut by_words);
            scalar::pack_v210(&words, first, &mut by_components);
            prop_assert_eq!(by_words, by_components);
            let (mut by_words, mut by_components) = (words.clone(), words.clone());
            unpack_v210(Simd::SCALAR, &wire[..count * 5], &mut by_words, first);
            scalar::unpack_v210(&wire[..count * 5], &mut by_components, first);
            prop_assert_eq!(by_words, by_components);
            // What is written is read back, and nothing else has changed.
            let mut frame = words.clone();
            unpack_v210(vector(), &wire[..count * 5], &mut frame, first);
            let mut back = vec![0; count * 5];
            pack_v210(Simd::SCALAR, &frame, first, &mut back);
            prop_assert_eq!(&back[..], &wire[..count * 5]);
            let mut other = [vec![0; first / 4 * 5], vec![0; (90 - first / 4 - count) * 5]];
            let mut before = other.clone();
            for (from, [head, tail]) in [(&words, &mut before), (&frame, &mut other)] {
                pack_v210(Simd::SCALAR, from, 0, head);
                pack_v210(Simd::SCALAR, from, first + count * 4, tail);
            }
            prop_assert_eq!(before, other);
        }
    }
}
