//! Decoding of codestreams into frames.

use st2110::jpegxs::{JpegXsError, Part, PictureHeader, PictureSegment};

use crate::abi::{self, DecoderApi, Frame, ImageConfig};
use crate::{JpegXsCodecError, Layout, Library};

/// Octets after a codestream that the library may look at.
const SLACK: usize = 64;

/// A decoder for pictures of one kind.
///
/// The library is set up by the first picture. After a picture that it fails on it is set up again
/// by the next one.
#[derive(Debug)]
pub struct Decoder {
    library: Library,
    layout: Layout,
    threads: u32,
    open: Option<Open>,
    codestream: Vec<u8>,
    /// A field's planes.
    field: Vec<u8>,
}

/// A decoder of the library, closed when dropped.
struct Open {
    library: Library,
    /// On the heap: the library keeps its address.
    api: Box<DecoderApi>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("decoder")
    }
}

// SAFETY: the library's handle is not bound to a thread; `&mut self` of all methods lets one thread
// use it at a time.
unsafe impl Send for Decoder {}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: initialised when it was made, and closed once.
        unsafe { (self.library.decoder_close)(&raw mut *self.api) };
    }
}

impl Decoder {
    /// A decoder to frames that lie in memory as `layout`, with so many threads of the library; 0
    /// for the fewest.
    #[must_use]
    pub fn new(library: Library, layout: Layout, threads: u32) -> Self {
        let field = if layout.is_interlaced() { vec![0; layout.picture_size()] } else { vec![] };
        Self { library, layout, threads, open: None, codestream: Vec::new(), field }
    }

    /// Decodes a picture, with or without boxes, into `frame`. `part` counts in interlaced frames
    /// only; the lines of the other field are left as they are.
    ///
    /// # Errors
    /// If `frame` is too small; if the picture is malformed, or not of the size and format agreed;
    /// if the library fails. What is in `frame` then is not specified.
    pub fn decode(
        &mut self,
        picture: &[u8],
        part: Part,
        frame: &mut [u8],
    ) -> Result<(), JpegXsCodecError> {
        let (value, least) = (frame.len(), self.layout.frame_size());
        if value < least {
            return Err(JpegXsCodecError::Buffer { name: "frame", value, least });
        }
        let picture = PictureSegment::parse(picture)?;
        self.check(picture.header())?;
        self.codestream.clear();
        self.codestream.extend_from_slice(picture.codestream());
        let used = self.codestream.len();
        self.codestream.resize(used + SLACK, 0);
        // A decoder that has failed may still hold the buffers: it is closed before they are given
        // back, by being dropped here.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.set_up(used)?,
        };
        let interlaced = self.layout.is_interlaced();
        let to = if interlaced { self.field.as_mut_ptr() } else { frame.as_mut_ptr() };
        let mut input = Frame::zeroed();
        self.layout.describe(to, &mut input);
        input.bitstream.buffer = self.codestream.as_mut_ptr();
        let size = u32::try_from(used).map_err(|_| JpegXsError::Length {
            what: "the codestream",
            value: used as u64,
            allowed: format!("at most {} can be decoded", u32::MAX),
        })?;
        (input.bitstream.allocation_size, input.bitstream.used_size) = (size, size);
        // SAFETY: codestream and picture are borrowed until this function returns, and the library
        // is done with them when the blocking get_frame has returned this picture, there never
        // being another one under way; or when it is closed.
        let code = unsafe { (self.library.send_frame)(&raw mut *open.api, &raw mut input, 1) };
        JpegXsCodecError::check("send_frame", code)?;
        let mut output = Frame::zeroed();
        // SAFETY: as above.
        let code = unsafe { (self.library.get_frame)(&raw mut *open.api, &raw mut output, 1) };
        JpegXsCodecError::check("get_frame", code)?;
        self.open = Some(open);
        if interlaced {
            self.layout.weave(&self.field, part, frame);
        }
        Ok(())
    }

    /// A hostile header shall not even reach the library.
    fn check(&self, header: &PictureHeader) -> Result<(), JpegXsCodecError> {
        let (horizontal, vertical) = header.subsampling;
        let chroma = self.layout.chroma();
        for (what, found, expected) in [
            ("width", header.width.into(), self.layout.width()),
            ("height", header.height.into(), self.layout.height()),
            ("components", header.components.into(), 3),
            ("bits of a sample", header.depth.into(), self.layout.depth().into()),
            ("horizontal subsampling", horizontal.into(), chroma.0),
            ("vertical subsampling", vertical.into(), chroma.1),
        ] {
            if found != expected {
                return Err(JpegXsCodecError::Mismatch { what, found, expected });
            }
        }
        Ok(())
    }

    /// Sets the library up by the codestream that is to be decoded, of `used` octets.
    fn set_up(&self, used: usize) -> Result<Open, JpegXsCodecError> {
        let mut api = Box::new(DecoderApi::zeroed());
        api.use_cpu_flags = abi::CPU_FLAGS_ALL;
        api.verbose = abi::VERBOSE_ERRORS;
        api.threads_num = self.threads;
        let (major, minor) = abi::VERSION;
        let mut config = ImageConfig::default();
        let codestream = self.codestream.as_ptr();
        // SAFETY: structure and configuration are as large as those of any version so far; `used`
        // octets are there; the structure stays where it is until close, in its box.
        let code = unsafe {
            (self.library.decoder_init)(
                major,
                minor,
                &raw mut *api,
                codestream,
                used,
                &raw mut config,
            )
        };
        JpegXsCodecError::check("decoder_init", code)?;
        let open = Open { library: self.library, api };
        let sizes = config.components.map(|component| component.byte_size as usize);
        for (what, found, expected) in [
            ("width", config.width, self.layout.width()),
            ("height", config.height, self.layout.height()),
            ("bits of a sample", config.bit_depth.into(), self.layout.depth().into()),
            ("components", config.components_num.into(), 3),
            ("format", config.format.cast_unsigned(), self.layout.colour_format().cast_unsigned()),
        ] {
            if found != expected {
                return Err(JpegXsCodecError::Mismatch { what, found, expected });
            }
        }
        let least: usize = sizes[..3].iter().sum();
        let value = self.layout.picture_size();
        if least > value {
            return Err(JpegXsCodecError::Buffer { name: "picture", value, least });
        }
        Ok(open)
    }
}
