//! The declarations against the headers of the installed libfabric (Debian: libfabric-dev).

use libfabric_sys::*;
use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::process::{Command, Stdio};

/// A value that a C program prints, and the one declared here.
struct Check {
    expression: String,
    declared: u64,
}

macro_rules! structure {
    ($checks:ident, $type:ident $(, $field:ident)* $(; type: $at:expr)?) => {
        $($checks.push(Check {
            expression: format!("offsetof(struct {}, {})", stringify!($type), stringify!($field)),
            declared: offset_of!($type, $field) as u64,
        });)*
        $($checks.push(Check {
            expression: format!("offsetof(struct {}, type)", stringify!($type)),
            declared: $at as u64,
        });)?
    };
}

macro_rules! sizes {
    ($checks:ident, $($type:ident),*) => {$(
        $checks.push(Check {
            expression: format!("sizeof(struct {})", stringify!($type)),
            declared: size_of::<$type>() as u64,
        });
    )*};
}

macro_rules! constants {
    ($checks:ident, $($name:ident),*) => {$(
        $checks.push(Check { expression: stringify!($name).to_owned(), declared: $name as u64 });
    )*};
}

fn checks() -> Vec<Check> {
    let mut list = Vec::new();
    structure!(
        list,
        fi_info,
        next,
        caps,
        mode,
        addr_format,
        src_addrlen,
        dest_addrlen,
        src_addr,
        dest_addr,
        handle,
        tx_attr,
        rx_attr,
        ep_attr,
        domain_attr,
        fabric_attr,
        nic
    );
    structure!(
        list,
        fi_tx_attr,
        caps,
        mode,
        op_flags,
        msg_order,
        comp_order,
        inject_size,
        size,
        iov_limit,
        rma_iov_limit,
        tclass
    );
    structure!(
        list,
        fi_rx_attr,
        caps,
        mode,
        op_flags,
        msg_order,
        comp_order,
        total_buffered_recv,
        size,
        iov_limit
    );
    structure!(
        list, fi_ep_attr, protocol, protocol_version, max_msg_size, msg_prefix_size,
        max_order_raw_size, max_order_war_size, max_order_waw_size, mem_tag_format, tx_ctx_cnt,
        rx_ctx_cnt, auth_key_size, auth_key; type: offset_of!(fi_ep_attr, type_)
    );
    structure!(
        list,
        fi_domain_attr,
        domain,
        name,
        threading,
        control_progress,
        data_progress,
        resource_mgmt,
        av_type,
        mr_mode,
        mr_key_size,
        cq_data_size,
        cq_cnt,
        ep_cnt,
        tx_ctx_cnt,
        rx_ctx_cnt,
        max_ep_tx_ctx,
        max_ep_rx_ctx,
        max_ep_stx_ctx,
        max_ep_srx_ctx,
        cntr_cnt,
        mr_iov_limit,
        caps,
        mode,
        auth_key,
        auth_key_size,
        max_err_data,
        mr_cnt,
        tclass
    );
    structure!(list, fi_fabric_attr, fabric, name, prov_name, prov_version, api_version);
    structure!(
        list, fi_av_attr, rx_ctx_bits, count, ep_per_node, name, map_addr, flags;
        type: offset_of!(fi_av_attr, type_)
    );
    structure!(
        list,
        fi_cq_attr,
        size,
        flags,
        format,
        wait_obj,
        signaling_vector,
        wait_cond,
        wait_set
    );
    structure!(list, fi_cq_msg_entry, op_context, flags, len);
    structure!(
        list,
        fi_cq_err_entry,
        op_context,
        flags,
        len,
        buf,
        data,
        tag,
        olen,
        err,
        prov_errno,
        err_data,
        err_data_size
    );
    structure!(list, fid, fclass, context, ops);
    structure!(list, fid_fabric, fid, ops, api_version);
    structure!(list, fid_domain, fid, ops, mr);
    structure!(list, fid_ep, fid, ops, cm, msg, rma, tagged, atomic, collective);
    structure!(list, fid_av, fid, ops);
    structure!(list, fid_cq, fid, ops);
    structure!(list, fid_mr, fid, mem_desc, key);
    structure!(list, fi_ops, size, close, bind, control, ops_open, tostr, ops_set);
    structure!(list, fi_ops_fabric, size, domain, passive_ep, eq_open, wait_open, trywait);
    structure!(list, fi_ops_domain, size, av_open, cq_open, endpoint);
    structure!(list, fi_ops_mr, size, reg);
    structure!(list, fi_ops_ep, size, cancel);
    structure!(list, fi_ops_cm, size, setname, getname);
    structure!(list, fi_ops_msg, size, recv, recvv, recvmsg, send, sendv);
    structure!(list, fi_ops_tagged, size, recv, recvv, recvmsg, send);
    structure!(list, fi_ops_av, size, insert, insertsvc, insertsym, remove);
    structure!(list, fi_ops_cq, size, read, readfrom, readerr, sread, sreadfrom, signal, strerror);
    // What this side allocates.
    sizes!(list, fi_av_attr, fi_cq_attr, fi_cq_msg_entry, fi_context, fi_context2);
    constants!(
        list,
        FI_MSG,
        FI_TAGGED,
        FI_RECV,
        FI_REMOTE_READ,
        FI_SEND,
        FI_SOURCE,
        FI_NUMERICHOST,
        FI_CONTEXT,
        FI_CONTEXT2,
        FI_MR_LOCAL,
        FI_MR_VIRT_ADDR,
        FI_MR_ALLOCATED,
        FI_MR_PROV_KEY,
        FI_ORDER_SAS,
        FI_SOCKADDR_IN,
        FI_ADDR_STR,
        FI_ADDR_UNSPEC,
        FI_AV_TABLE,
        FI_THREAD_SAFE,
        FI_PROGRESS_MANUAL,
        FI_RM_ENABLED,
        FI_EP_RDM,
        FI_CQ_FORMAT_MSG,
        FI_WAIT_NONE,
        FI_WAIT_FD,
        FI_GETWAIT,
        FI_ENABLE,
        FI_EAGAIN,
        FI_ENODATA,
        FI_ENOSYS,
        FI_ECANCELED,
        FI_EAVAIL,
        FI_ETRUNC
    );
    list
}

#[test]
fn declarations_are_those_of_the_headers() {
    let headers = Command::new("cc")
        .args(["-E", "-include", "rdma/fabric.h", "-xc", "/dev/null", "-o", "/dev/null"])
        .stderr(Stdio::null())
        .status();
    if !headers.is_ok_and(|status| status.success()) {
        testkit::skip("Debian package libfabric-dev, or a C compiler");
        return;
    }
    let checks = checks();
    let mut source = String::from(
        "#include <stddef.h>\n#include <stdio.h>\n#include <pthread.h>\n#include <rdma/fabric.h>\n\
         #include <rdma/fi_domain.h>\n#include <rdma/fi_endpoint.h>\n#include <rdma/fi_eq.h>\n\
         #include <rdma/fi_cm.h>\n#include <rdma/fi_tagged.h>\n#include <rdma/fi_errno.h>\nint main(void) {\n",
    );
    for check in &checks {
        writeln!(source, "printf(\"%llu\\n\", (unsigned long long)({}));", check.expression)
            .unwrap();
    }
    source.push_str("return 0; }\n");
    let directory = tempfile::tempdir().expect("a directory");
    let (text, program) = (directory.path().join("layout.c"), directory.path().join("layout"));
    std::fs::write(&text, source).expect("source");
    let compiled = Command::new("cc").arg("-w").arg(&text).arg("-o").arg(&program).status();
    assert!(compiled.expect("cc").success());
    let output = Command::new(program).output().expect("the program");
    let found = String::from_utf8(output.stdout).expect("text");
    let found: Vec<u64> = found.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(found.len(), checks.len());
    let wrong: Vec<String> = std::iter::zip(&checks, found)
        .filter(|(check, found)| check.declared != *found)
        .map(|(check, found)| {
            format!("{}: {found} in the headers, {} declared", check.expression, check.declared)
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_installed_library_is_recent_enough() {
    let functions = match Functions::load() {
        Ok(functions) => functions,
        Err(error) => {
            testkit::skip(&error.to_string());
            return;
        }
    };
    // SAFETY: it takes nothing.
    let version = unsafe { (functions.version)() };
    assert!(version >= fi_version_of(1, 17), "{}.{}", version >> 16, version & 0xffff);
    assert_eq!(functions.error_text(FI_ETRUNC), "Truncation error");
}
