//! The dependencies as cargo knows them.

use crate::Error;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The one platform of the mesh; dependencies of others are not looked at.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
/// The packages whose programs and libraries are installed.
const INSTALLED: [&str; 5] =
    ["mcm_dp", "media-proxy", "mcm-mesh-agent", "mcm-cli", "mcm-ffmpeg-plugin"];

/// What `cargo metadata` prints.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    resolve: Resolve,
}

/// A package, of the workspace or from elsewhere.
#[derive(Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// `None` of packages of the workspace.
    pub(crate) source: Option<String>,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    pub(crate) authors: Vec<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `None`: it is part of what is built, not of a test or a build script.
    kind: Option<String>,
}

impl Package {
    /// The directory of its source.
    pub(crate) fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }
}

impl Metadata {
    /// Asks cargo about the workspace at `root`, by its lock file.
    pub(crate) fn read(root: &Path) -> Result<Self, Error> {
        let fail = |reason: &dyn ToString| Error::Cargo(reason.to_string());
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--format-version=1", "--locked", "--filter-platform", PLATFORM])
            .current_dir(root)
            .output()
            .map_err(|error| fail(&error))?;
        if !output.status.success() {
            return Err(fail(&String::from_utf8_lossy(&output.stderr)));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| fail(&error))
    }

    /// The packages from elsewhere that are used, be it by a test or a tool, in the order of their
    /// names.
    pub(crate) fn used(&self) -> Vec<&Package> {
        let known: BTreeSet<_> = self.resolve.nodes.iter().map(|node| node.id.as_str()).collect();
        self.of_others(|package| known.contains(package.id.as_str()))
    }

    /// The packages from elsewhere that are part of what is installed, in the order of their names.
    pub(crate) fn installed(&self) -> Vec<&Package> {
        let nodes: HashMap<_, _> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let roots = self.packages.iter().filter(|package| {
            package.source.is_none() && INSTALLED.contains(&package.name.as_str())
        });
        let mut next: Vec<&str> = roots.map(|package| package.id.as_str()).collect();
        let mut found = BTreeSet::new();
        while let Some(id) = next.pop() {
            if !found.insert(id) {
                continue;
            }
            let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let built = dependencies
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            next.extend(built.map(|dependency| dependency.pkg.as_str()));
        }
        self.of_others(|package| found.contains(package.id.as_str()))
    }

    fn of_others(&self, wanted: impl Fn(&Package) -> bool) -> Vec<&Package> {
        let others = self.packages.iter().filter(|package| package.source.is_some());
        let mut packages: Vec<_> = others.filter(|package| wanted(package)).collect();
        packages.sort_by_key(|package| (&package.name, &package.version));
        packages
    }
}
