//! The control plane of the mesh: which connection belongs to which group, and which bridges exist.
