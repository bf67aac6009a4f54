//! Finds FFmpeg's libraries among those that the process has loaded.

use crate::symbols::look_up;
use std::ffi::{CStr, CString, c_int, c_void};

/// A handle for the one libavdevice of the process, or for its one libavformat if it has no
/// libavdevice, or for a program that FFmpeg is part of.
///
/// Names looked up in it are found in it and in its dependencies, so that libavformat is the one
/// that this libavdevice was linked to. The library stays loaded from then on.
pub(crate) fn ffmpeg() -> Result<*mut c_void, String> {
    let loaded = loaded();
    let of = |name| loaded.iter().filter(|path| is(path, name)).collect::<Vec<_>>();
    let devices = of("libavdevice");
    let candidates = if devices.is_empty() { of("libavformat") } else { devices };
    let path = match candidates[..] {
        [path] => path,
        [] => return program(),
        [first, second, ..] => {
            return Err(format!(
                "the process has loaded more than one FFmpeg: {} and {}",
                first.to_string_lossy(),
                second.to_string_lossy()
            ));
        }
    };
    // SAFETY: a C string. The library is loaded, so that nothing of it is run.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return Err(format!("{} is not loaded any more", path.to_string_lossy()));
    }
    Ok(handle)
}

/// A handle for the program and all that it was linked to, if FFmpeg is part of it and may be
/// called from outside.
fn program() -> Result<*mut c_void, String> {
    let missing = "the process has not loaded FFmpeg's shared libraries, and the program exports no FFmpeg of its own";
    // SAFETY: null stands for the program.
    let handle = unsafe { libc::dlopen(std::ptr::null(), libc::RTLD_NOW) };
    // SAFETY: the handle is never closed.
    let found = unsafe { look_up(handle, c"avpriv_register_devices") };
    // If this library was linked in, its own function of this name may be found. (That function's
    // address would not tell: here, too, its name may resolve to that of the program.)
    let ours = home(program as *const () as *const c_void);
    let found = found.filter(|found| home(*found) != ours);
    found.map(|_| handle).ok_or_else(|| missing.to_owned())
}

/// Start of the library or program that an address belongs to.
fn home(address: *const c_void) -> Option<usize> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: an output of ours, which is filled if the call succeeds.
    unsafe {
        let found = libc::dladdr(address, info.as_mut_ptr()) != 0;
        found.then(|| info.assume_init().dli_fbase.addr())
    }
}

/// The paths of all libraries of the process.
fn loaded() -> Vec<CString> {
    let mut paths: Vec<CString> = Vec::new();
    // SAFETY: the callback gets the vector, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(remember), (&raw mut paths).cast()) };
    paths
}

unsafe extern "C" fn remember(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    paths: *mut c_void,
) -> c_int {
    // SAFETY: glibc passes a structure that is valid during the call, with null or a C string as
    // its name; `paths` is the pointer that `loaded` passed, and nothing else uses it meanwhile.
    unsafe {
        let name = (*info).dlpi_name;
        if !name.is_null() {
            (*paths.cast::<Vec<CString>>()).push(CStr::from_ptr(name).to_owned());
        }
    }
    0
}

/// Whether a path is that of a library, as `libavdevice.so.61` or, in Python wheels,
/// `libavdevice-d554ec77.so.61.1.100`.
fn is(path: &CStr, name: &str) -> bool {
    let path = path.to_string_lossy();
    let file = path.rsplit('/').next().unwrap_or_default();
    file.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '-']) && rest.contains(".so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_known_by_their_file_names() {
        for path in [c"/usr/lib/libavdevice.so.59", c"/x/libavdevice-d554ec77.so.61.1.100"] {
            assert!(is(path, "libavdevice"), "{path:?}");
        }
        for path in [
            c"",
            c"/usr/lib/libavformat.so.59",
            c"/opt/libavdevice/libx.so",
            c"/x/libavdevice-notes.txt",
            c"/x/libavdevices.so",
        ] {
            assert!(!is(path, "libavdevice"), "{path:?}");
        }
    }

    #[test]
    fn the_libraries_of_this_program_are_seen() {
        assert!(loaded().iter().any(|path| is(path, "libc")));
    }

    #[test]
    fn a_program_without_ffmpeg_is_told_so() {
        let error = ffmpeg().unwrap_err();
        assert!(
            error.starts_with("the process has not loaded FFmpeg's shared libraries"),
            "{error}"
        );
    }
}
