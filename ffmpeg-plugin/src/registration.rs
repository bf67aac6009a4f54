//! The one function that is interposed: libavdevice calls it with its lists, and ours are appended.

use crate::layout::{InputFormat, OutputFormat};
use crate::libav::{Functions, Libav};
use crate::{check, demuxer, muxer, symbols};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::catch_unwind;

/// What `avpriv_register_devices` is.
type Register = unsafe extern "C" fn(*const *const c_void, *const *const c_void);

/// The part of glibc's `struct link_map` that is public.
#[repr(C)]
struct LinkMap {
    addr: usize,
    name: *const c_char,
}

const RTLD_DL_LINKMAP: c_int = 2;

unsafe extern "C" {
    fn dladdr1(
        addr: *const c_void,
        info: *mut libc::Dl_info,
        extra: *mut *mut c_void,
        flags: c_int,
    ) -> c_int;
}

/// Registers the devices of libavdevice, and those of the mesh.
///
/// # Safety
/// Called by libavdevice with its two static lists, each ended by null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn avpriv_register_devices(
    outputs: *const *const c_void,
    inputs: *const *const c_void,
) {
    let library = match library_of(outputs.cast()) {
        Ok(library) => library,
        Err(reason) => return complain(&reason),
    };
    // SAFETY: the handle is never closed.
    let register = unsafe { symbols::look_up(library, c"avpriv_register_devices") };
    let Some(register) = register else {
        return complain("libavformat has no avpriv_register_devices");
    };
    // SAFETY: the function of this name has this type in all versions that have it. It was looked up in libavdevice's own
    // dependencies, so it is not this one.
    let register = unsafe { std::mem::transmute::<*mut c_void, Register>(register) };
    let ours = catch_unwind(|| devices(library)).unwrap_or_else(|_| Err("panic".to_owned()));
    match ours {
        Ok((more_outputs, more_inputs)) => {
            // SAFETY: both lists are ended by null, by this function's contract, and live for ever.
            let lists = unsafe { (extended(outputs, more_outputs), extended(inputs, more_inputs)) };
            // SAFETY: lists of formats that live for ever, ended by null.
            unsafe { register(lists.0, lists.1) };
        }
        Err(reason) => {
            complain(&reason);
            // SAFETY: the call as libavdevice made it.
            unsafe { register(outputs, inputs) };
        }
    }
}

fn complain(reason: &str) {
    eprintln!("mcm: no mesh devices in this FFmpeg: {reason}");
}

/// A handle for the library that contains an address. Names looked up in it are found in it and in its dependencies.
fn library_of(address: *const c_void) -> Result<*mut c_void, String> {
    let mut info = std::mem::MaybeUninit::uninit();
    let mut map = std::ptr::null_mut();
    // SAFETY: both outputs are ours. With this flag the second one is a link map, which lives as long as the library.
    let name = unsafe {
        if dladdr1(address, info.as_mut_ptr(), &raw mut map, RTLD_DL_LINKMAP) == 0 || map.is_null()
        {
            return Err("the caller is no shared library".into());
        }
        CStr::from_ptr((*map.cast::<LinkMap>()).name)
    };
    // SAFETY: a C string. The library is loaded, so that nothing of it is run.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if handle.is_null() || name.is_empty() {
        return Err(format!("FFmpeg is part of the program ({})", name.to_string_lossy()));
    }
    Ok(handle)
}

/// The devices, once everything has been found to be as expected.
fn devices(
    library: *mut c_void,
) -> Result<(&'static [OutputFormat], &'static [InputFormat]), String> {
    let missing = |name: &str| format!("FFmpeg has no {name}");
    // SAFETY: no arguments.
    let version = unsafe { symbols::look_up(library, c"avformat_version") }
        .map(|address| {
            // SAFETY: the function of this name has this type.
            unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> u32>(address)() }
        })
        .ok_or_else(|| missing("avformat_version"))?;
    // SAFETY: the handle is never closed, and the types are those of FFmpeg's headers.
    let call = unsafe { Functions::load(library) }.map_err(missing)?;
    // SAFETY: the handle is never closed.
    let log = unsafe { symbols::look_up(library, c"av_log") }.ok_or_else(|| missing("av_log"))?;
    let (layout, codecs) = check::verified(&call, version >> 16)?;
    // SAFETY: the function of this name has this type.
    let log = unsafe {
        std::mem::transmute::<
            *mut c_void,
            unsafe extern "C" fn(*mut c_void, c_int, *const c_char, ...),
        >(log)
    };
    let libav = Libav { call, log, layout, codecs }.install()?;
    Ok((muxer::formats(libav), demuxer::formats(libav)))
}

/// A copy of a list with more entries. It is never freed, as FFmpeg keeps it.
///
/// # Safety
/// The list is ended by null.
unsafe fn extended<T>(list: *const *const c_void, more: &'static [T]) -> *const *const c_void {
    let mut all = Vec::new();
    let mut at = list;
    // SAFETY: the end of the list has not been reached, by the caller's contract.
    while let Some(entry) = unsafe { at.as_ref() }.filter(|entry| !entry.is_null()) {
        all.push(*entry);
        // SAFETY: the entry was not the last one.
        at = unsafe { at.add(1) };
    }
    all.extend(more.iter().map(|format| std::ptr::from_ref(format).cast::<c_void>()));
    all.push(std::ptr::null());
    all.leak().as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_extended_before_their_end() {
        static MORE: [u8; 2] = [0; 2];
        let first = (&raw const MORE).cast::<c_void>();
        let list = [first, std::ptr::null()];
        // SAFETY: both lists are ended by null.
        let entries = unsafe {
            let extended = extended(list.as_ptr(), &MORE);
            [0, 1, 2, 3].map(|index| *extended.add(index))
        };
        let more = MORE.each_ref().map(|entry| std::ptr::from_ref(entry).cast::<c_void>());
        assert_eq!(entries, [first, more[0], more[1], std::ptr::null()]);
    }

    #[test]
    fn a_list_outside_of_shared_libraries_has_no_library() {
        let here = 0;
        assert!(library_of((&raw const here).cast()).is_err());
    }
}
