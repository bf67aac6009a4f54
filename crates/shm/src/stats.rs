//! Counts of a source or a receiver.

/// Counts of one end of a ring since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames published (source) or taken (receiver).
    pub frames: u64,
    /// Payload bytes of these frames.
    pub bytes: u64,
    /// Receiver: frames that it missed, those that were lost between hosts among them. Source: 0.
    pub missed: u64,
    /// Source: how often a call waited for receivers. Receiver: how often one had to sleep.
    pub waits: u64,
    /// Frames that the program holds now.
    pub held: u32,
    /// Source: receivers in its ring, which are those on this host. Receiver: 1 while its group has
    /// a source, else 0.
    pub peers: u32,
    /// Frames that the program may hold at once. Receiver: 0 until its group has had a source.
    pub hold_limit: usize,
    /// Receiver: the source has ended the stream and every frame of it was taken. A receiver that
    /// was closed for another reason, or a source: false.
    pub ended: bool,
}
