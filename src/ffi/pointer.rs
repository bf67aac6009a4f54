//! Checks of what C programs pass in.
use super::failure::Error;
use std::ffi::{CStr, c_char};

/// The text behind a configuration pointer.
///
/// # Safety
/// `text` is null or points to a text that ends in a zero byte and lives for `'a`.
pub(super) unsafe fn config<'a>(text: *const c_char) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(Error::BadConfig("is null".into()));
    }
    // SAFETY: not null, so by this function's contract it is a text that ends in a zero byte.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|error| {
        Error::BadConfig(format!("is no UTF-8 text from byte {} on", error.valid_up_to()))
    })
}

/// The variable behind an output argument.
///
/// # Safety
/// `out` is null or points to a variable that the caller alone uses during the call.
pub(super) unsafe fn output<'a, T>(out: *mut T, name: &str) -> Result<&'a mut T, Error> {
    // SAFETY: by this function's contract.
    unsafe { out.as_mut() }.ok_or_else(|| Error::BadBuffer(format!("{name} is null")))
}

/// A structure that C programs pass with its size, because it may grow at its end in later versions.
///
/// # Safety
/// Implemented only for `repr(C)` structures of integers without padding, so that every byte may be copied.
pub(super) unsafe trait Growing: Copy {
    /// The name that errors give it.
    const NAME: &'static str;
    /// Its size in the first version that had it.
    const FIRST_SIZE: usize;
}

/// Copies as much of `value` as the caller's structure holds, and zeroes what a newer caller has beyond it.
///
/// # Safety
/// `out` is null or points to `size` writable bytes.
pub(super) unsafe fn fill<T: Growing>(out: *mut T, size: usize, value: &T) -> Result<(), Error> {
    if out.is_null() {
        return Err(Error::BadBuffer(format!("{} is null", T::NAME)));
    }
    if size < T::FIRST_SIZE {
        return Err(Error::BadBuffer(format!(
            "{} has {size} bytes by its size argument, at least {} are needed",
            T::NAME,
            T::FIRST_SIZE
        )));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: `out` has `size` writable bytes by this function's contract, `known` is no more than that and
    // no more than the value has; `Growing` promises that its bytes are all initialised.
    unsafe {
        std::ptr::copy_nonoverlapping(std::ptr::from_ref(value).cast::<u8>(), out.cast(), known);
        out.cast::<u8>().add(known).write_bytes(0, size - known);
    }
    Ok(())
}

/// Writes a text and a zero byte, or nothing if they do not fit.
///
/// # Safety
/// `out` points to `size` writable bytes.
pub(super) unsafe fn write_text(out: *mut c_char, size: usize, text: &str) -> Result<(), Error> {
    if text.len() >= size {
        let needed = text.len() + 1;
        return Err(Error::BadBuffer(format!("config has {size} bytes, {needed} are needed")));
    }
    // SAFETY: the text and its end fit, and nothing of the library's overlaps with the caller's memory.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), out.cast(), text.len());
        out.add(text.len()).write(0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Pair {
        first: u64,
        second: u64,
    }

    // SAFETY: two integers of the same size, no padding.
    unsafe impl Growing for Pair {
        const NAME: &'static str = "pair";
        const FIRST_SIZE: usize = 8;
    }

    const VALUE: Pair = Pair { first: 1, second: 2 };

    #[test]
    fn an_older_caller_gets_its_part_only() {
        let mut out = Pair { first: 7, second: 7 };
        // SAFETY: `out` has 16 bytes.
        unsafe { fill(&raw mut out, 8, &VALUE) }.unwrap();
        assert_eq!((out.first, out.second), (1, 7));
    }

    #[test]
    fn a_newer_caller_gets_zeroes_for_the_rest() {
        let mut out = [7_u64; 3];
        // SAFETY: `out` has 24 bytes.
        unsafe { fill(out.as_mut_ptr().cast::<Pair>(), 24, &VALUE) }.unwrap();
        assert_eq!(out, [1, 2, 0]);
    }

    #[test]
    fn null_and_too_small_are_refused() {
        // SAFETY: null is allowed.
        let error = unsafe { fill(std::ptr::null_mut(), 16, &VALUE) }.unwrap_err();
        assert_eq!(error.to_string(), "buffer pointer: pair is null");
        let mut out = VALUE;
        // SAFETY: `out` has more than 7 bytes.
        let error = unsafe { fill(&raw mut out, 7, &VALUE) }.unwrap_err();
        assert!(error.to_string().contains("7 bytes"), "{error}");
    }

    #[test]
    fn a_text_is_written_whole_or_not_at_all() {
        let mut out = [7 as c_char; 4];
        // SAFETY: `out` has 4 bytes.
        unsafe {
            assert_eq!(write_text(out.as_mut_ptr(), 3, "abc").unwrap_err().code(), 1003);
            assert_eq!(out, [7; 4]);
            write_text(out.as_mut_ptr(), 4, "abc").unwrap();
        }
        assert_eq!(out.map(|c| c as u8), *b"abc\0");
    }

    #[test]
    fn a_configuration_is_text() {
        // SAFETY: null is allowed; the texts end in a zero byte.
        unsafe {
            assert_eq!(config(std::ptr::null()).unwrap_err().code(), 1002);
            assert_eq!(config(c"{}".as_ptr()).unwrap(), "{}");
            let error = config(c"ab\xff".as_ptr()).unwrap_err();
            assert!(error.to_string().contains("byte 2"), "{error}");
        }
    }
}
