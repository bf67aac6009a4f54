//! Self-describing frames: their source, their number, and a checksum of all octets.

use mcm::FrameInfo;

/// Bytes at the start of the payload that describe it.
pub const HEADER: usize = 40;
const MAGIC: u64 = u64::from_le_bytes(*b"MCM test");

/// Description of a frame, which it carries itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its source.
    pub source: u64,
    /// Its number, from 0 for each source.
    pub index: u64,
}

/// Writes a whole payload of at least [`HEADER`] bytes, with the metadata under the same checksum.
pub fn fill(stamp: Stamp, payload: &mut [u8], metadata: &mut [u8]) {
    let len = payload.len() as u64;
    let (header, body) = payload.split_at_mut(HEADER);
    scramble(stamp.source ^ (stamp.index << 32), body);
    scramble(stamp.index ^ 1, metadata);
    let sum = checksum(&[stamp.source, stamp.index, len], body, metadata);
    for (place, word) in
        header.chunks_exact_mut(8).zip([MAGIC, stamp.source, stamp.index, len, sum])
    {
        place.copy_from_slice(&word.to_le_bytes());
    }
}

/// Description of a frame, if it is whole.
///
/// # Errors
/// What is wrong with it.
pub fn check(payload: &[u8], metadata: &[u8]) -> Result<Stamp, String> {
    let Some((header, body)) = payload.split_at_checked(HEADER) else {
        return Err(format!("payload of {} bytes has no header", payload.len()));
    };
    let mut words = header.chunks_exact(8).map(word);
    let mut next = || words.next().unwrap_or(0);
    let (magic, source, index, len, sum) = (next(), next(), next(), next(), next());
    if magic != MAGIC {
        return Err(format!("payload begins with {magic:#x}"));
    }
    if len != payload.len() as u64 {
        return Err(format!(
            "frame {index} of {source:#x} has {} bytes, made were {len}",
            payload.len()
        ));
    }
    if checksum(&[source, index, len], body, metadata) != sum {
        return Err(format!("frame {index} of {source:#x}: checksum is wrong"));
    }
    Ok(Stamp { source, index })
}

/// Whether the frames of a receiver are in order, and its counts of missed ones add up.
#[derive(Clone, Debug, Default)]
pub struct Order {
    last: Option<Stamp>,
    earlier: Vec<u64>,
    /// Frames missed, as the frames themselves tell.
    pub missed: u64,
}

impl Order {
    /// Takes the next frame in.
    ///
    /// # Errors
    /// What is out of order.
    pub fn take(&mut self, stamp: Stamp, info: &FrameInfo) -> Result<(), String> {
        let Stamp { source, index } = stamp;
        if info.sequence != index {
            return Err(format!(
                "frame {index} of {source:#x} came with sequence {}",
                info.sequence
            ));
        }
        match self.last {
            Some(last) if last.source == source => {
                let expected = last.index + 1 + info.missed;
                if index != expected {
                    return Err(format!(
                        "frame {index} of {source:#x} came after {} with {} missed between them",
                        last.index, info.missed
                    ));
                }
            }
            Some(last) => {
                if self.earlier.contains(&source) {
                    return Err(format!("source {source:#x} came back after {:#x}", last.source));
                }
                self.earlier.push(last.source);
            }
            None => {}
        }
        self.missed += info.missed;
        self.last = Some(stamp);
        Ok(())
    }

    /// The newest frame.
    #[must_use]
    pub fn last(&self) -> Option<Stamp> {
        self.last
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

fn scramble(seed: u64, bytes: &mut [u8]) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for place in bytes.chunks_mut(8) {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(seed | 1);
        place.copy_from_slice(&state.to_le_bytes()[..place.len()]);
    }
}

fn checksum(words: &[u64], body: &[u8], metadata: &[u8]) -> u64 {
    let mut sum = words.iter().fold(7, |sum, word| mix(sum, *word));
    for part in [body, metadata] {
        let (whole, rest) = part.as_chunks::<8>();
        sum = whole.iter().fold(sum, |sum, bytes| mix(sum, u64::from_le_bytes(*bytes)));
        sum = mix(sum, word(rest) ^ part.len() as u64);
    }
    sum
}

fn mix(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(sequence: u64, missed: u64) -> FrameInfo {
        FrameInfo { sequence, missed, ..FrameInfo::default() }
    }

    #[test]
    fn every_changed_byte_is_found() {
        let stamp = Stamp { source: 3, index: 9 };
        let (mut payload, mut metadata) = ([0; HEADER + 13], [0; 5]);
        fill(stamp, &mut payload, &mut metadata);
        assert_eq!(check(&payload, &metadata), Ok(stamp));
        for at in 0..payload.len() {
            payload[at] ^= 1;
            assert!(check(&payload, &metadata).is_err(), "byte {at}");
            payload[at] ^= 1;
        }
        assert!(check(&payload, &metadata[1..]).is_err());
        assert!(check(&payload[1..], &metadata).is_err());
        assert!(check(&payload[..payload.len() - 1], &metadata).is_err());
    }

    #[test]
    fn order_is_kept_for_each_source() {
        let stamp = |source, index| Stamp { source, index };
        let mut order = Order::default();
        order.take(stamp(1, 5), &info(5, 2)).unwrap();
        order.take(stamp(1, 6), &info(6, 0)).unwrap();
        order.take(stamp(1, 9), &info(9, 2)).unwrap();
        assert_eq!(order.missed, 4);
        assert!(order.clone().take(stamp(1, 9), &info(9, 0)).is_err());
        assert!(order.clone().take(stamp(1, 11), &info(11, 0)).is_err());
        assert!(order.clone().take(stamp(1, 10), &info(11, 0)).is_err());
        order.take(stamp(2, 0), &info(0, 0)).unwrap();
        assert!(order.take(stamp(1, 10), &info(10, 0)).is_err());
    }
}
