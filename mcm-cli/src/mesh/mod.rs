//! What flows where: the mesh as one media proxy knows it, or as a mesh agent knows the whole
//! fleet.

mod agent;
mod proxy;

pub(crate) use agent::{AGENT_PORT, AgentClient};
pub(crate) use proxy::of_proxy;

/// Hosts and groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mesh {
    pub(crate) hosts: Vec<Host>,
    pub(crate) groups: Vec<Group>,
}

/// A media proxy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Host {
    /// Its id.
    pub(crate) id: String,
    /// Its address, as people know the host.
    pub(crate) name: String,
    /// It was heard of lately.
    pub(crate) healthy: bool,
}

/// A multipoint group.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) format: String,
    /// What its source sends: the same on all hosts.
    pub(crate) stream: String,
    /// Why hosts do not get what they should.
    pub(crate) problems: Vec<String>,
    pub(crate) members: Vec<Member>,
}

/// What a member of a group does there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    #[default]
    Source,
    Receiver,
}

/// A program's connection, or a bridge.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// Its media proxy's id.
    pub(crate) host: String,
    pub(crate) role: Role,
    /// The program, or what carries the frames of a bridge.
    pub(crate) name: String,
    pub(crate) bridge: Option<Bridge>,
    pub(crate) pid: u64,
    pub(crate) state: String,
    /// Frames can flow.
    pub(crate) up: bool,
    pub(crate) frames: u64,
    pub(crate) missed: u64,
    pub(crate) fps: f64,
    pub(crate) mbit_per_s: f64,
    pub(crate) queue: u64,
    pub(crate) capacity: u64,
    pub(crate) held: Option<u64>,
    pub(crate) waits: Option<u64>,
}

/// Where a bridge leads.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bridge {
    /// The media proxy at the other end, if there is one and it is known.
    pub(crate) peer: String,
    /// The address at the other end.
    pub(crate) remote: String,
}

impl Mesh {
    /// A host's name for people: its address, or its id where that is not known.
    pub(crate) fn host_name<'a>(&'a self, id: &'a str) -> &'a str {
        let host = self.hosts.iter().find(|host| host.id == id);
        host.map_or(id, |host| if host.name.is_empty() { &host.id } else { &host.name })
    }

    /// This group alone, or all if the name is empty.
    pub(crate) fn only(mut self, group: &str) -> Self {
        self.groups.retain(|known| group.is_empty() || known.id == group);
        self
    }
}

impl Group {
    /// The members on a host that are programs which receive.
    pub(crate) fn receivers(&self, host: &str) -> impl Iterator<Item = &Member> {
        let on_host = self.members.iter().filter(move |member| member.host == host);
        on_host.filter(|member| member.role == Role::Receiver && member.bridge.is_none())
    }

    /// Who puts frames in first: a program, or a bridge from outside the mesh.
    pub(crate) fn origin(&self) -> Option<&Member> {
        let sources = || self.members.iter().filter(|member| member.role == Role::Source);
        let outside =
            |member: &&Member| member.bridge.as_ref().is_none_or(|bridge| bridge.peer.is_empty());
        let program = sources().find(|member| member.bridge.is_none());
        program.or_else(|| sources().find(outside)).or_else(|| sources().next())
    }

    /// The bridges on a host that take frames out of the group there.
    pub(crate) fn egresses(&self, host: &str) -> impl Iterator<Item = (&Member, &Bridge)> {
        let on_host = self.members.iter().filter(move |member| member.host == host);
        let receivers = on_host.filter(|member| member.role == Role::Receiver);
        receivers.filter_map(|member| Some((member, member.bridge.as_ref()?)))
    }

    /// The bridge on a host that brings frames from another proxy.
    pub(crate) fn ingress(&self, host: &str, from: &str) -> Option<&Member> {
        self.members.iter().find(|member| {
            let bridge = member.bridge.as_ref();
            member.host == host
                && member.role == Role::Source
                && bridge.is_some_and(|bridge| bridge.peer == from)
        })
    }
}
