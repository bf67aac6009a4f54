//! Finding the library and its functions.

use std::ffi::{CStr, CString, c_void};
use std::mem::transmute_copy;
use std::path::Path;
use std::sync::OnceLock;

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
    /// The library that the dynamic linker finds as `libSvtJpegxs.so.0`. Found once, it is not looked for again.
    ///
    /// # Errors
    /// If there is none, saying what to install, or it lacks a function.
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
        let handle = open(file)?;
        macro_rules! function {
            ($name:literal) => {{
                let address = symbol(handle, $name, file)?;
                // SAFETY: the address of the function of this name, which the library's headers declare with this type; a
                // function pointer is as large as an address.
                unsafe { transmute_copy(&address) }
            }};
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

fn open(file: &Path) -> Result<*mut c_void, JpegXsCodecError> {
    let load = |reason: String| JpegXsCodecError::Load { reason };
    let name = CString::new(file.as_os_str().as_encoded_bytes())
        .map_err(|_| load(format!("{} has a zero in its name", file.display())))?;
    // SAFETY: a terminated name. What the library's constructors do is trusted, as with any library that is linked.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if !handle.is_null() {
        return Ok(handle);
    }
    // SAFETY: called by the thread whose dlopen has just failed.
    let reason = unsafe { libc::dlerror() };
    if reason.is_null() {
        return Err(load(format!("{} cannot be opened", file.display())));
    }
    // SAFETY: a terminated string, valid until this thread's next call of the dynamic linker.
    Err(load(unsafe { CStr::from_ptr(reason) }.to_string_lossy().into_owned()))
}

fn symbol(
    handle: *mut c_void,
    name: &'static CStr,
    file: &Path,
) -> Result<*mut c_void, JpegXsCodecError> {
    // SAFETY: a handle that dlopen returned, and a terminated name.
    let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
    if address.is_null() {
        let (library, name) = (file.display().to_string(), name.to_string_lossy().into_owned());
        return Err(JpegXsCodecError::Function { library, name });
    }
    Ok(address)
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
