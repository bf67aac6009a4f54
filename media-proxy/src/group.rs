//! Group names and ids of the operating system.

use std::ffi::CString;

/// The number of a group; `None` if there is no such group.
pub(crate) fn group_id(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| look_up(text))
}

fn look_up(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    let mut text = vec![0_u8; 1024];
    loop {
        let mut group = std::mem::MaybeUninit::<libc::group>::uninit();
        let mut found = std::ptr::null_mut();
        // SAFETY: a C string; the structure, the buffer with its length and the result are local.
        let code = unsafe {
            libc::getgrnam_r(
                name.as_ptr(),
                group.as_mut_ptr(),
                text.as_mut_ptr().cast(),
                text.len(),
                &raw mut found,
            )
        };
        match code {
            // A group of many members needs more room.
            libc::ERANGE if text.len() < 1 << 20 => text.resize(text.len() * 4, 0),
            0 if !found.is_null() => {
                // SAFETY: `found` is not null, so the structure was filled.
                return Some(unsafe { group.assume_init() }.gr_gid);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_and_by_number() {
        assert_eq!(group_id("root"), Some(0));
        assert_eq!(group_id("12345"), Some(12345));
        assert_eq!(group_id("no such group"), None);
    }
}
