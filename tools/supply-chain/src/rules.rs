//! The rules of `deny.toml`: which licences, sources and duplicates are accepted.

use crate::Error;
use crate::metadata::{Metadata, Package};
use serde::Deserialize;
use spdx::{Expression, ParseMode};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The sections of `deny.toml` that are checked here.
#[derive(Deserialize)]
pub(crate) struct Rules {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licences {
    /// SPDX identifiers.
    allow: Vec<String>,
    /// More of them for single packages.
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
    /// Packages that may be there in several versions.
    skip: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    allow_registry: Vec<String>,
}

impl Rules {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let fail = |reason: String| Error::File { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        toml::from_str(&text).map_err(|error| fail(error.to_string()))
    }

    /// What is against the rules, a line each.
    pub(crate) fn check(&self, metadata: &Metadata) -> Vec<String> {
        let packages = metadata.used();
        let mut faults: Vec<_> = packages.iter().flat_map(|it| self.faults_of(it)).collect();
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in &packages {
            versions.entry(&package.name).or_default().insert(&package.version);
        }
        for (name, versions) in versions {
            let skipped = self.bans.skip.iter().any(|skip| skip.name == name);
            match (versions.len(), skipped) {
                (2.., false) => {
                    let found = versions.into_iter().collect::<Vec<_>>().join(" and ");
                    faults.push(format!(
                        "{name}: found versions {found}; accepted is one, or a line in bans.skip"
                    ));
                }
                (1, true) => {
                    faults.push(format!("{name}: bans.skip names it, and it has one version"))
                }
                _ => {}
            }
        }
        faults
    }

    fn faults_of(&self, package: &Package) -> Vec<String> {
        let Package { name, version, .. } = package;
        let mut faults = Vec::new();
        let licence = package.license.as_deref().unwrap_or("none");
        if !self.accepts(name, licence) {
            let accepted = self.licenses.allow.join(", ");
            faults.push(format!("{name} {version}: licence {licence}; accepted are {accepted}"));
        }
        let source = package.source.as_deref().unwrap_or_default();
        let registry = source.strip_prefix("registry+").unwrap_or(source);
        if !self.sources.allow_registry.iter().any(|allowed| allowed == registry) {
            let accepted = self.sources.allow_registry.join(", ");
            faults.push(format!("{name} {version}: source {source}; accepted are {accepted}"));
        }
        if self.bans.deny.iter().any(|banned| banned.name == *name) {
            faults.push(format!("{name} {version}: bans.deny names it"));
        }
        faults
    }

    /// Whether a licence expression can be met by licences that are allowed.
    fn accepts(&self, name: &str, licence: &str) -> bool {
        let exceptions = self.licenses.exceptions.iter().filter(|exception| exception.name == name);
        let allowed: Vec<_> =
            self.licenses.allow.iter().chain(exceptions.flat_map(|it| &it.allow)).collect();
        Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| {
            expression.evaluate(|requirement| {
                allowed.iter().any(|allowed| **allowed == requirement.to_string())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_met_by_what_is_allowed() {
        let text = "
            licenses = { allow = ['MIT', 'Apache-2.0'], exceptions = [{ crate = 'c', allow = ['MPL-2.0'] }] }
            bans = { deny = [], skip = [] }
            sources = { allow-registry = [] }";
        let rules: Rules = toml::from_str(text).unwrap();
        for (name, licence, accepted) in [
            ("a", "MIT", true),
            ("a", "MIT/Apache-2.0", true),
            ("a", "Apache-2.0 WITH LLVM-exception OR MIT", true),
            ("a", "Apache-2.0 WITH LLVM-exception", false),
            ("a", "MIT OR GPL-3.0-only", true),
            ("a", "MIT AND GPL-3.0-only", false),
            ("a", "MPL-2.0", false),
            ("c", "MPL-2.0", true),
            ("a", "none", false),
        ] {
            assert_eq!(rules.accepts(name, licence), accepted, "{licence}");
        }
    }
}
