//! A domain: one provider's port into one network, and the fabric that it belongs to.

use crate::error::FabricError;
use crate::info::{Info, call_error};
use libfabric_sys::{
    FI_RECV, FI_REMOTE_READ, FI_SEND, Functions, fid, fid_domain, fid_fabric, fid_mr,
};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Closes an object. An error is only logged: there is no remedy.
///
/// # Safety
///
/// The object is open, and no other code uses it any more.
pub(crate) unsafe fn close(object: *mut fid, what: &str) -> Result<(), i32> {
    // SAFETY: an open object has its operations; the caller vouches for it.
    let code = unsafe { ((*(*object).ops).close)(object) };
    if code == 0 {
        return Ok(());
    }
    log::warn!("libfabric does not close {what}: error {}", -code);
    Err(-code)
}

/// An open domain.
#[derive(Debug)]
pub(crate) struct Domain {
    functions: &'static Functions,
    fabric: NonNull<fid_fabric>,
    domain: NonNull<fid_domain>,
    /// The key of the last region: some providers leave the choice to the caller, and want
    /// different ones.
    keys: AtomicU64,
}

// SAFETY: opened with FI_THREAD_SAFE: calls may come from any thread.
unsafe impl Send for Domain {}
// SAFETY: as above.
unsafe impl Sync for Domain {}

impl Domain {
    pub(crate) fn open(info: &Info) -> Result<Arc<Self>, FabricError> {
        let functions = info.functions();
        let mut fabric = null_mut();
        // SAFETY: the attributes are those that libfabric returned.
        let code =
            unsafe { (functions.fabric)((*info.as_ptr()).fabric_attr, &mut fabric, null_mut()) };
        let Some(fabric) = NonNull::new(fabric).filter(|_| code == 0) else {
            return Err(call_error(functions, "fi_fabric", code, ""));
        };
        let mut domain = null_mut();
        // SAFETY: the fabric is open and was made for this description.
        let code = unsafe {
            ((*(*fabric.as_ptr()).ops).domain)(
                fabric.as_ptr(),
                info.as_ptr(),
                &mut domain,
                null_mut(),
            )
        };
        let Some(domain) = NonNull::new(domain).filter(|_| code == 0) else {
            // SAFETY: just opened, and not shared yet.
            let _ = unsafe { close(fabric.as_ptr().cast(), "a fabric") };
            return Err(call_error(functions, "fi_domain", code, ""));
        };
        Ok(Arc::new(Self { functions, fabric, domain, keys: AtomicU64::new(0) }))
    }

    pub(crate) fn functions(&self) -> &'static Functions {
        self.functions
    }

    pub(crate) fn fabric(&self) -> *mut fid_fabric {
        self.fabric.as_ptr()
    }

    pub(crate) fn domain(&self) -> *mut fid_domain {
        self.domain.as_ptr()
    }

    /// Registers memory for sending from it, and for receiving into it if it is `writable`.
    ///
    /// # Safety
    ///
    /// The memory is mapped now. It stays mapped as long as the region is used in operations.
    pub(crate) unsafe fn register(
        self: &Arc<Self>,
        start: *const u8,
        len: usize,
        writable: bool,
    ) -> Result<Region, FabricError> {
        let mut region = null_mut();
        let sending = FI_SEND | FI_REMOTE_READ;
        let access = if writable { FI_RECV | sending } else { sending };
        // SAFETY: the domain is open; the caller vouches for the memory.
        let code = unsafe {
            let domain = self.domain.as_ptr();
            ((*(*domain).mr).reg)(
                domain.cast(),
                start.cast(),
                len,
                access,
                0,
                self.keys.fetch_add(1, Relaxed),
                0,
                &mut region,
                null_mut(),
            )
        };
        match NonNull::new(region) {
            Some(region) if code == 0 => Ok(Region { region, _domain: Arc::clone(self) }),
            _ => Err(call_error(self.functions, "fi_mr_reg", code, format!("{len} bytes"))),
        }
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        // SAFETY: everything in the domain holds it and so has been closed.
        unsafe {
            if close(self.domain.as_ptr().cast(), "a domain").is_ok() {
                let _ = close(self.fabric.as_ptr().cast(), "a fabric");
            }
        }
    }
}

/// Memory that the provider knows.
#[derive(Debug)]
pub(crate) struct Region {
    region: NonNull<fid_mr>,
    _domain: Arc<Domain>,
}

// SAFETY: as for the domain.
unsafe impl Send for Region {}
// SAFETY: as for the domain.
unsafe impl Sync for Region {}

impl Region {
    /// Descriptor of this memory for operations.
    pub(crate) fn descriptor(&self) -> *mut libc::c_void {
        // SAFETY: the region is open.
        unsafe { (*self.region.as_ptr()).mem_desc }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: open; operations that use it hold it.
        let _ = unsafe { close(self.region.as_ptr().cast(), "a memory region") };
    }
}
