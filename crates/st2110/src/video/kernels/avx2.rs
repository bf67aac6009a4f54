//! The same loops with 256-bit vectors. Each returns how many pgroups it has done; the rest is for
//! scalar code.
//!
//! Loads and stores of 16 bytes reach beyond the octets that they are for, so every loop ends while
//! there is room for that; what is stored too far is overwritten by what comes next. Bounds are
//! checked once for each step, by slicing.

use std::arch::x86_64::*;

/// 16 bytes at the start of a slice.
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m128i {
    let bytes: &[u8; 16] = bytes.first_chunk().expect("16 bytes");
    // SAFETY: the reference covers the 16 bytes that are read, at any alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// 32 bytes at the start of a slice.
#[target_feature(enable = "avx2")]
fn load_two(bytes: &[u8]) -> __m256i {
    let bytes: &[u8; 32] = bytes.first_chunk().expect("32 bytes");
    // SAFETY: the reference covers the 32 bytes that are read, at any alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// To the first 16 bytes of a slice.
#[target_feature(enable = "avx2")]
fn store(bytes: &mut [u8], value: __m128i) {
    let bytes: &mut [u8; 16] = bytes.first_chunk_mut().expect("16 bytes");
    // SAFETY: the reference covers the 16 bytes that are written, at any alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}

/// To the first 32 bytes of a slice.
#[target_feature(enable = "avx2")]
fn store_two(bytes: &mut [u8], value: __m256i) {
    let bytes: &mut [u8; 32] = bytes.first_chunk_mut().expect("32 bytes");
    // SAFETY: the reference covers the 32 bytes that are written, at any alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}

/// One pattern for both halves.
#[target_feature(enable = "avx2")]
fn both(pattern: [i8; 16]) -> __m256i {
    // SAFETY: the array covers the 16 bytes that are read.
    let half = unsafe { _mm_loadu_si128(pattern.as_ptr().cast()) };
    _mm256_broadcastsi128_si256(half)
}

/// Octets that one step of 4:2:2 in 10 bits writes or reads; 40 of them are its own.
const STEP: usize = 46;

/// Four pgroups from their samples: 20 bits in each half of a quadword, 40 bits together, then
/// their octets in the order of the wire.
#[inline]
#[target_feature(enable = "avx2")]
fn join_422p10(samples: __m256i) -> __m256i {
    // Cb · 1024 + Y, and Cr · 1024 + Y.
    let join = _mm256_set1_epi32(1 << 16 | 1024);
    let reverse = both([4, 3, 2, 1, 0, 12, 11, 10, 9, 8, -1, -1, -1, -1, -1, -1]);
    let twenty = _mm256_madd_epi16(samples, join);
    let forty = _mm256_or_si256(_mm256_slli_epi64(twenty, 20), _mm256_srli_epi64(twenty, 32));
    _mm256_shuffle_epi8(forty, reverse)
}

/// Eight pgroups: 16 of Y, 8 of U and V each.
#[inline]
#[target_feature(enable = "avx2")]
fn pack_eight(y: &[u8], u: &[u8], v: &[u8], out: &mut [u8; STEP]) {
    let ten_bits = _mm256_set1_epi16(0x3FF);
    let (cb, cr) = (load(u), load(v));
    let chroma = _mm256_set_m128i(_mm_unpackhi_epi16(cb, cr), _mm_unpacklo_epi16(cb, cr));
    let chroma = _mm256_and_si256(chroma, ten_bits);
    let luma = _mm256_and_si256(load_two(y), ten_bits);
    // Halves: pgroups 0, 1 and 4, 5; then 2, 3 and 6, 7.
    let outer = join_422p10(_mm256_unpacklo_epi16(chroma, luma));
    let inner = join_422p10(_mm256_unpackhi_epi16(chroma, luma));
    store(out, _mm256_castsi256_si128(outer));
    store(&mut out[10..], _mm256_castsi256_si128(inner));
    store(&mut out[20..], _mm256_extracti128_si256(outer, 1));
    store(&mut out[30..], _mm256_extracti128_si256(inner, 1));
}

/// Eight pgroups at a time.
#[target_feature(enable = "avx2")]
pub(super) fn pack_422p10(y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) -> usize {
    let pgroups = (wire.len() / 5).min(y.len() / 4).min(u.len() / 2).min(v.len() / 2);
    let mut done = 0;
    while done + 8 <= pgroups {
        let (y, u, v) = (&y[done * 4..], &u[done * 2..], &v[done * 2..]);
        let out = &mut wire[done * 5..];
        match out.first_chunk_mut::<STEP>() {
            Some(out) => pack_eight(y, u, v, out),
            None => {
                // At the end there is room for no more than they are.
                let mut last = [0; STEP];
                pack_eight(y, u, v, &mut last);
                out[..40].copy_from_slice(&last[..40]);
            }
        }
        done += 8;
    }
    done
}

/// Four pgroups to four times the two octets around a Y, twice those around a Cb, twice those
/// around a Cr; then samples.
#[inline]
#[target_feature(enable = "avx2")]
fn part_422p10(octets: &[u8]) -> __m256i {
    // Low octet first.
    let gather = both([2, 1, 4, 3, 7, 6, 9, 8, 1, 0, 6, 5, 3, 2, 8, 7]);
    // Moves each sample to the top of its 16 bits.
    let lift = _mm256_setr_epi16(4, 64, 4, 64, 1, 1, 16, 16, 4, 64, 4, 64, 1, 1, 16, 16);
    let two = _mm256_set_m128i(load(&octets[10..]), load(octets));
    _mm256_srli_epi16(_mm256_mullo_epi16(_mm256_shuffle_epi8(two, gather), lift), 6)
}

/// Eight pgroups.
#[inline]
#[target_feature(enable = "avx2")]
fn unpack_eight(octets: &[u8; STEP], y: &mut [u8], u: &mut [u8], v: &mut [u8]) {
    let sort = _mm256_setr_epi32(0, 4, 2, 6, 1, 5, 3, 7);
    let (first, second) = (part_422p10(octets), part_422p10(&octets[20..]));
    let luma = _mm256_unpacklo_epi64(first, second);
    let chroma = _mm256_unpackhi_epi64(first, second);
    store_two(y, _mm256_permute4x64_epi64(luma, 0b11_01_10_00));
    let chroma = _mm256_permutevar8x32_epi32(chroma, sort);
    store(u, _mm256_castsi256_si128(chroma));
    store(v, _mm256_extracti128_si256(chroma, 1));
}

/// Eight pgroups at a time.
#[target_feature(enable = "avx2")]
pub(super) fn unpack_422p10(wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) -> usize {
    let pgroups = (wire.len() / 5).min(y.len() / 4).min(u.len() / 2).min(v.len() / 2);
    let mut done = 0;
    while done + 8 <= pgroups {
        let octets = &wire[done * 5..];
        let (y, u, v) = (&mut y[done * 4..], &mut u[done * 2..], &mut v[done * 2..]);
        match octets.first_chunk::<STEP>() {
            Some(octets) => unpack_eight(octets, y, u, v),
            None => {
                // At the end there are no more than theirs.
                let mut last = [0; STEP];
                last[..40].copy_from_slice(&octets[..40]);
                unpack_eight(&last, y, u, v);
            }
        }
        done += 8;
    }
    done
}

/// Six pgroups at a time from eight words. The first pgroup begins a word.
#[target_feature(enable = "avx2")]
pub(super) fn pack_v210(words: &[u8], wire: &mut [u8]) -> usize {
    let low = _mm256_set1_epi32(0x3FF);
    let middle = _mm256_set1_epi32(0xF_FC00);
    let sixty_bits = _mm256_set1_epi64x(0x0FFF_FFFF_FFFF_FFFF);
    let lift = _mm256_setr_epi64x(4, 0, 4, 0);
    let reverse = both([7, 6, 5, 4, 3, 2, 1, 0, 14, 13, 12, 11, 10, 9, 8, -1]);
    let shared = both([-1, -1, -1, -1, -1, -1, -1, 15, -1, -1, -1, -1, -1, -1, -1, -1]);
    let pgroups = (wire.len() / 5).min(words.len() / 16 * 3);
    let mut done = 0;
    // The last store reaches 31 octets.
    while done + 7 <= pgroups {
        let word = load_two(&words[done / 3 * 16..]);
        // The three samples of each word in reverse: 30 bits, first sample on top.
        let thirty = _mm256_or_si256(
            _mm256_or_si256(
                _mm256_slli_epi32(_mm256_and_si256(word, low), 20),
                _mm256_and_si256(word, middle),
            ),
            _mm256_and_si256(_mm256_srli_epi32(word, 20), low),
        );
        let sixty = _mm256_or_si256(_mm256_slli_epi64(thirty, 30), _mm256_srli_epi64(thirty, 32));
        // The octet in the middle has four bits of each of the two quadwords.
        let lifted = _mm256_sllv_epi64(_mm256_and_si256(sixty, sixty_bits), lift);
        let octets = _mm256_or_si256(
            _mm256_shuffle_epi8(lifted, reverse),
            _mm256_shuffle_epi8(lifted, shared),
        );
        let out = &mut wire[done * 5..][..31];
        store(out, _mm256_castsi256_si128(octets));
        store(&mut out[15..], _mm256_extracti128_si256(octets, 1));
        done += 6;
    }
    done
}

/// Six pgroups at a time to eight words. The first pgroup begins a word.
#[target_feature(enable = "avx2")]
pub(super) fn unpack_v210(wire: &[u8], words: &mut [u8]) -> usize {
    // Octets 0 to 7 and 7 to 14 as quadwords: 60 bits of each are wanted, the upper and the lower
    // ones.
    let reverse = both([7, 6, 5, 4, 3, 2, 1, 0, 14, 13, 12, 11, 10, 9, 8, 7]);
    let lower = _mm256_setr_epi64x(4, 0, 4, 0);
    let first_word = _mm256_set1_epi64x(0x3FFF_FFFF);
    let second_word = _mm256_set1_epi64x(0x3FFF_FFFF_0000_0000);
    let low = _mm256_set1_epi32(0x3FF);
    let middle = _mm256_set1_epi32(0xF_FC00);
    let pgroups = (wire.len() / 5).min(words.len() / 16 * 3);
    let mut done = 0;
    // The last load reaches 31 octets.
    while done + 7 <= pgroups {
        let octets = &wire[done * 5..][..31];
        let both = _mm256_set_m128i(load(&octets[15..]), load(octets));
        let sixty = _mm256_srlv_epi64(_mm256_shuffle_epi8(both, reverse), lower);
        let thirty = _mm256_or_si256(
            _mm256_and_si256(_mm256_srli_epi64(sixty, 30), first_word),
            _mm256_and_si256(_mm256_slli_epi64(sixty, 32), second_word),
        );
        let word = _mm256_or_si256(
            _mm256_or_si256(_mm256_srli_epi32(thirty, 20), _mm256_and_si256(thirty, middle)),
            _mm256_slli_epi32(_mm256_and_si256(thirty, low), 20),
        );
        store_two(&mut words[done / 3 * 16..], word);
        done += 6;
    }
    done
}

/// Sixteen pgroups at a time.
#[target_feature(enable = "avx2")]
pub(super) fn pack_422p8(y: &[u8], u: &[u8], v: &[u8], wire: &mut [u8]) -> usize {
    let pgroups = (wire.len() / 4).min(y.len() / 2).min(u.len()).min(v.len());
    let mut done = 0;
    while done + 16 <= pgroups {
        let (cb, cr) = (load(&u[done..]), load(&v[done..]));
        let chroma = _mm256_set_m128i(_mm_unpackhi_epi8(cb, cr), _mm_unpacklo_epi8(cb, cr));
        let luma = load_two(&y[done * 2..]);
        let outer = _mm256_unpacklo_epi8(chroma, luma);
        let inner = _mm256_unpackhi_epi8(chroma, luma);
        let out = &mut wire[done * 4..][..64];
        store_two(out, _mm256_permute2x128_si256(outer, inner, 0x20));
        store_two(&mut out[32..], _mm256_permute2x128_si256(outer, inner, 0x31));
        done += 16;
    }
    done
}

/// Sixteen pgroups at a time.
#[target_feature(enable = "avx2")]
pub(super) fn unpack_422p8(wire: &[u8], y: &mut [u8], u: &mut [u8], v: &mut [u8]) -> usize {
    let even = _mm256_set1_epi16(0xFF);
    let pgroups = (wire.len() / 4).min(y.len() / 2).min(u.len()).min(v.len());
    let mut done = 0;
    while done + 16 <= pgroups {
        let octets = &wire[done * 4..][..64];
        let (first, second) = (load_two(octets), load_two(&octets[32..]));
        // Packing works within halves; the permutation puts the quarters in order.
        let luma = _mm256_packus_epi16(_mm256_srli_epi16(first, 8), _mm256_srli_epi16(second, 8));
        store_two(&mut y[done * 2..], _mm256_permute4x64_epi64(luma, 0b11_01_10_00));
        let chroma =
            _mm256_packus_epi16(_mm256_and_si256(first, even), _mm256_and_si256(second, even));
        let chroma = _mm256_permute4x64_epi64(chroma, 0b11_01_10_00);
        let (cb, cr) = (_mm256_and_si256(chroma, even), _mm256_srli_epi16(chroma, 8));
        let sorted = _mm256_permute4x64_epi64(_mm256_packus_epi16(cb, cr), 0b11_01_10_00);
        store(&mut u[done..], _mm256_castsi256_si128(sorted));
        store(&mut v[done..], _mm256_extracti128_si256(sorted, 1));
        done += 16;
    }
    done
}
