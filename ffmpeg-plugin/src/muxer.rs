//! The sending devices.

mod open;

use crate::clock::{self, SECOND, SENT};
use crate::context::Context;
use crate::devices::{DEVICES, Essence};
use crate::error::{self, Error};
use crate::layout::{AVFrame, AVPacket, NO_FILE, NO_PTS, OutputFormat};
use crate::libav::Libav;
use crate::mesh::{Buffer, Connection};
use crate::options::{self, Direction, Private};
use crate::video::Lines;
use crate::{boundary, interrupt};
use std::ffi::{c_int, c_void};

/// How long one wait lasts; in between, there may be reasons to stop waiting.
const LOOK_MS: c_int = 100;
/// Ticks of a video stream: TAI times are in nanoseconds.
const VIDEO_TICKS: u32 = 1_000_000_000;

/// The devices, for FFmpeg's list.
pub(crate) fn formats(libav: &'static Libav) -> &'static [OutputFormat] {
    const { assert!(DEVICES.len() == 4) };
    vec![format::<0>(libav), format::<1>(libav), format::<2>(libav), format::<3>(libav)].leak()
}

fn format<const DEVICE: usize>(libav: &'static Libav) -> OutputFormat {
    let device = &DEVICES[DEVICE];
    let (audio_codec, video_codec) = match device.essence {
        // Frames as they are: they are copied once, to where the mesh shares them.
        Essence::Video => (0, libav.codecs.wrapped),
        Essence::Audio(formats) => (formats[0].codec(&libav.codecs), 0),
    };
    OutputFormat {
        name: device.name.as_ptr(),
        long_name: device.about.as_ptr(),
        mime_type: std::ptr::null(),
        extensions: std::ptr::null(),
        audio_codec,
        video_codec,
        subtitle_codec: 0,
        flags: NO_FILE,
        codec_tag: std::ptr::null(),
        priv_class: options::class(libav, device, Direction::Tx),
        priv_data_size: size_of::<Private>() as c_int,
        flags_internal: 0,
        write_header: Some(write_header::<DEVICE>),
        write_packet: Some(write_packet),
        write_trailer: Some(write_trailer),
        rest: [0; 19],
    }
}

unsafe extern "C" fn write_header<const DEVICE: usize>(context: *mut c_void) -> c_int {
    // SAFETY: FFmpeg calls it with the context of an output of this device.
    let Some(context) = (unsafe { Context::new(context) }) else { return error::EOF };
    boundary::call("write_header", context, || {
        // Before the mesh is spoken to, so that no signal goes unheard that comes while it is waited for.
        interrupt::watch();
        let muxer = match DEVICES[DEVICE].essence {
            Essence::Video => open::video(context),
            Essence::Audio(formats) => open::audio(context, formats),
        }?;
        // SAFETY: the private data is ours; this thread is the only one that uses it.
        unsafe { (*context.private()).state = Box::into_raw(Box::new(muxer)).cast() };
        Ok(())
    })
}

unsafe extern "C" fn write_packet(context: *mut c_void, packet: *mut AVPacket) -> c_int {
    // SAFETY: FFmpeg calls it with the context of an output of ours.
    let Some(context) = (unsafe { Context::new(context) }) else { return error::EOF };
    boundary::call("write_packet", context, || {
        // SAFETY: the header was written, so that the state is our box, used by one thread at a time; the packet lives.
        let (muxer, packet) =
            unsafe { (&mut *(*context.private()).state.cast::<Muxer>(), &*packet) };
        muxer.write(context, packet)
    })
}

unsafe extern "C" fn write_trailer(context: *mut c_void) -> c_int {
    // SAFETY: FFmpeg calls it with the context of an output of ours.
    let Some(context) = (unsafe { Context::new(context) }) else { return 0 };
    boundary::call("write_trailer", context, || {
        // SAFETY: our box, which nobody uses any more.
        let mut muxer = unsafe {
            let state = std::mem::replace(&mut (*context.private()).state, std::ptr::null_mut());
            if state.is_null() {
                return Ok(());
            }
            Box::from_raw(state.cast::<Muxer>())
        };
        muxer.send_rest(context)
    })
}

/// What packets look like.
#[derive(Debug)]
enum Packets {
    /// Each is a pointer to an `AVFrame` of this pixel format and size.
    Wrapped { format: c_int, width: c_int, height: c_int },
    /// Each is a frame without padding.
    Raw,
    /// Each is a frame of v210 with padded lines.
    V210(Lines),
    /// Any number of samples, of so many bytes each.
    Audio { sample: usize },
}

#[derive(Debug)]
struct Muxer {
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

impl Drop for Muxer {
    fn drop(&mut self) {
        // What was sent stays readable; what is pending must not be sent.
        self.connection.shut_down();
        self.pending = None;
    }
}

impl Muxer {
    fn new(connection: Connection, packets: Packets, ticks: u32) -> Self {
        let timeline = SENT.join();
        Self { connection, packets, timeline, ticks, next: 0, pending: None, filled: 0 }
    }

    fn write(&mut self, context: Context, packet: &AVPacket) -> Result<(), Error> {
        let time = if packet.pts == NO_PTS { self.next } else { packet.pts };
        let size = usize::try_from(packet.size).unwrap_or(0);
        if packet.data.is_null() || size == 0 {
            return Ok(());
        }
        // SAFETY: FFmpeg's packet has so many bytes, and lives as long as this call.
        let data = unsafe { std::slice::from_raw_parts(packet.data.cast_const(), size) };
        if let Packets::Audio { sample } = self.packets {
            return self.write_audio(context, data, time, sample);
        }
        self.next = time.saturating_add(packet.duration);
        let Some(mut buffer) = self.obtain(context)? else { return Ok(()) };
        let filled = self.fill(context.libav(), data, buffer.bytes_mut());
        let ready = filled.and_then(|()| buffer.set_time(self.tai(time)));
        match ready {
            Ok(()) => self.publish(context, buffer),
            Err(error) => {
                self.pending = Some(buffer);
                Err(error)
            }
        }
    }

    /// Copies a packet's frame to the mesh.
    fn fill(&self, libav: &Libav, data: &[u8], frame: &mut [u8]) -> Result<(), Error> {
        let wrong = |found: usize, needed: usize| {
            Err(Error::Data(format!("a packet of {found} bytes; a frame has {needed}")))
        };
        match self.packets {
            Packets::Wrapped { format, width, height } => {
                if data.len() < size_of::<AVFrame>() {
                    return wrong(data.len(), size_of::<AVFrame>());
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
                // SAFETY: the frame's planes are as its format and size say; FFmpeg checks the room in ours.
                let code = unsafe {
                    (libav.call.av_image_copy_to_buffer)(
                        frame.as_mut_ptr(),
                        c_int::try_from(frame.len()).unwrap_or(c_int::MAX),
                        source.data.as_ptr(),
                        source.linesize.as_ptr(),
                        format,
                        width,
                        height,
                        1,
                    )
                };
                if code < 0 {
                    return Err(Error::Libav { call, code });
                }
            }
            Packets::V210(lines) => {
                if data.len() != lines.packet() {
                    return wrong(data.len(), lines.packet());
                }
                lines.strip(data, frame);
            }
            Packets::Raw | Packets::Audio { .. } => {
                if data.len() != frame.len() {
                    return wrong(data.len(), frame.len());
                }
                frame.copy_from_slice(data);
            }
        }
        Ok(())
    }

    /// Cuts audio to the mesh's packets; what is left over begins the next one.
    fn write_audio(
        &mut self,
        context: Context,
        mut data: &[u8],
        time: i64,
        sample: usize,
    ) -> Result<(), Error> {
        if !data.len().is_multiple_of(sample) {
            return Err(Error::Data(format!(
                "{} bytes of audio; a sample has {sample}",
                data.len()
            )));
        }
        self.next = time;
        while !data.is_empty() {
            let Some(mut buffer) = self.obtain(context)? else { return Ok(()) };
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
                self.publish(context, buffer)?;
            }
        }
        Ok(())
    }

    /// Sends what has been begun, as long as it is.
    fn send_rest(&mut self, context: Context) -> Result<(), Error> {
        let filled = std::mem::take(&mut self.filled);
        match self.pending.take() {
            Some(mut buffer) if filled > 0 => match buffer.set_len(filled) {
                Ok(()) => self.publish(context, buffer),
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

    /// A frame to fill: the one that was begun, or a new one. `None` once the program was told to end and would have to wait.
    fn obtain(&mut self, context: Context) -> Result<Option<Buffer>, Error> {
        if let Some(buffer) = self.pending.take() {
            return Ok(Some(buffer));
        }
        loop {
            let timeout = if interrupt::signalled() { 0 } else { LOOK_MS };
            match self.connection.get(timeout) {
                Ok(Some(buffer)) => return Ok(Some(buffer)),
                Ok(None) if context.wants_to_end() => return Err(Error::Exit),
                Ok(None) if interrupt::signalled() => return Ok(None),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a frame. Once the program was told to end, it is sent only if nobody has to be waited for.
    fn publish(&mut self, context: Context, mut buffer: Buffer) -> Result<(), Error> {
        loop {
            let timeout = if interrupt::signalled() { 0 } else { LOOK_MS };
            let Some(unsent) = buffer.put(timeout)? else { return Ok(()) };
            buffer = unsent;
            let (exit, signalled) = (context.wants_to_end(), interrupt::signalled());
            if exit || signalled {
                self.pending = Some(buffer);
                return if exit { Err(Error::Exit) } else { Ok(()) };
            }
        }
    }
}
