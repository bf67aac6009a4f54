//! Loads SVT-JPEG-XS and looks its functions up.

use std::error::Error;
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::OnceLock;

use libloading::os::unix::{self, RTLD_LOCAL, RTLD_NOW};

use crate::JpegXsCodecError;
use crate::abi;

/// The name that the dynamic linker looks for.
const NAME: &str = "libSvtJpegxs.so.0";

/// SVT-JPEG-XS. Once loaded it stays: its threads may outlive every codec.
#[derive(Clone, Copy)]
pub struct Library {
    pub(crate) load_defaults: abi::LoadDefaults,
    pub(crate) encoder_config: abi::EncoderConfig,
    pub(crate) encoder_init: abi::EncoderInit,
    pub(crate) send_picture: abi::EncoderFrame,
    pub(crate) get_packet: abi::EncoderFrame,
    pub(crate) encoder_close: abi::EncoderClose,
    pub(crate) decoder_init: abi::DecoderInit,
    pub(crate) send_frame: abi::DecoderFrame,
    pub(crate) get_frame: abi::DecoderFrame,
    pub(crate) decoder_close: abi::DecoderClose,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SVT-JPEG-XS")
    }
}

impl Library {
    /// The library that the dynamic linker finds as `libSvtJpegxs.so.0`. Found once, it is not
    /// looked for again.
    ///
    /// # Errors
    /// There is none (the error says what to install), or it lacks a function.
    pub fn load() -> Result<Self, JpegXsCodecError> {
        static FOUND: OnceLock<Library> = OnceLock::new();
        if let Some(library) = FOUND.get() {
            return Ok(*library);
        }
        let library = Self::open(Path::new(NAME))?;
        Ok(*FOUND.get_or_init(|| library))
    }

    /// The library in a file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn open(file: &Path) -> Result<Self, JpegXsCodecError> {
        // The dynamic linker's own words are the source of the error.
        let load = |error: libloading::Error| JpegXsCodecError::Load {
            reason: match error.source() {
                Some(source) => source.to_string(),
                None => error.to_string(),
            },
        };
        // SAFETY: what the library's constructors do is trusted, as with any library that is
        // linked.
        let library = unsafe { unix::Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) };
        let library = ManuallyDrop::new(libloading::Library::from(library.map_err(load)?));
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the library's headers declare the function of this name with the field's
                // type.
                unsafe { function(&library, $name, file) }?
            };
        }
        Ok(Self {
            load_defaults: function!(c"svt_jpeg_xs_encoder_load_default_parameters"),
            encoder_config: function!(c"svt_jpeg_xs_encoder_get_image_config"),
            encoder_init: function!(c"svt_jpeg_xs_encoder_init"),
            send_picture: function!(c"svt_jpeg_xs_encoder_send_picture"),
            get_packet: function!(c"svt_jpeg_xs_encoder_get_packet"),
            encoder_close: function!(c"svt_jpeg_xs_encoder_close"),
            decoder_init: function!(c"svt_jpeg_xs_decoder_init"),
            send_frame: function!(c"svt_jpeg_xs_decoder_send_frame"),
            get_frame: function!(c"svt_jpeg_xs_decoder_get_frame"),
            decoder_close: function!(c"svt_jpeg_xs_decoder_close"),
        })
    }
}

/// Looks a function up.
///
/// # Safety
/// `F` is the type of the function of this name.
unsafe fn function<F: Copy>(
    library: &libloading::Library,
    name: &'static CStr,
    file: &Path,
) -> Result<F, JpegXsCodecError> {
    // SAFETY: by this function's contract.
    match unsafe { library.get::<F>(name) } {
        Ok(symbol) => Ok(*symbol),
        Err(_) => Err(JpegXsCodecError::Function {
            library: file.display().to_string(),
            name: name.to_string_lossy().into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_says_what_to_install() {
        let error = Library::open(Path::new("libSvtJpegxs-not-here.so")).unwrap_err().to_string();
        assert!(error.contains("libSvtJpegxs-not-here.so"), "{error}");
        assert!(error.contains("github.com/OpenVisualCloud/SVT-JPEG-XS"), "{error}");
    }

    #[test]
    fn another_library_is_not_taken_for_it() {
        let error = Library::open(Path::new("libc.so.6")).unwrap_err();
        let name = "svt_jpeg_xs_encoder_load_default_parameters".to_owned();
        assert_eq!(error, JpegXsCodecError::Function { library: "libc.so.6".to_owned(), name });
    }
}
