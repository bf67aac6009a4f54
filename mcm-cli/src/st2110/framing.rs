//! Boundaries of frames in a file.

use config::ConnectionConfig;
use media::Payload;
use std::io::{ErrorKind, Read, Write};

/// How frames follow each other in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// All have so many bytes.
    Fixed(usize),
    /// Each has its length before it, at most so much: four bytes, big endian.
    Counted(usize),
}

impl Framing {
    /// As the payload of a stream wants it.
    pub(super) fn of(config: &ConnectionConfig) -> Self {
        let size = config.payload_size() as usize;
        match config.payload {
            Payload::Ancillary(_) => Self::Counted(size),
            _ if config.codec().is_some() => Self::Counted(size),
            _ => Self::Fixed(size),
        }
    }

    /// Reads a frame; `None` at the end.
    pub(super) fn read(self, file: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
        let size = match self {
            Self::Fixed(size) => size,
            Self::Counted(most) => {
                let mut head = [0; 4];
                match file.read_exact(&mut head) {
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                    other => other?,
                }
                let size = u32::from_be_bytes(head) as usize;
                if size > most {
                    let text = format!("a frame of {size} bytes; at most {most} fit");
                    return Err(std::io::Error::new(ErrorKind::InvalidData, text));
                }
                size
            }
        };
        let mut frame = Vec::with_capacity(size);
        let read = file.take(size as u64).read_to_end(&mut frame)?;
        if read == size {
            return Ok(Some(frame));
        }
        if read == 0 && matches!(self, Self::Fixed(_)) {
            return Ok(None);
        }
        let text = format!("the last frame has {read} bytes of {size}");
        Err(std::io::Error::new(ErrorKind::UnexpectedEof, text))
    }

    /// Writes a frame.
    pub(super) fn write(self, file: &mut impl Write, frame: &[u8]) -> std::io::Result<()> {
        if let Self::Counted(_) = self {
            let size = u32::try_from(frame.len()).unwrap_or(u32::MAX);
            file.write_all(&size.to_be_bytes())?;
        }
        file.write_all(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back() {
        for (framing, frames) in [
            (Framing::Fixed(3), vec![vec![1, 2, 3], vec![4, 5, 6]]),
            (Framing::Counted(5), vec![vec![], vec![1], vec![2; 5]]),
        ] {
            let mut file = Vec::new();
            for frame in &frames {
                framing.write(&mut file, frame).unwrap();
            }
            let mut rest = file.as_slice();
            for frame in &frames {
                assert_eq!(framing.read(&mut rest).unwrap().as_ref(), Some(frame));
            }
            assert_eq!(framing.read(&mut rest).unwrap(), None);
            assert!(framing.read(&mut &file[..file.len() - 1]).is_ok());
        }
        assert!(Framing::Fixed(3).read(&mut &[1, 2][..]).is_err());
        assert!(Framing::Counted(3).read(&mut &[0, 0, 0, 4, 1, 1, 1, 1][..]).is_err());
        assert!(Framing::Counted(3).read(&mut &[0, 0, 0, 2, 1][..]).is_err());
    }
}
