//! Discovery: `fi_getinfo` and its results.

use crate::error::FabricError;
use crate::provider::{Address, Provider};
use libfabric_sys::{
    FI_ADDR_STR, FI_CONTEXT, FI_CONTEXT2, FI_ENODATA, FI_EP_RDM, FI_MR_ALLOCATED, FI_MR_LOCAL,
    FI_MR_PROV_KEY, FI_MR_VIRT_ADDR, FI_MSG, FI_NUMERICHOST, FI_ORDER_SAS, FI_PROGRESS_MANUAL,
    FI_RM_ENABLED, FI_SOCKADDR_IN, FI_SOURCE, FI_TAGGED, FI_THREAD_SAFE, Functions, fi_info,
    fi_version_of,
};
use std::ffi::CString;
use std::ptr::NonNull;

/// The version of libfabric's interface that this crate uses.
const API_VERSION: u32 = fi_version_of(1, 17);

/// The functions of the installed libfabric.
pub(crate) fn functions() -> Result<&'static Functions, FabricError> {
    let functions = Functions::load().map_err(|error| FabricError::Library(error.to_string()))?;
    let version = version_of(functions);
    if version < API_VERSION {
        return Err(FabricError::Version { major: version >> 16, minor: version & 0xffff });
    }
    Ok(functions)
}

fn version_of(functions: &Functions) -> u32 {
    // SAFETY: it takes nothing and returns a number.
    unsafe { (functions.version)() }
}

/// Version of the installed libfabric, as major and minor number.
pub fn library_version() -> Result<(u32, u32), FabricError> {
    let version = version_of(functions()?);
    Ok((version >> 16, version & 0xffff))
}

/// A description that libfabric has allocated: of what is wanted, or of what there is.
#[derive(Debug)]
pub(crate) struct Info {
    functions: &'static Functions,
    provider: Provider,
    first: NonNull<fi_info>,
}

impl Drop for Info {
    fn drop(&mut self) {
        // SAFETY: allocated by libfabric, and freed once.
        unsafe { (self.functions.freeinfo)(self.first.as_ptr()) };
    }
}

impl Info {
    /// Providers of reliable datagrams at a local address; without an address, all of them.
    fn look_up(
        functions: &'static Functions,
        provider: Provider,
        local: Option<&Address>,
    ) -> Result<Self, i32> {
        let hints = Self::hints(functions, provider)?;
        let (node, service) = match local {
            Some(Address::Inet(address)) => (address.ip().to_string(), address.port().to_string()),
            Some(Address::Shm(name, number)) => (name.clone(), number.to_string()),
            None => (String::new(), String::new()),
        };
        let text = |text: String| CString::new(text).map_err(|_| libc::EINVAL);
        let (node, service) = (text(node)?, text(service)?);
        let (node, service, flags) = match local {
            None => (std::ptr::null(), std::ptr::null(), 0),
            Some(Address::Inet(_)) => (node.as_ptr(), service.as_ptr(), FI_SOURCE | FI_NUMERICHOST),
            Some(Address::Shm(..)) => (node.as_ptr(), service.as_ptr(), FI_SOURCE),
        };
        let mut found = std::ptr::null_mut();
        // SAFETY: terminated strings or null, hints that libfabric allocated, and a place for the
        // answer.
        let code = unsafe {
            (functions.getinfo)(API_VERSION, node, service, flags, hints.first.as_ptr(), &mut found)
        };
        if code != 0 {
            return Err(-code);
        }
        NonNull::new(found).map(|first| Self { functions, provider, first }).ok_or(FI_ENODATA)
    }

    /// The provider at a local address, or an error that names what is missing.
    pub(crate) fn at(provider: Provider, local: &Address) -> Result<Self, FabricError> {
        local.check(provider)?;
        let functions = functions()?;
        Self::look_up(functions, provider, Some(local)).map_err(|code| match code {
            FI_ENODATA => match Self::look_up(functions, provider, None) {
                Ok(_) => FabricError::LocalAddress { provider, address: local.clone() },
                Err(_) => provider.missing(),
            },
            code => call_error(functions, "fi_getinfo", code, local.to_string()),
        })
    }

    fn hints(functions: &'static Functions, provider: Provider) -> Result<Self, i32> {
        // SAFETY: null asks for an empty entry.
        let first = unsafe { (functions.dupinfo)(std::ptr::null()) };
        let hints = Self { functions, provider, first: NonNull::new(first).ok_or(libc::ENOMEM)? };
        let name = provider.library_name(version_of(functions));
        // SAFETY: an empty entry has all its attributes, which it owns alone. The name is allocated
        // as libfabric frees it.
        unsafe {
            let info = &mut *hints.first.as_ptr();
            info.caps = FI_MSG | FI_TAGGED;
            info.mode = FI_CONTEXT | FI_CONTEXT2;
            info.addr_format = match provider {
                Provider::Shm => FI_ADDR_STR,
                Provider::Tcp | Provider::Verbs => FI_SOCKADDR_IN,
            };
            (*info.ep_attr).type_ = FI_EP_RDM;
            (*info.tx_attr).msg_order = FI_ORDER_SAS;
            (*info.rx_attr).msg_order = FI_ORDER_SAS;
            let domain = &mut *info.domain_attr;
            domain.threading = FI_THREAD_SAFE;
            domain.data_progress = FI_PROGRESS_MANUAL;
            domain.control_progress = FI_PROGRESS_MANUAL;
            domain.resource_mgmt = FI_RM_ENABLED;
            domain.mr_mode = FI_MR_LOCAL | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_VIRT_ADDR;
            (*info.fabric_attr).prov_name = libc::strdup(name.as_ptr());
            if (*info.fabric_attr).prov_name.is_null() {
                return Err(libc::ENOMEM);
            }
        }
        Ok(hints)
    }

    pub(crate) fn functions(&self) -> &'static Functions {
        self.functions
    }

    /// The first entry, which libfabric considers the best.
    pub(crate) fn as_ptr(&self) -> *mut fi_info {
        self.first.as_ptr()
    }

    /// Most bytes of a message.
    pub(crate) fn max_message(&self) -> usize {
        // SAFETY: entries that libfabric returns have all their attributes.
        unsafe { (*(*self.first.as_ptr()).ep_attr).max_msg_size }
    }

    /// Most pieces that one message can be sent from.
    pub(crate) fn max_pieces(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*(*self.first.as_ptr()).tx_attr).iov_limit }
    }

    /// Most operations that one endpoint takes in each direction.
    pub(crate) fn max_operations(&self) -> (usize, usize) {
        // SAFETY: as above.
        unsafe {
            let info = &*self.first.as_ptr();
            ((*info.tx_attr).size, (*info.rx_attr).size)
        }
    }

    /// Whether the provider's queues have no descriptors of use: see [`crate::progress`].
    pub(crate) fn hides_readiness(&self) -> bool {
        self.provider == Provider::Tcp && version_of(self.functions) < fi_version_of(1, 18)
    }

    /// Whether buffers must be registered.
    pub(crate) fn wants_registration(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*(*self.first.as_ptr()).domain_attr).mr_mode & FI_MR_LOCAL != 0 }
    }
}

/// The error for a call that returned `-code`.
pub(crate) fn call_error(
    functions: &Functions,
    call: &'static str,
    code: i32,
    about: impl Into<String>,
) -> FabricError {
    let code = code.abs();
    FabricError::Call { call, code, reason: functions.error_text(code), about: about.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_is_told_with_what_to_install() {
        if let Err(error) = library_version() {
            testkit::skip(&error.to_string());
            return;
        }
        let here = Address::Inet("127.0.0.1:0".parse().unwrap());
        assert!(Info::at(Provider::Tcp, &here).is_ok());
        // No RDMA device has the loopback address.
        let error = Info::at(Provider::Verbs, &here).unwrap_err();
        match &error {
            FabricError::Provider { .. } => assert!(error.to_string().contains("rdma-core")),
            FabricError::LocalAddress { .. } => {}
            _ => panic!("{error}"),
        }
    }
}
