//! Registers the devices with FFmpeg: by an interposed function if this library was preloaded, or
//! by an explicit call.

use crate::layout::{InputFormat, OutputFormat};
use crate::libav::{Functions, Libav};
use crate::{check, demuxer, libraries, muxer, symbols};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};

/// Type of `avpriv_register_devices`.
type Register = unsafe extern "C" fn(*const *const c_void, *const *const c_void);

/// Type of `av_input_video_device_next` and its siblings: returns the device behind another one, or
/// the first one.
type Next = unsafe extern "C" fn(*const c_void) -> *const c_void;

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
    let found = library_of(outputs.cast()).and_then(|library| Ok((library, register_of(library)?)));
    let (library, register) = match found {
        Ok(found) => found,
        Err(reason) => return complain(&reason),
    };
    let ours = catch_unwind(|| devices(library)).unwrap_or_else(|_| Err("panic".to_owned()));
    match ours {
        // SAFETY: both lists are ended by null, by this function's contract; the devices are those
        // of this FFmpeg.
        Ok(ours) => unsafe {
            register(extended(outputs, ours.outputs), extended(inputs, ours.inputs))
        },
        Err(reason) => {
            complain(&reason);
            // SAFETY: the call as libavdevice made it.
            unsafe { register(outputs, inputs) };
        }
    }
}

/// Registers the devices with the FFmpeg that the process has loaded, as `mcm_avdevice.h` says.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn mcm_avdevice_register() -> c_int {
    match catch_unwind(register_explicitly).unwrap_or_else(|_| Err("panic".to_owned())) {
        Ok(()) => 0,
        Err(reason) => {
            complain(&reason);
            -1
        }
    }
}

fn register_explicitly() -> Result<(), String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

    let library = libraries::ffmpeg()?;
    let register = register_of(library)?;
    let ours = devices(library)?;
    // SAFETY: the name is a C string.
    let found = unsafe { (ours.libav.call.av_find_input_format)(c"mcm".as_ptr()) };
    if ours.inputs.iter().any(|input| std::ptr::eq(std::ptr::from_ref(input).cast(), found)) {
        return Ok(());
    }
    // libavdevice keeps its lists to itself, but lets one go through them.
    let mut outputs =
        stock(library, [c"av_output_audio_device_next", c"av_output_video_device_next"]);
    let mut inputs = stock(library, [c"av_input_audio_device_next", c"av_input_video_device_next"]);
    outputs.push(std::ptr::null());
    inputs.push(std::ptr::null());
    // SAFETY: the lists are ended by null, and what is registered are copies that live for ever.
    unsafe {
        register(extended(outputs.as_ptr(), ours.outputs), extended(inputs.as_ptr(), ours.inputs));
    }
    Ok(())
}

/// FFmpeg's own devices, each once; none if there is no libavdevice.
fn stock(library: *mut c_void, iterators: [&CStr; 2]) -> Vec<*const c_void> {
    let mut devices = Vec::new();
    for name in iterators {
        // SAFETY: the handle is never closed.
        let Some(next) = (unsafe { symbols::look_up(library, name) }) else { continue };
        // SAFETY: the functions of these names have this type.
        let next = unsafe { std::mem::transmute::<*mut c_void, Next>(next) };
        let mut device = std::ptr::null();
        loop {
            // SAFETY: null, or what the call before has returned.
            device = unsafe { next(device) };
            if device.is_null() {
                break;
            }
            // Some are both audio and video.
            if !devices.contains(&device) {
                devices.push(device);
            }
        }
    }
    devices
}

/// The real `avpriv_register_devices`.
fn register_of(library: *mut c_void) -> Result<Register, String> {
    // SAFETY: the handle is never closed.
    let register = unsafe { symbols::look_up(library, c"avpriv_register_devices") };
    let register = register.ok_or("libavformat has no avpriv_register_devices")?;
    // SAFETY: the function of this name has this type in all versions that have it. It was looked
    // up in FFmpeg's libraries and their dependencies, so it is not ours.
    Ok(unsafe { std::mem::transmute::<*mut c_void, Register>(register) })
}

fn complain(reason: &str) {
    eprintln!("mcm: no mesh devices in this FFmpeg: {reason}");
}

/// A handle for the library that contains an address. Names looked up in it are found in it and in
/// its dependencies.
fn library_of(address: *const c_void) -> Result<*mut c_void, String> {
    let mut info = std::mem::MaybeUninit::uninit();
    let mut map = std::ptr::null_mut();
    // SAFETY: both outputs are ours. With this flag the second one is a link map, which lives as
    // long as the library.
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

/// Our devices, as made for an FFmpeg.
#[derive(Clone, Copy)]
struct Devices {
    libav: &'static Libav,
    outputs: &'static [OutputFormat],
    inputs: &'static [InputFormat],
}

/// The devices, once everything has been found to be as expected. They are made once: programs
/// register again and again.
fn devices(library: *mut c_void) -> Result<Devices, String> {
    static MADE: Mutex<Option<(usize, Devices)>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);

    let missing = |name: &str| format!("FFmpeg has no {name}");
    // SAFETY: the handle is never closed.
    let version = unsafe { symbols::look_up(library, c"avformat_version") }
        .ok_or_else(|| missing("avformat_version"))?;
    if let Some((made_for, devices)) = *made
        && made_for == version.addr()
    {
        return Ok(devices);
    }
    let made_for = version.addr();
    // SAFETY: the function of this name has this type, and takes no arguments.
    let version =
        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> u32>(version)() };
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
    let devices =
        Devices { libav, outputs: muxer::formats(libav), inputs: demuxer::formats(libav) };
    *made = Some((made_for, devices));
    Ok(devices)
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
