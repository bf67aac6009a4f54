//! FFmpeg's functions that the plugin calls, looked up in the running program.

use crate::layout::{AVChannelLayout, AVClass, AVOption, AVPacket, Layout, Rational};
use crate::symbols::functions;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

/// `av_log`, which takes any number of arguments.
type Log = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, ...);
/// The function that frees a buffer's memory.
pub(crate) type Free = unsafe extern "C" fn(*mut c_void, *mut u8);

functions! {
    /// Functions of libavformat, libavcodec and libavutil. All of them have been there, with these
    /// arguments, since FFmpeg 5.1.
    Functions {
        fn avformat_alloc_output_context2(
            *mut *mut c_void, *const c_void, *const c_char, *const c_char,
        ) -> c_int;
        fn avformat_free_context(*mut c_void);
        fn avformat_get_class() -> *const AVClass;
        fn avformat_new_stream(*mut c_void, *const c_void) -> *mut c_void;
        fn avpriv_set_pts_info(*mut c_void, c_int, c_uint, c_uint);
        fn av_find_input_format(*const c_char) -> *const c_void;
        fn av_guess_format(*const c_char, *const c_char, *const c_char) -> *const c_void;
        fn avcodec_descriptor_get_by_name(*const c_char) -> *const c_int;
        fn avcodec_find_decoder(c_int) -> *const c_void;
        fn avcodec_get_name(c_int) -> *const c_char;
        fn avcodec_alloc_context3(*const c_void) -> *mut c_void;
        fn avcodec_free_context(*mut *mut c_void);
        fn avcodec_parameters_from_context(*mut c_void, *const c_void) -> c_int;
        fn avcodec_parameters_to_context(*mut c_void, *const c_void) -> c_int;
        fn av_packet_clone(*const AVPacket) -> *mut AVPacket;
        fn av_packet_free(*mut *mut AVPacket);
        fn av_new_packet(*mut AVPacket, c_int) -> c_int;
        fn av_buffer_create(*mut u8, usize, Option<Free>, *mut c_void, c_int) -> *mut c_void;
        fn av_channel_layout_default(*mut AVChannelLayout, c_int);
        fn av_channel_layout_describe(*const AVChannelLayout, *mut c_char, usize) -> c_int;
        fn av_channel_layout_from_string(*mut AVChannelLayout, *const c_char) -> c_int;
        fn av_channel_layout_uninit(*mut AVChannelLayout);
        fn av_default_item_name(*mut c_void) -> *const c_char;
        fn av_free(*mut c_void);
        fn av_get_pix_fmt(*const c_char) -> c_int;
        fn av_get_pix_fmt_name(c_int) -> *const c_char;
        fn av_guess_frame_rate(*mut c_void, *mut c_void, *mut c_void) -> Rational;
        fn av_image_copy_to_buffer(
            *mut u8, c_int, *const *const u8, *const c_int, c_int, c_int, c_int, c_int,
        ) -> c_int;
        fn av_image_get_buffer_size(c_int, c_int, c_int, c_int) -> c_int;
        fn av_opt_find(*mut c_void, *const c_char, *const c_char, c_int, c_int) -> *const AVOption;
        fn av_opt_get(*mut c_void, *const c_char, c_int, *mut *mut c_char) -> c_int;
        fn av_opt_set(*mut c_void, *const c_char, *const c_char, c_int) -> c_int;
        fn av_parse_video_rate(*mut Rational, *const c_char) -> c_int;
        fn av_parse_video_size(*mut c_int, *mut c_int, *const c_char) -> c_int;
    }
}

/// `AV_OPT_SEARCH_FAKE_OBJ`: the object is only a pointer to a class.
const FAKE_OBJECT: c_int = 2;

/// FFmpeg as it is in this process.
#[derive(Debug)]
pub(crate) struct Libav {
    pub(crate) call: Functions,
    pub(crate) log: Log,
    pub(crate) layout: Layout,
    pub(crate) codecs: Codecs,
}

/// Numbers of codecs, which differ between major versions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codecs {
    pub(crate) rawvideo: c_int,
    pub(crate) wrapped: c_int,
    pub(crate) v210: c_int,
    pub(crate) pcm_s8: c_int,
    pub(crate) pcm_s16be: c_int,
    pub(crate) pcm_s24be: c_int,
}

static LIBAV: OnceLock<Libav> = OnceLock::new();

impl Libav {
    /// Makes it known to the callbacks. A program has one FFmpeg with our devices.
    pub(crate) fn install(self) -> Result<&'static Self, String> {
        let mut own = Some(self);
        let libav = LIBAV.get_or_init(|| own.take().unwrap_or_else(|| unreachable!("one init")));
        match own {
            None => Ok(libav),
            Some(_) => Err("another FFmpeg of this process has the devices already".into()),
        }
    }

    /// The one that the devices were registered with. Callbacks run after registration only.
    pub(crate) fn get() -> Option<&'static Self> {
        LIBAV.get()
    }
}

impl Functions {
    /// The number of a codec.
    pub(crate) fn codec(&self, name: &CStr) -> Option<c_int> {
        // SAFETY: a C string; the result is null or a static structure that begins with the number.
        unsafe { (self.avcodec_descriptor_get_by_name)(name.as_ptr()).as_ref() }.copied()
    }

    /// An option of a class, without an object.
    ///
    /// # Safety
    /// `class` is a class that FFmpeg made.
    pub(crate) unsafe fn option(
        &self,
        class: *const AVClass,
        name: &CStr,
    ) -> Option<&'static AVOption> {
        let mut object = class;
        let object = (&raw mut object).cast::<c_void>();
        // SAFETY: the object is a pointer to a class, as the flag says; options are static.
        unsafe {
            (self.av_opt_find)(object, name.as_ptr(), std::ptr::null(), 0, FAKE_OBJECT).as_ref()
        }
    }

    /// An option's value as text.
    ///
    /// # Safety
    /// `object` is an object of FFmpeg whose first field is its class.
    pub(crate) unsafe fn get(&self, object: *mut c_void, name: &CStr) -> Option<String> {
        let mut text = std::ptr::null_mut();
        // SAFETY: the caller's contract.
        let result = unsafe { (self.av_opt_get)(object, name.as_ptr(), 0, &raw mut text) };
        if result < 0 || text.is_null() {
            return None;
        }
        // SAFETY: FFmpeg made a C string for us, which is freed once and not used after.
        unsafe {
            let value = CStr::from_ptr(text).to_string_lossy().into_owned();
            (self.av_free)(text.cast());
            Some(value)
        }
    }

    /// The number of a pixel format, if FFmpeg has it.
    pub(crate) fn pixel_format(&self, name: &str) -> Option<c_int> {
        let name = CString::new(name).ok()?;
        // SAFETY: a C string.
        let number = unsafe { (self.av_get_pix_fmt)(name.as_ptr()) };
        (number >= 0).then_some(number)
    }

    /// The name of a pixel format.
    pub(crate) fn pixel_format_name(&self, number: c_int) -> String {
        // SAFETY: any number; the result is null or a static C string.
        let name = unsafe { (self.av_get_pix_fmt_name)(number).as_ref() };
        // SAFETY: the same.
        name.map_or_else(
            || format!("unknown ({number})"),
            |name| unsafe { CStr::from_ptr(name).to_string_lossy().into_owned() },
        )
    }

    /// The name of a codec.
    pub(crate) fn codec_name(&self, number: c_int) -> String {
        // SAFETY: any number; the result is always a static C string.
        unsafe { CStr::from_ptr((self.avcodec_get_name)(number)) }.to_string_lossy().into_owned()
    }

    /// FFmpeg's name for so many channels in their usual order.
    pub(crate) fn channel_layout(&self, channels: c_int) -> Option<CString> {
        let mut layout = AVChannelLayout::default();
        let mut text = [0_u8; 128];
        // SAFETY: the layout is zeroed and larger than FFmpeg's; the text has so many bytes and
        // stays terminated.
        let result = unsafe {
            (self.av_channel_layout_default)(&raw mut layout, channels);
            let result = (self.av_channel_layout_describe)(
                &raw const layout,
                text.as_mut_ptr().cast(),
                text.len(),
            );
            (self.av_channel_layout_uninit)(&raw mut layout);
            result
        };
        if result < 0 {
            return None;
        }
        CStr::from_bytes_until_nul(&text).ok().map(CStr::to_owned)
    }

    /// Number of channels of the layout with this name.
    pub(crate) fn channels(&self, layout: &str) -> Option<c_int> {
        let name = CString::new(layout).ok()?;
        let mut layout = AVChannelLayout::default();
        // SAFETY: the layout is zeroed and larger than FFmpeg's; a C string.
        let result = unsafe {
            let result = (self.av_channel_layout_from_string)(&raw mut layout, name.as_ptr());
            let channels = layout.channels;
            (self.av_channel_layout_uninit)(&raw mut layout);
            if result < 0 { result } else { channels }
        };
        (result > 0).then_some(result)
    }
}
