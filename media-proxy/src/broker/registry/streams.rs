//! Stream ids, by which operators identify a group's stream: the same on every host from the source
//! to all receivers.

use super::Registry;
use log::info;
use std::collections::HashMap;

impl Registry {
    /// The stream of a group: the id of the program's connection that sends it; for a bridge, the
    /// control plane's; without a source, that of the last one.
    pub(crate) fn stream_of(&self, group: &str) -> Option<&str> {
        let entry = self.groups.get(group);
        let source = entry.and_then(|entry| self.connections.get(&entry.source?));
        if let Some(program) = source.filter(|source| !source.bridge) {
            return Some(&program.id);
        }
        let told = self.streams.get(group).map(String::as_str);
        told.or_else(|| entry?.last_stream.as_deref())
    }

    /// Takes the streams of groups from the control plane.
    pub(crate) fn name_streams(&mut self, streams: HashMap<String, String>) {
        let before = std::mem::replace(&mut self.streams, streams);
        for (group, stream) in &self.streams {
            let is_new = before.get(group) != Some(stream);
            // Of a program on this host it is known already.
            if is_new && self.groups.contains_key(group) && self.stream_of(group) == Some(stream) {
                info!("group {group:?}: stream {stream}");
            }
        }
        self.version += 1;
    }
}
