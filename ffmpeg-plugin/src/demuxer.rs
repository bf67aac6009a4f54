//! The demuxers (receiving devices).

mod open;

use crate::clock::{self, Growing, SECOND, Unit};
use crate::config::{self, Way};
use crate::context::Context;
use crate::devices::{DEVICES, Essence};
use crate::error::{self, Error};
use crate::layout::{AVPacket, CORRUPT, InputFormat, KEY, NO_FILE, PADDING, READ_ONLY};
use crate::libav::Libav;
use crate::mesh::{Buffer, Connection};
use crate::options::{self, Direction, Private};
use crate::settings::Settings;
use crate::video::Repacking;
use crate::waiting::{self, Limit, Waiting};
use crate::{boundary, interrupt};
use std::ffi::{c_int, c_void};
use std::time::Duration;

/// Time limit of one get; between two, the demuxer checks for reasons to stop waiting.
const LOOK_MS: c_int = 100;
/// Buffers that stay free, so that the source is never kept waiting by frames that FFmpeg holds.
const SPARE_BUFFERS: u64 = 2;
/// Number of audio packets in a second.
const AUDIO_SECOND_PARTS: u32 = 50;

/// The devices, for FFmpeg's list.
pub(crate) fn formats(libav: &'static Libav) -> &'static [InputFormat] {
    const { assert!(DEVICES.len() == 4) };
    vec![format::<0>(libav), format::<1>(libav), format::<2>(libav), format::<3>(libav)].leak()
}

fn format<const DEVICE: usize>(libav: &'static Libav) -> InputFormat {
    let device = &DEVICES[DEVICE];
    InputFormat {
        name: device.name.as_ptr(),
        long_name: device.about.as_ptr(),
        flags: NO_FILE,
        extensions: std::ptr::null(),
        codec_tag: std::ptr::null(),
        priv_class: options::class(libav, device, Direction::Rx),
        mime_type: std::ptr::null(),
        raw_codec_id: 0,
        priv_data_size: size_of::<Private>() as c_int,
        flags_internal: 0,
        read_probe: 0,
        read_header: Some(read_header::<DEVICE>),
        read_packet: Some(read_packet),
        read_close: Some(read_close),
        rest: [0; 19],
    }
}

unsafe extern "C" fn read_header<const DEVICE: usize>(context: *mut c_void) -> c_int {
    // SAFETY: FFmpeg calls it with the context of an input of this device.
    let Some(context) = (unsafe { Context::new(context) }) else { return error::EOF };
    boundary::call("read_header", context, || {
        // Before the mesh is spoken to, so that no signal goes unheard that comes while it is
        // waited for.
        interrupt::watch();
        let demuxer = match DEVICES[DEVICE].essence {
            Essence::Video => open::video(context),
            Essence::Audio(formats) => open::audio(context, formats),
        }?;
        context.open_without_a_frame();
        // SAFETY: the private data is ours; this thread is the only one that uses it.
        unsafe { (*context.private()).state = Box::into_raw(Box::new(demuxer)).cast() };
        Ok(())
    })
}

unsafe extern "C" fn read_packet(context: *mut c_void, packet: *mut AVPacket) -> c_int {
    // SAFETY: FFmpeg calls it with the context of an input of ours.
    let Some(context) = (unsafe { Context::new(context) }) else { return error::EOF };
    boundary::call("read_packet", context, || {
        // SAFETY: the header was read, so that the state is our box, used by one thread at a time;
        // the packet is blank.
        let (demuxer, packet) =
            unsafe { (&mut *(*context.private()).state.cast::<Demuxer>(), &mut *packet) };
        demuxer.read(context, packet)
    })
}

unsafe extern "C" fn read_close(context: *mut c_void) -> c_int {
    // SAFETY: FFmpeg calls it with the context of an input of ours.
    let Some(context) = (unsafe { Context::new(context) }) else { return 0 };
    boundary::quietly(|| {
        // SAFETY: null or the plugin's box, which is not used any more.
        unsafe {
            let state = std::mem::replace(&mut (*context.private()).state, std::ptr::null_mut());
            if !state.is_null() {
                drop(Box::from_raw(state.cast::<Demuxer>()));
            }
        }
    });
    0
}

/// Gives a frame back when FFmpeg has dropped its last reference to it.
unsafe extern "C" fn end_lease(opaque: *mut c_void, _data: *mut u8) {
    // SAFETY: the box that was given to `av_buffer_create`, which calls this once.
    boundary::quietly(|| drop(unsafe { Box::from_raw(opaque.cast::<Buffer>()) }));
}

/// Layout of frames.
#[derive(Debug)]
enum Frames {
    /// Bytes of each frame; FFmpeg may need another layout.
    Video { bytes: usize, repacking: Option<Repacking> },
    /// Any number of samples of so many bytes each.
    Audio { sample: usize },
}

/// A received frame and its time.
#[derive(Debug)]
struct Frame {
    buffer: Buffer,
    tai: i128,
    missed: u64,
    incomplete: bool,
}

#[derive(Debug)]
struct Demuxer {
    /// Audio that does not continue the packet before it. Dropped before its connection.
    carried: Option<Frame>,
    connection: Connection,
    frames: Frames,
    timeline: clock::User<'static>,
    times: Growing,
    unit: Unit,
    /// Of a video frame, in ticks.
    duration: i64,
    waiting: WaitingForFrames,
}

/// Frames that do not come.
#[derive(Debug)]
struct WaitingForFrames {
    /// Group or stream of the frames.
    name: String,
    way: Way,
    waiting: Waiting,
    /// Whether a frame has been received.
    begun: bool,
    /// Whether there was a source when the wait was reported.
    source: bool,
}

impl WaitingForFrames {
    fn new(settings: &Settings, period: Duration) -> Result<Self, Error> {
        let name = waiting::name(settings)?;
        let waiting = Waiting::for_each(period, Limit::of(settings));
        let way = config::way(settings)?;
        Ok(Self { name, way, waiting, begun: false, source: false })
    }

    fn goes_on(&mut self, context: Context, source: bool) -> Result<(), Error> {
        self.source = source;
        let Self { name, begun, .. } = self;
        self.waiting.goes_on(context, || match (*begun, source) {
            _ if self.way == Way::St2110 => format!("packets of {name}"),
            (false, false) => format!("a source of {name}"),
            (true, false) => format!("a source of {name}: the last one is gone"),
            (_, true) => format!("frames of {name}: its source sends none"),
        })
    }

    fn is_over(&mut self) {
        self.begun = true;
        // A source that pauses may do so often.
        self.waiting.is_over(!self.source);
    }
}

impl Demuxer {
    fn read(&mut self, context: Context, packet: &mut AVPacket) -> Result<(), Error> {
        let frame = match self.carried.take() {
            Some(frame) => frame,
            None => loop {
                let buffer = self.wait(context)?;
                if let Some(frame) = self.taken(context, buffer)? {
                    break frame;
                }
            },
        };
        let (tai, missed, incomplete) = (frame.tai, frame.missed, frame.incomplete);
        let (duration, slack) = match &self.frames {
            Frames::Video { bytes, repacking } => {
                self.fill_video(context, frame.buffer, packet, *bytes, repacking.as_ref())?;
                // One tick may be due to rounding.
                (self.duration, i64::from(missed == 0))
            }
            &Frames::Audio { sample } => {
                let samples = self.fill_audio(context, frame, packet, sample)?;
                // Sources that do not say when a packet was recorded get the time of put, which
                // jitters.
                (
                    samples as i64,
                    if missed == 0 { i64::from(self.unit.ticks / AUDIO_SECOND_PARTS) } else { 0 },
                )
            }
        };
        let time = self.unit.count(tai - self.timeline.zero(|| tai));
        packet.pts = self.times.next(time, duration, slack);
        packet.dts = packet.pts;
        packet.duration = duration;
        packet.flags |= if incomplete { KEY | CORRUPT } else { KEY };
        Ok(())
    }

    /// A frame with its time. `None` if it has not the size that its format has; it is left out.
    fn taken(&self, context: Context, buffer: Buffer) -> Result<Option<Frame>, Error> {
        let info = buffer.info()?;
        if info.missed > 0 {
            context.log_warning(&format!("{} frames missed", info.missed));
        }
        let whole = self.is_whole(context, &buffer);
        Ok(whole.then(|| Frame {
            buffer,
            tai: i128::from(info.tai_ns),
            missed: info.missed,
            incomplete: info.is_incomplete(),
        }))
    }

    /// The next frame. A frame is checked for first, so that no other condition loses one.
    fn wait(&mut self, context: Context) -> Result<Buffer, Error> {
        loop {
            if let Some(buffer) = self.connection.get(LOOK_MS)? {
                self.waiting.is_over();
                return Ok(buffer);
            }
            self.waiting.goes_on(context, self.connection.peers() > 0)?;
            if context.wants_to_end() {
                return Err(Error::Exit);
            }
            if interrupt::signalled() {
                return Err(Error::End);
            }
            if context.may_not_block() {
                return Err(Error::Again);
            }
        }
    }

    /// Whether a frame has the size of its format. Others are dropped.
    fn is_whole(&self, context: Context, buffer: &Buffer) -> bool {
        let len = buffer.len();
        let (whole, expected) = match self.frames {
            Frames::Video { bytes, .. } => (len == bytes, bytes),
            Frames::Audio { sample } => (len > 0 && len.is_multiple_of(sample), sample),
        };
        if !whole {
            context.log_warning(&format!(
                "a frame of {len} bytes is left out: found {len}, needed {expected}"
            ));
        }
        whole
    }

    /// Puts a frame into a packet: as it is where that can be, else as a copy.
    fn fill_video(
        &self,
        context: Context,
        buffer: Buffer,
        packet: &mut AVPacket,
        bytes: usize,
        repacking: Option<&Repacking>,
    ) -> Result<(), Error> {
        let libav = context.libav();
        match repacking {
            Some(repacking) => {
                repacking.to_ffmpeg(buffer.bytes(), new_packet(libav, packet, repacking.ffmpeg())?)
            }
            None if self.connection.free_buffers() >= SPARE_BUFFERS => {
                lend(libav, buffer, packet)?;
            }
            None => new_packet(libav, packet, bytes)?.copy_from_slice(buffer.bytes()),
        }
        Ok(())
    }

    /// Collects audio into a packet of about 20 ms, and returns how many samples it has.
    ///
    /// Programs keep a few packets between a device and what follows it. With those of the mesh, of
    /// 1 ms, they could not take the audio that belongs to one frame of video, and a source that
    /// sends both in turn would have to wait.
    fn fill_audio(
        &mut self,
        context: Context,
        first: Frame,
        packet: &mut AVPacket,
        sample: usize,
    ) -> Result<usize, Error> {
        let rate = i128::from(self.unit.ticks);
        let wanted = (self.unit.ticks / AUDIO_SECOND_PARTS) as usize * sample;
        let mut data = first.buffer.bytes().to_vec();
        // Given back before anything is waited for.
        drop(first.buffer);
        while data.len() < wanted {
            // An end or a failure comes again with the next call; what is there goes out first.
            let Ok(Some(buffer)) = self.connection.get(LOOK_MS) else { break };
            let Some(frame) = self.taken(context, buffer)? else { continue };
            let expected = first.tai + (data.len() / sample) as i128 * SECOND / rate;
            let apart = (frame.tai - expected).abs() > SECOND / i128::from(AUDIO_SECOND_PARTS);
            if frame.missed > 0 || apart || frame.incomplete != first.incomplete {
                self.carried = Some(frame);
                break;
            }
            data.extend_from_slice(frame.buffer.bytes());
        }
        new_packet(context.libav(), packet, data.len())?.copy_from_slice(&data);
        Ok(data.len() / sample)
    }
}

/// Memory of FFmpeg for a packet.
fn new_packet<'a>(
    libav: &Libav,
    packet: &'a mut AVPacket,
    size: usize,
) -> Result<&'a mut [u8], Error> {
    let call = "av_new_packet";
    let too_large = Error::Libav { call, code: -libc::ENOMEM };
    let bytes = c_int::try_from(size).map_err(|_| too_large)?;
    // SAFETY: a blank packet of FFmpeg.
    let code = unsafe { (libav.call.av_new_packet)(packet, bytes) };
    if code < 0 {
        return Err(Error::Libav { call, code });
    }
    // SAFETY: FFmpeg has allocated this many bytes, which are not shared yet.
    unsafe { packet.data.write_bytes(0, size) };
    // SAFETY: the same; they have just been written.
    Ok(unsafe { std::slice::from_raw_parts_mut(packet.data, size) })
}

/// Lends the shared frame itself. It is read-only, so that a filter that wants to write makes a
/// copy first.
fn lend(libav: &Libav, buffer: Buffer, packet: &mut AVPacket) -> Result<(), Error> {
    let (payload, len) = (buffer.payload(), buffer.len());
    let too_large = Error::Libav { call: "av_buffer_create", code: -libc::ENOMEM };
    let size = c_int::try_from(len).map_err(|_| too_large)?;
    let lease = Box::into_raw(Box::new(buffer)).cast::<c_void>();
    // SAFETY: the payload stays where it is until the lease ends; behind every payload are bytes
    // that may be read.
    let made = unsafe {
        (libav.call.av_buffer_create)(payload, len + PADDING, Some(end_lease), lease, READ_ONLY)
    };
    if made.is_null() {
        // SAFETY: FFmpeg did not take the box.
        drop(unsafe { Box::from_raw(lease.cast::<Buffer>()) });
        return Err(Error::Libav { call: "av_buffer_create", code: -libc::ENOMEM });
    }
    packet.buf = made;
    packet.data = payload;
    packet.size = size;
    Ok(())
}
