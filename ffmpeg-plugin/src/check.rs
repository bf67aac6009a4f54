//! The self-check: before registration, FFmpeg's own objects must match [`crate::layout`].

use crate::layout::{InputFormat, Layout, OutputFormat, Rational, context};
use crate::libav::{Codecs, Functions};
use std::ffi::{CStr, c_char, c_int, c_void};

/// A stock (de)muxer that every FFmpeg has.
const STOCK: &CStr = c"rawvideo";
/// No stock (de)muxer keeps more than this for an instance.
const LARGEST_PRIVATE: c_int = 1 << 20;
const URL: &CStr = c"mcm self-check";

/// Reads a field of an object of FFmpeg.
///
/// # Safety
/// The object has a `T` at this offset.
pub(crate) unsafe fn field<T: Copy>(object: *const c_void, offset: usize) -> T {
    // SAFETY: the caller's contract.
    unsafe { object.byte_add(offset).cast::<T>().read() }
}

/// The whole layout, verified; or what was found to be otherwise.
pub(crate) fn verified(av: &Functions, major: u32) -> Result<(Layout, Codecs), String> {
    let layout = Layout::of(major)
        .ok_or_else(|| format!("libavformat {major} is not known, 59 to 63 are"))?;
    let codecs = codecs(av)?;
    formats(av, codecs.rawvideo)?;
    let layout = options(av, layout)?;
    let r_frame_rate = objects(av, &layout)?;
    Ok((Layout { r_frame_rate, ..layout }, codecs))
}

fn codecs(av: &Functions) -> Result<Codecs, String> {
    let find = |name: &CStr| {
        av.codec(name).ok_or_else(|| format!("FFmpeg has no codec {}", name.to_string_lossy()))
    };
    Ok(Codecs {
        rawvideo: find(c"rawvideo")?,
        wrapped: find(c"wrapped_avframe")?,
        v210: find(c"v210")?,
        pcm_s8: find(c"pcm_s8")?,
        pcm_s16be: find(c"pcm_s16be")?,
        pcm_s24be: find(c"pcm_s24be")?,
    })
}

fn formats(av: &Functions, rawvideo: c_int) -> Result<(), String> {
    // SAFETY: C strings; what comes back is null or a static structure, whose layout is what is
    // being checked: it is at least as large as the fields that are read in all versions from 59
    // on.
    let (input, output) = unsafe {
        let input = (av.av_find_input_format)(STOCK.as_ptr()).cast::<InputFormat>();
        let none = std::ptr::null();
        let output = (av.av_guess_format)(STOCK.as_ptr(), none, none).cast::<OutputFormat>();
        if input.is_null() || output.is_null() {
            return Err("FFmpeg has no rawvideo format to compare with".into());
        }
        (
            (field::<c_int>(input.cast(), 56), field::<c_int>(input.cast(), 60)),
            (field::<c_int>(output.cast(), 64), field::<usize>(output.cast(), 80)),
        )
    };
    if input.0 != rawvideo || !(1..LARGEST_PRIVATE).contains(&input.1) {
        return Err(format!("the rawvideo demuxer looks strange: {input:?}"));
    }
    if !(0..LARGEST_PRIVATE).contains(&output.0) || output.1 == 0 {
        return Err(format!("the rawvideo muxer looks strange: {output:?}"));
    }
    Ok(())
}

fn options(av: &Functions, layout: Layout) -> Result<Layout, String> {
    // SAFETY: no arguments; the class is static.
    let class = unsafe { (av.avformat_get_class)() };
    let find = |name: &CStr| {
        // SAFETY: a class of FFmpeg.
        unsafe { av.option(class, name) }
            .ok_or_else(|| format!("FFmpeg has no option {}", name.to_string_lossy()))
    };
    let flags = find(c"fflags")?;
    let flags = usize::try_from(flags.offset).map_err(|_| "fflags has no offset".to_owned())?;
    Ok(Layout {
        flags,
        int_option: find(c"formatprobesize")?.kind,
        string_option: find(c"protocol_whitelist")?.kind,
        ..layout
    })
}

/// A context with one stream, freed in any case. Returns where the stream's `r_frame_rate` is, if
/// it was found.
fn objects(av: &Functions, layout: &Layout) -> Result<Option<usize>, String> {
    let mut made = std::ptr::null_mut();
    let none = std::ptr::null();
    // SAFETY: the output variable is ours, the texts are C strings.
    let result = unsafe {
        (av.avformat_alloc_output_context2)(&raw mut made, none, STOCK.as_ptr(), URL.as_ptr())
    };
    if result < 0 || made.is_null() {
        return Err("no context could be made".into());
    }
    let looked = object(av, layout, made);
    // SAFETY: the context is ours, and freed once.
    unsafe { (av.avformat_free_context)(made) };
    looked.map_err(|what| format!("{what} is not where it was expected"))
}

fn object(
    av: &Functions,
    layout: &Layout,
    made: *mut c_void,
) -> Result<Option<usize>, &'static str> {
    // SAFETY: the context lives, and is larger than all these offsets in every known version.
    // Pointers are compared before they are followed, except for `url`, whose bytes are compared
    // only where it is no null pointer: a context made a moment ago has null, a small number or a
    // valid pointer in each of its words.
    unsafe {
        let stream = (av.avformat_new_stream)(made, std::ptr::null());
        if stream.is_null() || field::<u32>(made, context::NB_STREAMS) != 1 {
            return Err("AVFormatContext.nb_streams");
        }
        let streams = field::<*const *mut c_void>(made, context::STREAMS);
        if streams.is_null() || *streams != stream {
            return Err("AVFormatContext.streams");
        }
        let url = field::<*const c_char>(made, layout.url);
        if url.addr() < 4096 || CStr::from_ptr(url) != URL {
            return Err("AVFormatContext.url");
        }
        if field::<[usize; 2]>(made, layout.interrupt_callback) != [0, 0] {
            return Err("AVFormatContext.interrupt_callback");
        }
        // Prime numbers stay as they are.
        (av.avpriv_set_pts_info)(stream, 64, 7, 7919);
        if field::<Rational>(stream, layout.time_base) != (Rational { num: 7, den: 7919 }) {
            return Err("AVStream.time_base");
        }
        let parameters = field::<*const c_void>(stream, layout.codecpar);
        // A fresh one is of unknown type and has no codec.
        if parameters.addr() < 4096 || field::<[c_int; 2]>(parameters, 0) != [-1, 0] {
            return Err("AVStream.codecpar");
        }
        Ok(layout.r_frame_rate.filter(|offset| is_r_frame_rate(av, made, stream, *offset)))
    }
}

/// Whether a frame rate that is written at this offset is the one that FFmpeg then guesses. The
/// previous value is restored.
///
/// # Safety
/// The context and its stream live, and the stream has eight bytes at the offset that FFmpeg does
/// not follow as a pointer while it guesses.
unsafe fn is_r_frame_rate(
    av: &Functions,
    context: *mut c_void,
    stream: *mut c_void,
    offset: usize,
) -> bool {
    const STRANGE: Rational = Rational { num: 7919, den: 7 };
    // SAFETY: the caller's contract; the offset is a multiple of four.
    unsafe {
        let place = stream.byte_add(offset).cast::<Rational>();
        let before = place.read();
        place.write(STRANGE);
        let guessed = (av.av_guess_frame_rate)(context, stream, std::ptr::null_mut());
        place.write(before);
        guessed == STRANGE
    }
}
