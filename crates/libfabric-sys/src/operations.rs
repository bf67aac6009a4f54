//! Operation tables. A table begins with its size in bytes: the provider lacks every operation
//! beyond that size.
//!
//! Operations that this crate does not use are declared as addresses, to keep the offsets of those
//! behind them.
#![allow(missing_docs)] // Operations are documented in libfabric's manual pages, as fi_ and their name.

use crate::attributes::{fi_av_attr, fi_cq_attr, fi_cq_err_entry, fi_info};
use crate::objects::{fid, fid_av, fid_cq, fid_domain, fid_ep, fid_fabric, fid_mr};
use libc::{c_char, c_int, c_void, iovec, size_t, ssize_t};

/// An operation that is not used.
type Unused = *const c_void;

/// Of every object.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops {
    pub size: size_t,
    pub close: unsafe extern "C" fn(fid: *mut fid) -> c_int,
    pub bind: unsafe extern "C" fn(fid: *mut fid, other: *mut fid, flags: u64) -> c_int,
    pub control: unsafe extern "C" fn(fid: *mut fid, command: c_int, arg: *mut c_void) -> c_int,
    pub ops_open: Unused,
    pub tostr: Unused,
    pub ops_set: Unused,
}

/// Of a fabric.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_fabric {
    pub size: size_t,
    pub domain: unsafe extern "C" fn(
        fabric: *mut fid_fabric,
        info: *mut fi_info,
        domain: *mut *mut fid_domain,
        context: *mut c_void,
    ) -> c_int,
    pub passive_ep: Unused,
    pub eq_open: Unused,
    pub wait_open: Unused,
    pub trywait:
        unsafe extern "C" fn(fabric: *mut fid_fabric, fids: *mut *mut fid, count: c_int) -> c_int,
}

/// Of a domain.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_domain {
    pub size: size_t,
    pub av_open: unsafe extern "C" fn(
        domain: *mut fid_domain,
        attr: *mut fi_av_attr,
        av: *mut *mut fid_av,
        context: *mut c_void,
    ) -> c_int,
    pub cq_open: unsafe extern "C" fn(
        domain: *mut fid_domain,
        attr: *mut fi_cq_attr,
        cq: *mut *mut fid_cq,
        context: *mut c_void,
    ) -> c_int,
    pub endpoint: unsafe extern "C" fn(
        domain: *mut fid_domain,
        info: *mut fi_info,
        ep: *mut *mut fid_ep,
        context: *mut c_void,
    ) -> c_int,
}

/// Of a domain: memory registration.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_mr {
    pub size: size_t,
    pub reg: unsafe extern "C" fn(
        fid: *mut fid,
        buf: *const c_void,
        len: size_t,
        access: u64,
        offset: u64,
        requested_key: u64,
        flags: u64,
        mr: *mut *mut fid_mr,
        context: *mut c_void,
    ) -> c_int,
}

/// Of an endpoint.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_ep {
    pub size: size_t,
    pub cancel: unsafe extern "C" fn(fid: *mut fid, context: *mut c_void) -> ssize_t,
}

/// Of an endpoint: names.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_cm {
    pub size: size_t,
    pub setname: Unused,
    pub getname:
        unsafe extern "C" fn(fid: *mut fid, addr: *mut c_void, addrlen: *mut size_t) -> c_int,
}

/// Of an endpoint: messages.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_msg {
    pub size: size_t,
    pub recv: unsafe extern "C" fn(
        ep: *mut fid_ep,
        buf: *mut c_void,
        len: size_t,
        desc: *mut c_void,
        src_addr: u64,
        context: *mut c_void,
    ) -> ssize_t,
    pub recvv: Unused,
    pub recvmsg: Unused,
    pub send: Unused,
    pub sendv: unsafe extern "C" fn(
        ep: *mut fid_ep,
        iov: *const iovec,
        desc: *mut *mut c_void,
        count: size_t,
        dest_addr: u64,
        context: *mut c_void,
    ) -> ssize_t,
}

/// Of an endpoint: messages with tags.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_tagged {
    pub size: size_t,
    pub recv: unsafe extern "C" fn(
        ep: *mut fid_ep,
        buf: *mut c_void,
        len: size_t,
        desc: *mut c_void,
        src_addr: u64,
        tag: u64,
        ignore: u64,
        context: *mut c_void,
    ) -> ssize_t,
    pub recvv: Unused,
    pub recvmsg: Unused,
    pub send: unsafe extern "C" fn(
        ep: *mut fid_ep,
        buf: *const c_void,
        len: size_t,
        desc: *mut c_void,
        dest_addr: u64,
        tag: u64,
        context: *mut c_void,
    ) -> ssize_t,
}

/// Of an address vector.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_av {
    pub size: size_t,
    pub insert: unsafe extern "C" fn(
        av: *mut fid_av,
        addr: *const c_void,
        count: size_t,
        fi_addr: *mut u64,
        flags: u64,
        context: *mut c_void,
    ) -> c_int,
    pub insertsvc: Unused,
    pub insertsym: Unused,
    pub remove: unsafe extern "C" fn(
        av: *mut fid_av,
        fi_addr: *mut u64,
        count: size_t,
        flags: u64,
    ) -> c_int,
}

/// Of a completion queue.
#[repr(C)]
#[derive(Debug)]
pub struct fi_ops_cq {
    pub size: size_t,
    pub read: unsafe extern "C" fn(cq: *mut fid_cq, buf: *mut c_void, count: size_t) -> ssize_t,
    pub readfrom: Unused,
    pub readerr:
        unsafe extern "C" fn(cq: *mut fid_cq, buf: *mut fi_cq_err_entry, flags: u64) -> ssize_t,
    pub sread: Unused,
    pub sreadfrom: Unused,
    pub signal: Unused,
    pub strerror: unsafe extern "C" fn(
        cq: *mut fid_cq,
        prov_errno: c_int,
        err_data: *const c_void,
        buf: *mut c_char,
        len: size_t,
    ) -> *const c_char,
}
