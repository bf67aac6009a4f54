//! The skeleton of receiving sessions: sockets, the packets of one stream, and an essence that
//! makes frames of them.

use std::sync::Arc;

use media::Tai;

use super::{Receiving, associated::Associated, intake::Intake, selection::Packets};
use crate::{
    Error,
    engine::{Engine, Moment, Outcome, Over, ReceiveTask},
    socket::{Batch, Receiver},
};

/// Makes frames of a stream's packets, and hands them to the session's sink.
pub(super) trait Incoming: Send + 'static {
    /// Takes packets that arrived together, and hands over the frames that they finish.
    fn packets(&mut self, packets: &Packets<'_>) -> Taken;

    /// When [`Incoming::tick`] is wanted, packets or not.
    fn deadline(&self) -> Option<Tai>;

    /// All packets that had come by `now` have been read: hands over the frames that are due. False
    /// if the sink wants no more.
    fn tick(&mut self, now: Tai) -> bool;

    /// Writes counts that are kept elsewhere to the session's statistics.
    fn publish(&self) {}

    /// The ancillary stream associated with this one.
    fn associated(&self) -> Option<&Associated> {
        None
    }

    /// Reads a batch from a socket of the associated stream, and hands over the frames that waited
    /// for it.
    fn receive_associated(&mut self, _path: usize, _: &mut Batch, _: Moment) -> Outcome {
        Outcome::Nothing
    }
}

/// What became of packets that arrived together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Packets whose payload does not fit the format.
    pub(super) refused: usize,
    /// Whether the sink wants more frames.
    pub(super) wants_more: bool,
}

struct Session<I> {
    intake: Intake,
    incoming: I,
}

/// Adds a session to the engine that receives about `packets` packets a second from `intake`.
pub(super) fn start<I: Incoming>(
    engine: &Engine,
    intake: Intake,
    incoming: I,
    packets: u64,
) -> Result<Receiving, Error> {
    let stats = Arc::clone(intake.stats());
    let ancillary = incoming.associated().map(|stream| Arc::clone(stream.stats()));
    let session = engine.add_receiver(Box::new(Session { intake, incoming }), packets)?;
    Ok(Receiving { session, stats, ancillary })
}

/// How a session goes on after a socket was read.
fn unless_over(wants_more: bool, outcome: Outcome) -> Outcome {
    if wants_more { outcome } else { Outcome::End }
}

impl<I: Incoming> ReceiveTask for Session<I> {
    fn socket(&self, path: usize) -> Option<&Receiver> {
        let own = self.intake.sockets();
        let associated = || self.incoming.associated()?.sockets().get(path - own.len());
        own.get(path).or_else(associated)
    }

    fn receive(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome {
        let incoming = &mut self.incoming;
        let outcome = match path.checked_sub(self.intake.sockets().len()) {
            Some(path) => incoming.receive_associated(path, batch, moment),
            None => {
                let mut wants_more = true;
                let outcome = self.intake.receive(path, batch, moment, |packets| {
                    let taken = incoming.packets(packets);
                    wants_more &= taken.wants_more;
                    taken.refused
                });
                unless_over(wants_more, outcome)
            }
        };
        incoming.publish();
        outcome
    }

    fn deadline(&self) -> Option<Tai> {
        self.incoming.deadline()
    }

    fn tick(&mut self, now: Tai) -> Outcome {
        let wants_more = self.incoming.tick(now);
        self.incoming.publish();
        unless_over(wants_more, Outcome::Drained)
    }

    fn over(&mut self, why: Over) {
        self.intake.stats().end(why);
        if let Some(stream) = self.incoming.associated() {
            stream.stats().end(why);
        }
    }
}
