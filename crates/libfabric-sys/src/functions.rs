//! Loading of the library, and its exported functions.

use crate::attributes::{fi_fabric_attr, fi_info};
use crate::objects::fid_fabric;
use libc::{c_char, c_int, c_void};
use libloading::Library;
use libloading::os::unix::{self, RTLD_LOCAL, RTLD_NOW};
use std::error::Error;
use std::ffi::CStr;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::OnceLock;

/// The name under which the dynamic linker looks for libfabric.
pub const SONAME: &str = "libfabric.so.1";

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
                write!(f, "{SONAME} has no function {}", name.to_string_lossy())
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
    /// The functions of this system's libfabric. It is loaded once and stays; after a failure the
    /// next call tries again.
    ///
    /// # Errors
    /// The dynamic linker cannot load it, or it lacks a function.
    pub fn load() -> Result<&'static Self, LoadError> {
        static LOADED: OnceLock<Functions> = OnceLock::new();
        if let Some(functions) = LOADED.get() {
            return Ok(functions);
        }
        let library = ManuallyDrop::new(open(SONAME)?);
        let functions = Self::look_up(&library)?;
        Ok(LOADED.get_or_init(|| functions))
    }

    fn look_up(library: &Library) -> Result<Self, LoadError> {
        // SAFETY: libfabric's headers declare the functions of these names with the fields' types.
        unsafe {
            Ok(Self {
                version: function(library, c"fi_version")?,
                getinfo: function(library, c"fi_getinfo")?,
                freeinfo: function(library, c"fi_freeinfo")?,
                dupinfo: function(library, c"fi_dupinfo")?,
                fabric: function(library, c"fi_fabric")?,
                strerror: function(library, c"fi_strerror")?,
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

fn open(name: &str) -> Result<Library, LoadError> {
    // SAFETY: libfabric's constructors may run at any time.
    let library = unsafe { unix::Library::open(Some(name), RTLD_NOW | RTLD_LOCAL) };
    // The dynamic linker's own words are the source of the error.
    let reason = |error: libloading::Error| match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    };
    library.map(Library::from).map_err(|error| LoadError::Library(reason(error)))
}

/// Looks a function up.
///
/// # Safety
/// `F` is the type of the function of this name.
unsafe fn function<F: Copy>(library: &Library, name: &'static CStr) -> Result<F, LoadError> {
    // SAFETY: by this function's contract.
    let symbol = unsafe { library.get::<F>(name) };
    symbol.map(|symbol| *symbol).map_err(|_| LoadError::Function(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_named() {
        let Err(LoadError::Library(reason)) = open("libfabric-that-is-not.so.1") else {
            panic!("a library of that name was found");
        };
        assert!(reason.contains("libfabric-that-is-not.so.1"), "{reason}");
    }

    #[test]
    fn another_library_is_not_taken_for_libfabric() {
        let libc = open("libc.so.6").expect("the C library");
        assert_eq!(Functions::look_up(&libc).unwrap_err(), LoadError::Function(c"fi_version"));
    }
}
