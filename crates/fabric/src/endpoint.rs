//! One endpoint, and the address vector that endpoints share.

use crate::domain::{Domain, close};
use crate::environment;
use crate::error::FabricError;
use crate::info::{Info, call_error};
use crate::provider::{Address, Provider};
use crate::queue::Queue;
use libfabric_sys::{
    FI_ADDR_UNSPEC, FI_AV_TABLE, FI_ENABLE, FI_RECV, FI_SEND, fi_av_attr, fid_av, fid_ep,
};
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;

/// An address vector: peers have numbers in it.
#[derive(Debug)]
pub(crate) struct AddressVector {
    av: NonNull<fid_av>,
    domain: Arc<Domain>,
}

// SAFETY: opened with FI_THREAD_SAFE.
unsafe impl Send for AddressVector {}

impl AddressVector {
    pub(crate) fn open(domain: &Arc<Domain>) -> Result<Self, FabricError> {
        let mut attr = fi_av_attr {
            type_: FI_AV_TABLE,
            rx_ctx_bits: 0,
            count: 16,
            ep_per_node: 0,
            name: null(),
            map_addr: null_mut(),
            flags: 0,
        };
        let mut av = null_mut();
        // SAFETY: the domain is open.
        let code = unsafe {
            let domain = domain.domain();
            ((*(*domain).ops).av_open)(domain, &mut attr, &mut av, null_mut())
        };
        match NonNull::new(av) {
            Some(av) if code == 0 => Ok(Self { av, domain: Arc::clone(domain) }),
            _ => Err(call_error(domain.functions(), "fi_av_open", code, "")),
        }
    }

    /// The number of a peer.
    pub(crate) fn insert(&self, address: &Address) -> Result<u64, FabricError> {
        let bytes = address.bytes();
        let mut number = FI_ADDR_UNSPEC;
        let av = self.av.as_ptr();
        // SAFETY: the vector is open; the bytes have the form that was agreed on.
        let count = unsafe {
            ((*(*av).ops).insert)(av, bytes.as_ptr().cast(), 1, &mut number, 0, null_mut())
        };
        if count == 1 && number != FI_ADDR_UNSPEC {
            return Ok(number);
        }
        let code = if count < 0 { count } else { libc::EINVAL };
        Err(call_error(self.domain.functions(), "fi_av_insert", code, address.to_string()))
    }

    /// Forgets a peer.
    pub(crate) fn remove(&self, mut number: u64) -> Result<(), FabricError> {
        let av = self.av.as_ptr();
        // SAFETY: the vector is open.
        let code = unsafe { ((*(*av).ops).remove)(av, &mut number, 1, 0) };
        if code == 0 {
            return Ok(());
        }
        Err(call_error(self.domain.functions(), "fi_av_remove", code, ""))
    }
}

impl Drop for AddressVector {
    fn drop(&mut self) {
        // SAFETY: open; the endpoints bound to it have been closed before.
        let _ = unsafe { close(self.av.as_ptr().cast(), "an address vector") };
    }
}

/// An endpoint. Closed by [`close`](Self::close), or when it is dropped.
#[derive(Debug)]
pub(crate) struct Endpoint {
    ep: NonNull<fid_ep>,
    domain: Arc<Domain>,
    closed: bool,
}

// SAFETY: opened with FI_THREAD_SAFE.
unsafe impl Send for Endpoint {}

impl Endpoint {
    /// An endpoint at its local address, ready for use.
    pub(crate) fn open(
        domain: &Arc<Domain>,
        info: &Info,
        queue: &Queue,
        addresses: &AddressVector,
        provider: Provider,
        local: &Address,
    ) -> Result<Self, FabricError> {
        let functions = domain.functions();
        let mut ep = null_mut();
        // SAFETY: the domain is open, and the description is for it.
        let code = unsafe {
            let domain = domain.domain();
            ((*(*domain).ops).endpoint)(domain, info.as_ptr(), &mut ep, null_mut())
        };
        let failed = |call, code: i32| {
            if -code == libc::EADDRNOTAVAIL {
                return FabricError::LocalAddress { provider, address: local.clone() };
            }
            if provider == Provider::Verbs && call == "fi_enable" && -code == libc::EINVAL {
                let about = format!(
                    "{local}; the device may not have completion queues as long as libfabric wants them (max_cqe of 'ibv_devinfo -v'): set \
                     FI_UNIVERSE_SIZE to less than {}",
                    environment::universe_size()
                );
                return call_error(functions, call, code, about);
            }
            call_error(functions, call, code, local.to_string())
        };
        let ep =
            NonNull::new(ep).filter(|_| code == 0).ok_or_else(|| failed("fi_endpoint", code))?;
        let endpoint = Self { ep, domain: Arc::clone(domain), closed: false };
        let fid = endpoint.ep.as_ptr().cast();
        // SAFETY: all objects are open; the endpoint is closed before the others.
        unsafe {
            let ops = &*(*endpoint.ep.as_ptr()).fid.ops;
            let bound = (ops.bind)(fid, addresses.av.as_ptr().cast(), 0);
            if bound != 0 {
                return Err(call_error(functions, "fi_ep_bind", bound, "address vector"));
            }
            let bound = (ops.bind)(fid, queue.fid(), FI_SEND | FI_RECV);
            if bound != 0 {
                return Err(call_error(functions, "fi_ep_bind", bound, "completion queue"));
            }
            // Endpoints may exchange their operations when they are enabled.
            let enabled = ((*(*endpoint.ep.as_ptr()).fid.ops).control)(fid, FI_ENABLE, null_mut());
            if enabled != 0 {
                return Err(failed("fi_enable", enabled));
            }
        }
        Ok(endpoint)
    }

    pub(crate) fn as_ptr(&self) -> *mut fid_ep {
        self.ep.as_ptr()
    }

    /// The local address, with the port that was chosen if none was asked for.
    pub(crate) fn name(&self) -> Result<Address, FabricError> {
        let mut bytes = [0u8; 256];
        let mut len = bytes.len();
        let ep = self.ep.as_ptr();
        // SAFETY: the endpoint is open, and the length is that of the buffer.
        let code = unsafe { ((*(*ep).cm).getname)(ep.cast(), bytes.as_mut_ptr().cast(), &mut len) };
        let known = bytes.get(..len).filter(|_| code == 0).and_then(Address::from_sockaddr);
        known.ok_or_else(|| call_error(self.domain.functions(), "fi_getname", code, ""))
    }

    /// Ends all operations without completions. After success nothing touches their buffers any
    /// more.
    pub(crate) fn close(&mut self) -> Result<(), i32> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        // SAFETY: open, and never used again.
        unsafe { close(self.ep.as_ptr().cast(), "an endpoint") }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
