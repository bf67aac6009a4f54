//! The version of the API that the header describes, and that of the library.
use std::ffi::{CStr, c_char};

// `MESH_VERSION` itself stands in `cbindgen.toml`; CMake reads it from the header.
const API: &CStr = c"25.09";

/// Year of `MESH_VERSION`.
pub const MESH_VERSION_MAJOR: u32 = 25;
/// Month of `MESH_VERSION`.
pub const MESH_VERSION_MINOR: u32 = 9;
/// Hotfix number of `MESH_VERSION`.
pub const MESH_VERSION_HOTFIX: u32 = 0;

/// Version of the API that the library has: `MESH_VERSION` of the header that belongs to it.
///
/// @return a static text such as "25.09", never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mesh_get_api_version() -> *const c_char {
    API.as_ptr()
}

/// Version of the library itself, as a package has it.
///
/// @return a static text such as "0.1.0", never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mesh_get_library_version() -> *const c_char {
    const PACKAGE: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(text) => text,
            Err(_) => c"",
        };
    PACKAGE.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_same_version() {
        let header = include_str!("../../include/mesh_dp.h");
        let text = API.to_str().unwrap();
        assert_eq!(text, format!("{MESH_VERSION_MAJOR}.{MESH_VERSION_MINOR:02}"));
        assert!(header.contains(&format!("#define MESH_VERSION \"{text}\"")));
    }
}
