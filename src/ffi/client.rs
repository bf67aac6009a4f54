//! Clients.
use super::failure::Error;
use super::{boundary, logger, pointer, timeout};
use mcm::Client;
use std::ffi::{c_char, c_int};

/// A program's session with the media proxy; the holder of connections.
#[derive(Debug)]
pub struct MeshClient {
    pub(super) client: Client,
}

/// The client behind a pointer.
///
/// # Safety
/// `mc` is null or points to a live client of this library.
pub(super) unsafe fn client<'a>(mc: *mut MeshClient) -> Result<&'a MeshClient, Error> {
    // SAFETY: by this function's contract; clients are shared, never borrowed mutably.
    unsafe { mc.as_ref() }.ok_or(Error::BadClient)
}

/// Creates a client.
///
/// The media proxy is first spoken to when a connection is created; it need not run yet. Where it is comes
/// from `apiConnectionString` in the configuration (`Unix=PATH`, or `Server=IP; Port=NUMBER`), else from
/// the environment (`MCM_MEDIA_PROXY_IP`, `MCM_MEDIA_PROXY_PORT`), else its socket in the run directory is
/// tried, else it is 127.0.0.1:8002.
///
/// @param mc   Receives the client, or NULL on failure. Delete it with `mesh_delete_client()`.
/// @param cfg  Client configuration, JSON text; `"{}"` stands for all defaults.
///
/// @return 0, or one of -MESH_ERR_BAD_CLIENT_PTR, -MESH_ERR_BAD_CONFIG_PTR, -MESH_ERR_CLIENT_CONFIG_INVAL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_create_client(mc: *mut *mut MeshClient, cfg: *const c_char) -> c_int {
    logger::start();
    boundary::guard("mesh_create_client", || {
        // SAFETY: null, or the caller's own variable.
        let out = unsafe { mc.as_mut() }.ok_or(Error::BadClient)?;
        *out = std::ptr::null_mut();
        // SAFETY: null, or the caller's text.
        let config = unsafe { pointer::config(cfg) }?;
        // The proxy is not needed before the first connection.
        let client = Client::builder().json(config)?.build()?;
        *out = Box::into_raw(Box::new(MeshClient { client }));
        Ok(())
    })
}

/// Deletes a client and sets the pointer to NULL.
///
/// It is refused while connections of the client exist; then nothing changes.
///
/// @return 0, or one of -MESH_ERR_BAD_CLIENT_PTR, -MESH_ERR_FOUND_ALLOCATED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_delete_client(mc: *mut *mut MeshClient) -> c_int {
    boundary::guard("mesh_delete_client", || {
        // SAFETY: null, or the caller's own variable.
        let variable = unsafe { mc.as_mut() }.ok_or(Error::BadClient)?;
        // SAFETY: null, or a live client of this library.
        let connections = unsafe { client(*variable) }?.client.connections();
        if connections > 0 {
            return Err(Error::FoundAllocated(connections));
        }
        let client = std::mem::replace(variable, std::ptr::null_mut());
        // SAFETY: it came from `Box::into_raw` in `mesh_create_client`, and the caller's variable, now
        // null, was the one reference: connections hold the client behind it, not this box.
        drop(unsafe { Box::from_raw(client) });
        Ok(())
    })
}

/// Tells what a group carries, as JSON with which a receiver joins it.
///
/// The text has the members `payload`, `maxPayloadSize` and `maxMetadataSize` of the group's source, or of a receiver if
/// there is no source yet. For a multipoint group it has `connection`, too, and is a whole configuration for
/// `mesh_create_rx_connection()`.
///
/// @param mc           Client.
/// @param group        Name of the group: the `urn` of a multipoint group, `"ADDRESS:PORT"` of an ST 2110 stream on this host.
/// @param config       Receives the text, which ends in a zero byte. It is left alone on failure.
/// @param config_size  Bytes that there is room for; 8192 are enough for every group.
/// @param timeout_ms   How long to wait for the group if it does not exist, in milliseconds, or one of MESH_TIMEOUT_*.
///
/// @return 0, or one of -MESH_ERR_BAD_CLIENT_PTR, -MESH_ERR_BAD_CONFIG_PTR (group), -MESH_ERR_BAD_BUF_PTR (config, or too
/// small), -MESH_ERR_TIMEOUT (no such group), -MESH_ERR_CONN_FAILED (no proxy), -MESH_ERR_FORKED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_get_group_config(
    mc: *mut MeshClient,
    group: *const c_char,
    config: *mut c_char,
    config_size: usize,
    timeout_ms: c_int,
) -> c_int {
    boundary::guard("mesh_get_group_config", || {
        // SAFETY: null, or a live client of this library.
        let client = unsafe { client(mc) }?;
        // SAFETY: null, or the caller's text.
        let group = unsafe { pointer::config(group) }?;
        if config.is_null() {
            return Err(Error::BadBuffer("config is null".into()));
        }
        let text = client.client.group_config(group, timeout::timeout(timeout_ms)?)?;
        let text = text.group_json();
        // SAFETY: the caller's memory of this size.
        unsafe { pointer::write_text(config, config_size, &text) }
    })
}
