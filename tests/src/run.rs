//! A temporary run directory.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory for one proxy and its programs. It goes when the test ends.
#[derive(Debug)]
pub struct Run {
    dir: TempDir,
}

impl Run {
    /// A new directory.
    ///
    /// # Panics
    /// If there cannot be one.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it has an effect on the file system")]
    pub fn new() -> Self {
        // Paths of unix sockets are short, so this goes below /tmp whatever TMPDIR says.
        let dir = tempfile::Builder::new().prefix("mcm-test-").tempdir_in("/tmp");
        Self { dir: dir.expect("a directory below /tmp") }
    }

    /// The run directory. The proxy creates it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("mcm")
    }

    /// The directory around it, for files of the test.
    #[must_use]
    pub fn outside(&self) -> &Path {
        self.dir.path()
    }

    /// The proxy's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        media::run_dir::socket_path(&self.path())
    }
}
