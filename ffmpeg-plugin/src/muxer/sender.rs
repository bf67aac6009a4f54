//! Conversion of FFmpeg's packets to the mesh's frames.

use crate::clock::{self, SECOND, SENT};
use crate::error::Error;
use crate::interrupt;
use crate::layout::{AVFrame, AVPacket, NO_PTS};
use crate::libav::Libav;
use crate::mesh::{Buffer, Connection};
use crate::video::Repacking;
use std::ffi::c_int;

/// Time limit of one wait; between two, the muxer checks for reasons to stop waiting.
pub(super) const LOOK_MS: c_int = 100;

/// Asks whether the program wants to end.
pub(super) type WantsToEnd<'a> = &'a dyn Fn() -> bool;

/// Layout of packets.
#[derive(Debug)]
pub(super) enum Packets {
    /// Each is a pointer to an `AVFrame`. The planes of one that is repacked are brought together
    /// first.
    Wrapped { pictures: Pictures, repacking: Option<Repacking>, unpacked: Vec<u8> },
    /// Each is a frame without padding.
    Raw,
    /// Each is a frame in FFmpeg's way.
    Repacked(Repacking),
    /// Any number of samples, of so many bytes each.
    Audio { sample: usize },
}

/// Required format of FFmpeg's frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pictures {
    pub(super) format: c_int,
    pub(super) width: c_int,
    pub(super) height: c_int,
}

impl Pictures {
    /// Copies the planes of the frame that a packet points to, without what pads its lines.
    fn copy(self, libav: &Libav, data: &[u8], to: &mut [u8]) -> Result<(), Error> {
        let Self { format, width, height } = self;
        if data.len() < size_of::<AVFrame>() {
            let (found, needed) = (data.len(), size_of::<AVFrame>());
            return Err(Error::Data(format!("a packet of {found} bytes; a frame has {needed}")));
        }
        // SAFETY: the data of such a packet is an AVFrame, which FFmpeg has allocated.
        let source = unsafe { &*data.as_ptr().cast::<AVFrame>() };
        if (source.format, source.width, source.height) != (format, width, height) {
            let name = |format| libav.call.pixel_format_name(format);
            return Err(Error::Data(format!(
                "the stream changes to {}x{} {}; it began with {width}x{height} {}",
                source.width,
                source.height,
                name(source.format),
                name(format)
            )));
        }
        let call = "av_image_copy_to_buffer";
        // SAFETY: the frame's planes are as its format and size say; FFmpeg checks the room in
        // ours.
        let code = unsafe {
            (libav.call.av_image_copy_to_buffer)(
                to.as_mut_ptr(),
                c_int::try_from(to.len()).unwrap_or(c_int::MAX),
                source.data.as_ptr(),
                source.linesize.as_ptr(),
                format,
                width,
                height,
                1,
            )
        };
        if code < 0 { Err(Error::Libav { call, code }) } else { Ok(()) }
    }
}

#[derive(Debug)]
pub(super) struct Sender {
    libav: &'static Libav,
    connection: Connection,
    packets: Packets,
    timeline: clock::User<'static>,
    ticks: u32,
    /// Time of the next packet, if it does not say.
    next: i64,
    /// A frame of the mesh that is not sent yet, and how much of it has been filled.
    pending: Option<Buffer>,
    filled: usize,
}

impl Drop for Sender {
    fn drop(&mut self) {
        // Sent frames stay readable; pending ones must not be sent.
        self.connection.shut_down();
        self.pending = None;
    }
}

impl Sender {
    /// Of a connection whose stream has so many ticks in a second.
    pub(super) fn new(
        libav: &'static Libav,
        connection: Connection,
        packets: Packets,
        ticks: u32,
    ) -> Self {
        let timeline = SENT.join();
        Self { libav, connection, packets, timeline, ticks, next: 0, pending: None, filled: 0 }
    }

    /// Bytes of a frame of video.
    pub(super) fn frame(&self) -> Option<usize> {
        let audio = matches!(self.packets, Packets::Audio { .. });
        (!audio).then(|| self.connection.payload_size())
    }

    /// Ticks of the stream in a second.
    pub(super) fn ticks(&self) -> u32 {
        self.ticks
    }

    /// Receivers in the group.
    pub(super) fn receivers(&self) -> u32 {
        self.connection.peers()
    }

    /// Waits for a frame to fill, at most for this time; false if there is none. There is none
    /// before the receivers are there that the connection waits for.
    pub(super) fn is_ready(&mut self, timeout_ms: c_int) -> Result<bool, Error> {
        if self.pending.is_none() {
            self.pending = self.connection.get(timeout_ms)?;
        }
        Ok(self.pending.is_some())
    }

    /// Sends a packet.
    pub(super) fn send(&mut self, packet: &AVPacket, end: WantsToEnd<'_>) -> Result<(), Error> {
        let time = if packet.pts == NO_PTS { self.next } else { packet.pts };
        let size = usize::try_from(packet.size).unwrap_or(0);
        if packet.data.is_null() || size == 0 {
            return Ok(());
        }
        // SAFETY: FFmpeg's packet has so many bytes, and lives as long as this call.
        let data = unsafe { std::slice::from_raw_parts(packet.data.cast_const(), size) };
        if let Packets::Audio { sample } = self.packets {
            return self.write_audio(data, time, sample, end);
        }
        self.next = time.saturating_add(packet.duration);
        let Some(mut buffer) = self.obtain(end)? else { return Ok(()) };
        let filled = self.fill(data, buffer.bytes_mut());
        let ready = filled.and_then(|()| buffer.set_time(self.tai(time)));
        match ready {
            Ok(()) => self.publish(buffer, end),
            Err(error) => {
                self.pending = Some(buffer);
                Err(error)
            }
        }
    }

    /// Copies a packet's frame to the mesh.
    fn fill(&mut self, data: &[u8], frame: &mut [u8]) -> Result<(), Error> {
        let full = |found: usize, needed: usize| match found == needed {
            true => Ok(()),
            false => Err(Error::Data(format!("a packet of {found} bytes; a frame has {needed}"))),
        };
        match &mut self.packets {
            Packets::Wrapped { pictures, repacking: None, .. } => {
                pictures.copy(self.libav, data, frame)?;
            }
            Packets::Wrapped { pictures, repacking: Some(repacking), unpacked } => {
                unpacked.resize(repacking.ffmpeg(), 0);
                pictures.copy(self.libav, data, unpacked)?;
                repacking.to_mesh(unpacked, frame);
            }
            Packets::Repacked(repacking) => {
                full(data.len(), repacking.ffmpeg())?;
                repacking.to_mesh(data, frame);
            }
            Packets::Raw | Packets::Audio { .. } => {
                full(data.len(), frame.len())?;
                frame.copy_from_slice(data);
            }
        }
        Ok(())
    }

    /// Cuts audio to the mesh's packets; what is left over begins the next one.
    fn write_audio(
        &mut self,
        mut data: &[u8],
        time: i64,
        sample: usize,
        end: WantsToEnd<'_>,
    ) -> Result<(), Error> {
        if !data.len().is_multiple_of(sample) {
            return Err(Error::Data(format!(
                "{} bytes of audio; a sample has {sample}",
                data.len()
            )));
        }
        self.next = time;
        while !data.is_empty() {
            let Some(mut buffer) = self.obtain(end)? else { return Ok(()) };
            if self.filled == 0 {
                buffer.set_time(self.tai(self.next))?;
            }
            let room = &mut buffer.bytes_mut()[self.filled..];
            let (now, later) = data.split_at(room.len().min(data.len()));
            room[..now.len()].copy_from_slice(now);
            self.next = self.next.saturating_add((now.len() / sample) as i64);
            data = later;
            if now.len() < room.len() {
                self.filled += now.len();
                self.pending = Some(buffer);
            } else {
                self.filled = 0;
                self.publish(buffer, end)?;
            }
        }
        Ok(())
    }

    /// Sends what has been begun, as long as it is.
    pub(super) fn send_rest(&mut self, end: WantsToEnd<'_>) -> Result<(), Error> {
        let filled = std::mem::take(&mut self.filled);
        match self.pending.take() {
            Some(mut buffer) if filled > 0 => match buffer.set_len(filled) {
                Ok(()) => self.publish(buffer, end),
                Err(error) => {
                    self.pending = Some(buffer);
                    Err(error)
                }
            },
            unsent => {
                self.pending = unsent;
                Ok(())
            }
        }
    }

    /// The TAI time of a time of the stream.
    fn tai(&self, time: i64) -> u64 {
        let ns = i128::from(time) * SECOND / i128::from(self.ticks);
        let zero = self.timeline.zero(|| i128::from(media::tai::now().as_nanos()) - ns);
        u64::try_from(zero + ns).unwrap_or(0)
    }

    /// A frame to fill: the one that was begun, or a new one. `None` once the program was told to
    /// end and would have to wait.
    fn obtain(&mut self, end: WantsToEnd<'_>) -> Result<Option<Buffer>, Error> {
        if let Some(buffer) = self.pending.take() {
            return Ok(Some(buffer));
        }
        loop {
            let timeout = if interrupt::signalled() { 0 } else { LOOK_MS };
            match self.connection.get(timeout) {
                Ok(Some(buffer)) => return Ok(Some(buffer)),
                Ok(None) if end() => return Err(Error::Exit),
                Ok(None) if interrupt::signalled() => return Ok(None),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a frame. Once the program was told to end, it is sent only if that needs no wait.
    fn publish(&mut self, mut buffer: Buffer, end: WantsToEnd<'_>) -> Result<(), Error> {
        loop {
            let timeout = if interrupt::signalled() { 0 } else { LOOK_MS };
            let Some(unsent) = buffer.put(timeout)? else { return Ok(()) };
            buffer = unsent;
            let (exit, signalled) = (end(), interrupt::signalled());
            if exit || signalled {
                self.pending = Some(buffer);
                return if exit { Err(Error::Exit) } else { Ok(()) };
            }
        }
    }
}
