//! The samples of a span of time, and which of them have arrived.

use std::ops::Range;

/// A ring of samples. Positions count samples from the start of the stream and only grow.
#[derive(Clone, Debug)]
pub(super) struct Window {
    bytes: Vec<u8>,
    present: Vec<bool>,
    size: usize,
}

impl Window {
    /// Room for so many samples of `size` bytes each.
    pub(super) fn new(samples: usize, size: usize) -> Self {
        Self { bytes: vec![0; samples * size], present: vec![false; samples], size }
    }

    /// For how many samples there is room.
    pub(super) fn len(&self) -> u64 {
        self.present.len() as u64
    }

    /// The one or two stretches of the ring in which these samples lie.
    fn places(&self, samples: &Range<u64>) -> [Range<usize>; 2] {
        let len = self.len();
        let start = (samples.start % len) as usize;
        let count = (samples.end - samples.start) as usize;
        let first = count.min(len as usize - start);
        [start..start + first, 0..count - first]
    }

    /// Places samples that are not there yet; `copy` gets the bytes of each stretch and the number
    /// of its first sample, counted from `samples.start`. Returns how many were new.
    pub(super) fn place(
        &mut self,
        samples: Range<u64>,
        mut copy: impl FnMut(&mut [u8], usize),
    ) -> u64 {
        let mut new = 0;
        let mut done = 0;
        for place in self.places(&samples) {
            let present = &mut self.present[place.clone()];
            let before = present.iter().filter(|there| **there).count();
            new += (present.len() - before) as u64;
            present.fill(true);
            // Samples that are there already are overwritten with what must be the same.
            copy(&mut self.bytes[place.start * self.size..place.end * self.size], done);
            done += place.len();
        }
        new
    }

    /// How many of these samples are there.
    pub(super) fn count(&self, samples: Range<u64>) -> u64 {
        let places = self.places(&samples);
        let present = places.iter().flat_map(|place| &self.present[place.clone()]);
        present.filter(|there| **there).count() as u64
    }

    /// Takes samples out: copies them, zeros for those that are missing, and tells the missing
    /// ones, counted from `samples.start`.
    pub(super) fn take(
        &mut self,
        samples: Range<u64>,
        out: &mut [u8],
        missing: &mut Vec<Range<usize>>,
    ) {
        missing.clear();
        let mut done = 0;
        for place in self.places(&samples) {
            let bytes = &self.bytes[place.start * self.size..place.end * self.size];
            out[done * self.size..][..bytes.len()].copy_from_slice(bytes);
            for index in place {
                if !self.present[index] {
                    out[done * self.size..(done + 1) * self.size].fill(0);
                    match missing.last_mut() {
                        Some(last) if last.end == done => last.end += 1,
                        _ => missing.push(done..done + 1),
                    }
                }
                self.present[index] = false;
                done += 1;
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.present.fill(false);
    }
}
