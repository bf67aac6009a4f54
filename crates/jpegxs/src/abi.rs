//! The library's interface in memory: what its public headers of the versions 0.9 and 0.10 declare,
//! as far as it is used.
//!
//! Both versions agree in all members named here. Later ones have more at the end of the codecs'
//! structures, for which there is room: the library may write its defaults there.

use std::ffi::{c_int, c_void};

/// Version that is asked for. Later libraries serve it.
pub(crate) const VERSION: (u64, u64) = (0, 9);
/// Most components of a picture.
pub(crate) const MAX_COMPONENTS: usize = 4;
/// All instruction sets.
pub(crate) const CPU_FLAGS_ALL: u64 = (1 << 16) - 1;
/// Only errors are printed.
pub(crate) const VERBOSE_ERRORS: u32 = 1;

/// `ColourFormat_t`.
pub(crate) const PLANAR_420: c_int = 2;
pub(crate) const PLANAR_422: c_int = 3;
pub(crate) const PLANAR_444: c_int = 4;

/// Room for members of later versions.
const RESERVE: usize = 256;

type Callback = Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>;

/// `svt_jpeg_xs_encoder_api_t`.
#[repr(C)]
pub(crate) struct EncoderApi {
    pub(crate) source_width: u32,
    pub(crate) source_height: u32,
    pub(crate) input_bit_depth: u8,
    pub(crate) colour_format: c_int,
    pub(crate) bpp_numerator: u32,
    pub(crate) bpp_denominator: u32,
    pub(crate) ndecomp_v: u32,
    pub(crate) ndecomp_h: u32,
    pub(crate) quantization: u32,
    pub(crate) slice_height: u32,
    pub(crate) use_cpu_flags: u64,
    pub(crate) threads_num: u32,
    pub(crate) cpu_profile: u8,
    pub(crate) print_bands_info: u32,
    pub(crate) coding_signs_handling: u32,
    pub(crate) coding_significance: u32,
    pub(crate) rate_control_mode: u32,
    pub(crate) coding_vertical_prediction_mode: u32,
    pub(crate) verbose: u32,
    pub(crate) callback_send: Callback,
    pub(crate) callback_send_context: *mut c_void,
    pub(crate) callback_get: Callback,
    pub(crate) callback_get_context: *mut c_void,
    pub(crate) slice_packetization_mode: u8,
    pub(crate) private: *mut c_void,
    pub(crate) reserve: [u8; RESERVE],
}

/// `svt_jpeg_xs_decoder_api_t`.
#[repr(C)]
pub(crate) struct DecoderApi {
    pub(crate) use_cpu_flags: u64,
    pub(crate) verbose: u32,
    pub(crate) threads_num: u32,
    pub(crate) packetization_mode: u8,
    /// Padding in 0.9; 0 asks for the full picture.
    pub(crate) proxy_mode: c_int,
    pub(crate) callback_send: Callback,
    pub(crate) callback_send_context: *mut c_void,
    pub(crate) callback_get: Callback,
    pub(crate) callback_get_context: *mut c_void,
    pub(crate) private: *mut c_void,
    pub(crate) reserve: [u8; RESERVE],
}

/// Of `svt_jpeg_xs_image_config_t`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Component {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) byte_size: u32,
}

/// `svt_jpeg_xs_image_config_t`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct ImageConfig {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bit_depth: u8,
    pub(crate) format: c_int,
    pub(crate) components_num: u8,
    pub(crate) components: [Component; MAX_COMPONENTS],
}

/// `svt_jpeg_xs_image_buffer_t`. Strides are in samples, sizes in bytes.
#[repr(C)]
pub(crate) struct ImageBuffer {
    pub(crate) data: [*mut c_void; MAX_COMPONENTS],
    pub(crate) stride: [u32; MAX_COMPONENTS],
    pub(crate) alloc_size: [u32; MAX_COMPONENTS],
    pub(crate) release_context: *mut c_void,
    pub(crate) ready_to_release: u8,
}

/// `svt_jpeg_xs_bitstream_buffer_t`.
#[repr(C)]
pub(crate) struct BitstreamBuffer {
    pub(crate) buffer: *mut u8,
    pub(crate) allocation_size: u32,
    pub(crate) used_size: u32,
    pub(crate) release_context: *mut c_void,
    pub(crate) ready_to_release: u8,
    pub(crate) last_packet_in_frame: u8,
}

/// `svt_jpeg_xs_frame_t`.
#[repr(C)]
pub(crate) struct Frame {
    pub(crate) image: ImageBuffer,
    pub(crate) bitstream: BitstreamBuffer,
    pub(crate) user: *mut c_void,
}

macro_rules! zeroed {
    ($($name:ident),*) => { $(
        impl $name {
            /// As C's `= {0}`, padding included.
            pub(crate) fn zeroed() -> Self {
                // SAFETY: numbers, null pointers and absent functions are all zeros.
                unsafe { std::mem::zeroed() }
            }
        }
    )* };
}
zeroed!(EncoderApi, DecoderApi, Frame);

pub(crate) type LoadDefaults = unsafe extern "C" fn(u64, u64, *mut EncoderApi) -> c_int;
pub(crate) type EncoderConfig =
    unsafe extern "C" fn(u64, u64, *mut EncoderApi, *mut ImageConfig, *mut u32) -> c_int;
pub(crate) type EncoderInit = unsafe extern "C" fn(u64, u64, *mut EncoderApi) -> c_int;
pub(crate) type EncoderFrame = unsafe extern "C" fn(*mut EncoderApi, *mut Frame, u8) -> c_int;
pub(crate) type EncoderClose = unsafe extern "C" fn(*mut EncoderApi);
pub(crate) type DecoderInit =
    unsafe extern "C" fn(u64, u64, *mut DecoderApi, *const u8, usize, *mut ImageConfig) -> c_int;
pub(crate) type DecoderFrame = unsafe extern "C" fn(*mut DecoderApi, *mut Frame, u8) -> c_int;
pub(crate) type DecoderClose = unsafe extern "C" fn(*mut DecoderApi);
