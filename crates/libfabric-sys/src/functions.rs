//! Loading of the library, and its exported functions.

use crate::attributes::{fi_fabric_attr, fi_info};
use crate::objects::fid_fabric;
use libc::{RTLD_LOCAL, RTLD_NOW, c_char, c_int, c_void};
use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::OnceLock;

/// The name under which the dynamic linker looks for libfabric.
pub const SONAME: &CStr = c"libfabric.so.1";

/// Why libfabric could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The dynamic linker did not find it or could not load it; what it says.
    Library(String),
    /// It lacks a function.
    Function(&'static CStr),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(reason) => f.write_str(reason),
            Self::Function(name) => {
                write!(f, "{} has no function {}", SONAME.to_string_lossy(), name.to_string_lossy())
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// The exported functions.
#[derive(Clone, Copy, Debug)]
pub struct Functions {
    /// `fi_version`: version of the library, see [`crate::fi_version_of`].
    pub version: unsafe extern "C" fn() -> u32,
    /// `fi_getinfo`: what there is that fits the hints.
    pub getinfo: unsafe extern "C" fn(
        version: u32,
        node: *const c_char,
        service: *const c_char,
        flags: u64,
        hints: *const fi_info,
        info: *mut *mut fi_info,
    ) -> c_int,
    /// `fi_freeinfo`: frees a list.
    pub freeinfo: unsafe extern "C" fn(info: *mut fi_info),
    /// `fi_dupinfo`: a copy of one entry, or for null an empty one.
    pub dupinfo: unsafe extern "C" fn(info: *const fi_info) -> *mut fi_info,
    /// `fi_fabric`: opens a fabric.
    pub fabric: unsafe extern "C" fn(
        attr: *mut fi_fabric_attr,
        fabric: *mut *mut fid_fabric,
        context: *mut c_void,
    ) -> c_int,
    /// `fi_strerror`: text of a positive error number.
    pub strerror: unsafe extern "C" fn(errnum: c_int) -> *const c_char,
}

impl Functions {
    /// The functions of the libfabric of this system. It is loaded once and stays; a failure is tried again by the next call.
    pub fn load() -> Result<&'static Self, LoadError> {
        Self::load_from(SONAME)
    }

    fn load_from(name: &CStr) -> Result<&'static Self, LoadError> {
        static LOADED: OnceLock<Functions> = OnceLock::new();
        if let Some(functions) = LOADED.get() {
            return Ok(functions);
        }
        let functions = Self::look_up(open(name)?)?;
        Ok(LOADED.get_or_init(|| functions))
    }

    fn look_up(library: *mut c_void) -> Result<Self, LoadError> {
        // SAFETY: the declared types are those of libfabric's headers; `symbol` returns an address or an error, and a
        // pointer to a function has the size of an address.
        unsafe {
            Ok(Self {
                version: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> u32>(symbol(
                    library,
                    c"fi_version",
                )?),
                getinfo: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(
                        u32,
                        *const c_char,
                        *const c_char,
                        u64,
                        *const fi_info,
                        *mut *mut fi_info,
                    ) -> c_int,
                >(symbol(library, c"fi_getinfo")?),
                freeinfo: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut fi_info)>(
                    symbol(library, c"fi_freeinfo")?,
                ),
                dupinfo: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(*const fi_info) -> *mut fi_info,
                >(symbol(library, c"fi_dupinfo")?),
                fabric: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(
                        *mut fi_fabric_attr,
                        *mut *mut fid_fabric,
                        *mut c_void,
                    ) -> c_int,
                >(symbol(library, c"fi_fabric")?),
                strerror: std::mem::transmute::<
                    *mut c_void,
                    unsafe extern "C" fn(c_int) -> *const c_char,
                >(symbol(library, c"fi_strerror")?),
            })
        }
    }

    /// The text of a positive error number.
    #[must_use]
    pub fn error_text(&self, number: c_int) -> String {
        // SAFETY: fi_strerror takes any number and returns a string that stays.
        let text = unsafe { (self.strerror)(number) };
        if text.is_null() {
            return format!("error {number}");
        }
        // SAFETY: not null, and terminated.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

fn open(name: &CStr) -> Result<*mut c_void, LoadError> {
    // SAFETY: a terminated name; libfabric's constructors may run at any time.
    let library = unsafe { libc::dlopen(name.as_ptr(), RTLD_NOW | RTLD_LOCAL) };
    if !library.is_null() {
        return Ok(library);
    }
    // SAFETY: called by the thread whose dlopen has just failed.
    let reason = unsafe { libc::dlerror() };
    let reason = if reason.is_null() {
        CString::default()
    } else {
        // SAFETY: a terminated string, valid until this thread's next call of the dynamic linker.
        unsafe { CStr::from_ptr(reason) }.to_owned()
    };
    Err(LoadError::Library(reason.to_string_lossy().into_owned()))
}

fn symbol(library: *mut c_void, name: &'static CStr) -> Result<*mut c_void, LoadError> {
    // SAFETY: a handle that dlopen returned, and a terminated name.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    if address.is_null() { Err(LoadError::Function(name)) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_named() {
        let Err(LoadError::Library(reason)) = open(c"libfabric-that-is-not.so.1") else {
            panic!("a library of that name was found");
        };
        assert!(reason.contains("libfabric-that-is-not.so.1"), "{reason}");
    }

    #[test]
    fn another_library_is_not_taken_for_libfabric() {
        let libc = open(c"libc.so.6").expect("the C library");
        assert_eq!(Functions::look_up(libc).unwrap_err(), LoadError::Function(c"fi_version"));
    }
}
