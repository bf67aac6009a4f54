//! The muxers (sending devices).

mod backlog;
mod open;
mod sender;

use backlog::Backlog;
use sender::Sender;

use crate::context::Context;
use crate::devices::{DEVICES, Essence};
use crate::error::{self, Error};
use crate::layout::{AVPacket, NO_FILE, OutputFormat};
use crate::libav::Libav;
use crate::options::{self, Direction, Private};
use crate::settings::Settings;
use crate::{boundary, interrupt};
use std::ffi::{c_int, c_void};

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
        // Before the mesh is spoken to, so that no signal goes unheard that comes while it is
        // waited for.
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
        // SAFETY: the header was written, so that the state is our box, used by one thread at a
        // time; the packet lives.
        let (muxer, packet) =
            unsafe { (&mut *(*context.private()).state.cast::<Muxer>(), &*packet) };
        muxer.write(context, packet)
    })
}

unsafe extern "C" fn write_trailer(context: *mut c_void) -> c_int {
    // SAFETY: FFmpeg calls it with the context of an output of ours.
    let Some(context) = (unsafe { Context::new(context) }) else { return 0 };
    boundary::call("write_trailer", context, || {
        // SAFETY: the plugin's box, which is not used any more.
        let mut muxer = unsafe {
            let state = std::mem::replace(&mut (*context.private()).state, std::ptr::null_mut());
            if state.is_null() {
                return Ok(());
            }
            Box::from_raw(state.cast::<Muxer>())
        };
        muxer.finish(context)
    })
}

#[derive(Debug)]
struct Muxer {
    /// `None` while there is a backlog, or when that has failed.
    sender: Option<Sender>,
    /// Of audio always; of video until the receivers are there and have got what was held back for
    /// them.
    backlog: Option<Backlog>,
}

impl Muxer {
    fn new(settings: &Settings, sender: Sender) -> Result<Self, Error> {
        let wanted = u32::try_from(settings.wait_receivers).unwrap_or(0);
        Ok(if wanted > 0 || sender.frame().is_none() {
            Self { sender: None, backlog: Some(Backlog::new(wanted, settings, sender)?) }
        } else {
            Self { sender: Some(sender), backlog: None }
        })
    }

    fn write(&mut self, context: Context, packet: &AVPacket) -> Result<(), Error> {
        if let Some(backlog) = &mut self.backlog {
            if backlog.takes(context, packet)? {
                return Ok(());
            }
            self.take_over()?;
        }
        match &mut self.sender {
            Some(sender) => sender.send(packet, &|| context.wants_to_end()),
            None => Err(Error::Exit),
        }
    }

    /// Sends all that is left.
    fn finish(&mut self, context: Context) -> Result<(), Error> {
        if let Some(backlog) = &mut self.backlog {
            backlog.is_done(context)?;
            self.take_over()?;
        }
        match &mut self.sender {
            Some(sender) => sender.send_rest(&|| context.wants_to_end()),
            None => Ok(()),
        }
    }

    /// From now on, packets are sent as they come.
    fn take_over(&mut self) -> Result<(), Error> {
        let Some(backlog) = self.backlog.take() else { return Ok(()) };
        self.sender = Some(backlog.end()?);
        Ok(())
    }
}
