//! Encoding of frames into codestreams.

use st2110::jpegxs::{CodingQuality, Part};

use crate::abi::{self, EncoderApi, Frame, ImageConfig};
use crate::{JpegXsCodecError, Layout, Library};

/// How pictures are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderOptions {
    /// Size of codestreams: bits for each pixel, in thousandths.
    pub bits_per_pixel_thousandths: u32,
    /// Speed or quality.
    pub quality: CodingQuality,
    /// Threads of the library; 0 for the fewest.
    pub threads: u32,
}

/// An encoder for pictures of one kind.
///
/// After a picture that the library fails on, it is set up again by the next one.
#[derive(Debug)]
pub struct Encoder {
    library: Library,
    layout: Layout,
    options: EncoderOptions,
    open: Option<Open>,
    max_size: usize,
    /// A field's planes.
    field: Vec<u8>,
}

/// An encoder of the library, closed when dropped.
struct Open {
    library: Library,
    /// On the heap: the library keeps its address.
    api: Box<EncoderApi>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("encoder")
    }
}

// SAFETY: the library's handle is not bound to a thread; `&mut self` of all methods lets one thread
// use it at a time.
unsafe impl Send for Encoder {}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: initialised when it was made, and closed once.
        unsafe { (self.library.encoder_close)(&raw mut *self.api) };
    }
}

impl Encoder {
    /// An encoder of frames that lie in memory as `layout`.
    ///
    /// # Errors
    /// If the size in bits is out of range, or the library refuses.
    pub fn new(
        library: Library,
        layout: Layout,
        options: EncoderOptions,
    ) -> Result<Self, JpegXsCodecError> {
        let (open, max_size) = set_up(library, &layout, &options)?;
        let field = if layout.is_interlaced() { vec![0; layout.picture_size()] } else { vec![] };
        Ok(Self { library, layout, options, open: Some(open), max_size, field })
    }

    /// Octets of a codestream at most.
    #[must_use]
    pub const fn max_size(&self) -> usize {
        self.max_size
    }

    /// Encodes a picture of `frame` to the start of `out`. Returns its octets. `part` counts in
    /// interlaced frames only.
    ///
    /// # Errors
    /// If a buffer is too small, or the library fails.
    pub fn encode(
        &mut self,
        frame: &[u8],
        part: Part,
        out: &mut [u8],
    ) -> Result<usize, JpegXsCodecError> {
        let buffers = [
            ("frame", frame.len(), self.layout.frame_size()),
            ("codestream", out.len(), self.max_size),
        ];
        for (name, value, least) in buffers {
            if value < least {
                return Err(JpegXsCodecError::Buffer { name, value, least });
            }
        }
        // An encoder that has failed may still hold the buffers: it is closed before they are given
        // back, by being dropped here.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => set_up(self.library, &self.layout, &self.options)?.0,
        };
        let mut picture = frame.as_ptr();
        if self.layout.is_interlaced() {
            self.layout.split(frame, part, &mut self.field);
            picture = self.field.as_ptr();
        }
        let mut input = Frame::zeroed();
        // The library only reads pictures that it encodes.
        self.layout.describe(picture.cast_mut(), &mut input);
        input.bitstream.buffer = out.as_mut_ptr();
        // The library has given it as 32 bits.
        input.bitstream.allocation_size = self.max_size as u32;
        // SAFETY: picture and output are borrowed until this function returns, and the library is
        // done with them when the blocking get_packet has returned this picture, there never being
        // another one under way; or when it is closed.
        let code = unsafe { (self.library.send_picture)(&raw mut *open.api, &raw mut input, 1) };
        JpegXsCodecError::check("send_picture", code)?;
        let mut output = Frame::zeroed();
        // SAFETY: as above.
        let code = unsafe { (self.library.get_packet)(&raw mut *open.api, &raw mut output, 1) };
        JpegXsCodecError::check("get_packet", code)?;
        let used = output.bitstream.used_size as usize;
        if !std::ptr::eq(output.bitstream.buffer, out.as_ptr()) || used > self.max_size {
            let meaning = "the codestream is not where it was asked for";
            return Err(JpegXsCodecError::Library { call: "get_packet", code: 0, meaning });
        }
        self.open = Some(open);
        Ok(used)
    }
}

/// Sets the library up. Also returns the octets of a codestream at most.
fn set_up(
    library: Library,
    layout: &Layout,
    options: &EncoderOptions,
) -> Result<(Open, usize), JpegXsCodecError> {
    let (major, minor) = abi::VERSION;
    let mut api = Box::new(EncoderApi::zeroed());
    // SAFETY: the structure is as large as that of any version so far, and lives through the call.
    let code = unsafe { (library.load_defaults)(major, minor, &raw mut *api) };
    JpegXsCodecError::check("load_default_parameters", code)?;
    (api.source_width, api.source_height) = (layout.width(), layout.height());
    api.input_bit_depth = layout.depth();
    api.colour_format = layout.colour_format();
    (api.bpp_numerator, api.bpp_denominator) = (options.bits_per_pixel_thousandths, 1000);
    api.threads_num = options.threads;
    api.use_cpu_flags = abi::CPU_FLAGS_ALL;
    api.verbose = abi::VERBOSE_ERRORS;
    if options.quality == CodingQuality::Quality {
        api.coding_signs_handling = 2;
        api.coding_vertical_prediction_mode = 2;
    }
    let mut config = ImageConfig::default();
    let mut size = 0;
    // SAFETY: all three live through the call.
    let code = unsafe {
        (library.encoder_config)(major, minor, &raw mut *api, &raw mut config, &raw mut size)
    };
    JpegXsCodecError::check("get_image_config", code)?;
    // SAFETY: the structure stays where it is until close, in its box.
    let code = unsafe { (library.encoder_init)(major, minor, &raw mut *api) };
    JpegXsCodecError::check("encoder_init", code)?;
    Ok((Open { library, api }, size as usize))
}
