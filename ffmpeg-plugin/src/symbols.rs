//! Look-up of functions by name in a shared library.

use std::ffi::{CStr, c_void};

/// The address of a function in a library or in those that it was linked to.
///
/// # Safety
/// `handle` is one of `dlopen()` that was not closed.
pub(crate) unsafe fn look_up(handle: *mut c_void, name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the caller's contract; the name ends in a zero byte.
    let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

/// A structure with one function pointer for each declaration, filled by name.
macro_rules! functions {
    ($(#[$about:meta])* $table:ident { $(fn $name:ident($($type:ty),* $(,)?) $(-> $result:ty)?;)* }) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(crate) struct $table {
            $(pub(crate) $name: unsafe extern "C" fn($($type),*) $(-> $result)?,)*
        }

        impl $table {
            /// Looks all of them up; the error is the name of one that is not there.
            ///
            /// # Safety
            /// `handle` is one of `dlopen()` that is never closed, and the functions have these
            /// types.
            pub(crate) unsafe fn load(
                handle: *mut std::ffi::c_void,
            ) -> Result<Self, &'static str> {
                $(
                    let name = concat!(stringify!($name), "\0");
                    let name = std::ffi::CStr::from_bytes_with_nul(name.as_bytes())
                        .map_err(|_| stringify!($name))?;
                    // SAFETY: the caller's contract.
                    let address = unsafe { $crate::symbols::look_up(handle, name) };
                    let address = address.ok_or(stringify!($name))?;
                    // SAFETY: a function of this name has this type, by the caller's contract.
                    let $name = unsafe {
                        std::mem::transmute::<
                            *mut std::ffi::c_void,
                            unsafe extern "C" fn($($type),*) $(-> $result)?,
                        >(address)
                    };
                )*
                Ok(Self { $($name),* })
            }
        }
    };
}

pub(crate) use functions;
