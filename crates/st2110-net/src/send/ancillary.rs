//! Ancillary data, ST 2110-40: as a stream of its own, and associated with video.

use media::{Ancillary, Scan};
use st2110::{
    ancillary::{Block, FieldMark, Payloads},
    pacing::{self, Raster, Schedule, SenderType},
    rtp::Header,
    time::FrameClock,
};

use super::{
    Identity, Sending,
    frames::{Frames, Parts},
    outgoing::{Outgoing, Rtp},
    paths::Paths,
    planned::{Planned, Start},
};
use crate::{
    Error,
    engine::{Engine, SharedClock},
    frame::FrameFeed,
    socket::SenderOptions,
};

/// A session that sends ancillary data (ST 2110-40). A frame's payload is a block as
/// [`st2110::ancillary`] describes it.
#[derive(Clone, Debug)]
pub struct AncillarySender {
    /// Frames a second, and the scan of the pictures that the data belong to.
    pub ancillary: Ancillary,
    /// Who the stream is.
    pub identity: Identity,
    /// Where to: one path, or two for ST 2022-7.
    pub paths: Vec<SenderOptions>,
}

impl AncillarySender {
    /// Starts to send what `feed` gives.
    ///
    /// # Errors
    /// A value out of range, or a socket that cannot be opened.
    pub fn start<F: FrameFeed>(&self, engine: &Engine, feed: F) -> Result<Sending, Error> {
        let rate = self.ancillary.rate.as_f64() as u64;
        let parts = self.parts(feed, Paths::open(&self.paths, engine.clock())?, engine.clock())?;
        let session = Frames::new(parts);
        let stats = session.shared_stats();
        let session = engine.add_sender(Box::new(session), rate)?;
        Ok(Sending { session, stats, ancillary: None, sender_type: None })
    }

    /// What the session consists of.
    pub(super) fn parts<F: FrameFeed>(
        &self,
        feed: F,
        paths: Paths,
        clock: &SharedClock,
    ) -> Result<Parts<F, Blocks>, Error> {
        let Ancillary { rate, scan } = self.ancillary;
        let fields = scan == Scan::Interlaced;
        let schedule = Schedule::linear(Raster { height: 1080, fields }, rate, None);
        let pacing = pacing::Sender::new(SenderType::NarrowLinear, schedule, USUAL_PACKETS, None);
        let limit = Paths::payload_limit(&self.paths);
        Ok(Parts {
            feed,
            essence: Blocks { fields, packets: Packets::new(limit) },
            paths,
            rtp: Rtp::new(self.identity.check()?),
            clock: clock.clone(),
            pacing,
            read: schedule,
            frames: FrameClock::frames(rate),
            segmented: false,
        })
    }
}

/// Packets of a frame that are planned for. More are sent as well, only closer together.
const USUAL_PACKETS: u32 = 8;

/// The packets of a frame's block.
struct Packets {
    limit: usize,
    planned: Planned,
}

impl Packets {
    /// Packets of at most `limit` bytes with RTP header.
    fn new(limit: usize) -> Self {
        Self { limit, planned: Planned::new(Start::ExtendedSequence) }
    }

    /// Plans the packets of a block. False if the block is damaged; what there is of it then is not
    /// to be sent.
    fn plan(&mut self, block: &[u8], fields: bool) -> bool {
        self.planned.clear();
        let Ok(block) = Block::parse(block) else { return false };
        let marks: &[FieldMark] =
            if fields { &[FieldMark::First, FieldMark::Second] } else { &[FieldMark::Frame] };
        let room = self.limit.saturating_sub(Header::LEN);
        for (unit, mark) in marks.iter().enumerate() {
            let Ok(mut payloads) = Payloads::new(&block, *mark, room) else { return false };
            while self.planned.push(unit, room, |out| payloads.write(0, out).map(|(len, _)| len)) {}
        }
        true
    }

    /// Sends all packets of a unit.
    fn send_all(&mut self, unit: usize, rtp: &mut Rtp, paths: &mut Paths) {
        let mut first = 0;
        while first < self.planned.count(unit) {
            first += self.planned.send(unit, first, usize::MAX, rtp, paths);
        }
    }
}

pub(super) struct Blocks {
    fields: bool,
    packets: Packets,
}

impl Outgoing for Blocks {
    fn units(&self) -> usize {
        1 + usize::from(self.fields)
    }

    fn begin(&mut self, payload: &[u8], _metadata: &[u8]) -> bool {
        self.packets.plan(payload, self.fields)
    }

    fn packets(&self, unit: usize) -> u32 {
        self.packets.planned.count(unit) as u32
    }

    fn send(
        &mut self,
        _: &[u8],
        unit: usize,
        first: u32,
        most: u32,
        rtp: &mut Rtp,
        paths: &mut Paths,
    ) -> u32 {
        self.packets.planned.send(unit, first as usize, most as usize, rtp, paths) as u32
    }
}

/// The ancillary stream associated with a video stream: the metadata of a frame are a block, whose
/// packets leave when the frame or field begins.
#[derive(Clone, Debug)]
pub struct AssociatedAncillary {
    /// Who the stream is.
    pub identity: Identity,
    /// Where to: one path, or two for ST 2022-7.
    pub paths: Vec<SenderOptions>,
}

/// Video with an associated ancillary stream.
pub(super) struct WithAncillary<E> {
    main: E,
    packets: Packets,
    rtp: Rtp,
    paths: Paths,
}

impl<F, E: Outgoing> Parts<F, E> {
    /// The same with an associated ancillary stream.
    pub(super) fn with_ancillary(
        self,
        associated: &AssociatedAncillary,
    ) -> Result<Parts<F, WithAncillary<E>>, Error> {
        let Self { feed, essence, paths, rtp, clock, pacing, read, frames, segmented } = self;
        let essence = WithAncillary::open(essence, associated, &clock)?;
        Ok(Parts { feed, essence, paths, rtp, clock, pacing, read, frames, segmented })
    }
}

impl<E: Outgoing> WithAncillary<E> {
    fn open(main: E, associated: &AssociatedAncillary, clock: &SharedClock) -> Result<Self, Error> {
        let packets = Packets::new(Paths::payload_limit(&associated.paths));
        let rtp = Rtp::new(associated.identity.check()?);
        Ok(Self { main, packets, rtp, paths: Paths::open(&associated.paths, clock)? })
    }

    pub(super) fn stats(&self) -> &std::sync::Arc<super::SendStats> {
        self.paths.stats()
    }
}

impl<E: Outgoing> Outgoing for WithAncillary<E> {
    fn units(&self) -> usize {
        self.main.units()
    }

    fn begin(&mut self, payload: &[u8], metadata: &[u8]) -> bool {
        if !self.packets.plan(metadata, self.main.units() > 1) {
            // The pictures are not to suffer from metadata of another kind.
            self.paths.stats().counters.wrong_sizes.add(1);
            self.packets.plan(&[], self.main.units() > 1);
        }
        self.main.begin(payload, metadata)
    }

    fn packets(&self, unit: usize) -> u32 {
        self.main.packets(unit)
    }

    fn prepare(&mut self, payload: &[u8], unit: usize, first: u32, sequence: u32) {
        self.main.prepare(payload, unit, first, sequence);
    }

    fn send(
        &mut self,
        payload: &[u8],
        unit: usize,
        first: u32,
        most: u32,
        rtp: &mut Rtp,
        paths: &mut Paths,
    ) -> u32 {
        if first == 0 {
            self.rtp.timestamp = rtp.timestamp;
            self.packets.send_all(unit, &mut self.rtp, &mut self.paths);
            if unit + 1 == self.main.units() {
                self.paths.stats().counters.frames.add(1);
            }
        }
        self.main.send(payload, unit, first, most, rtp, paths)
    }
}
