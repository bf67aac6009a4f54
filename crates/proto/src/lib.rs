//! Protocol messages of the mesh.
