//! The version of the API that the header describes; its text, `MESH_VERSION`, stands in `cbindgen.toml`.

/// Year of `MESH_VERSION`.
pub const MESH_VERSION_MAJOR: u32 = 25;
/// Month of `MESH_VERSION`.
pub const MESH_VERSION_MINOR: u32 = 3;
/// Hotfix number of `MESH_VERSION`.
pub const MESH_VERSION_HOTFIX: u32 = 0;
