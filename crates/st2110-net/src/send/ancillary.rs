//! Ancillary data, ST 2110-40: as a stream of its own, and beside video.

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
};
use crate::{Error, engine::Engine, frame::FrameFeed, socket::SenderOptions};

/// A session that sends ancillary data (ST 2110-40). A frame's payload is a block as [`st2110::ancillary`] describes it.
#[derive(Clone, Debug)]
pub struct AncillarySender {
    /// Frames a second, and the scan of the pictures that the data belong to.
    pub ancillary: Ancillary,
    /// Who the stream is.
    pub identity: Identity,
    /// Where to: one path, or two for ST 2022-7.
    pub paths: Vec<SenderOptions>,
}

/// Packets of a frame that are planned for. More are sent as well, only closer together.
const USUAL_PACKETS: u32 = 8;

impl AncillarySender {
    /// Starts to send what `feed` gives.
    ///
    /// # Errors
    /// A value out of range, or a socket that cannot be opened.
    pub fn start<F: FrameFeed>(&self, engine: &Engine, feed: F) -> Result<Sending, Error> {
        let Ancillary { rate, scan } = self.ancillary;
        let limit = Paths::payload_limit(&self.paths);
        let paths = Paths::open(&self.paths)?;
        let fields = scan == Scan::Interlaced;
        let schedule = Schedule::linear(Raster { height: 1080, fields }, rate, None);
        let pacing = pacing::Sender::new(SenderType::NarrowLinear, schedule, USUAL_PACKETS, None);
        let session = Frames::new(Parts {
            feed,
            essence: Blocks { fields, packets: Packets::new(limit) },
            paths,
            rtp: Rtp::new(self.identity.check()?),
            clock: engine.clock().clone(),
            pacing,
            frames: FrameClock::frames(rate),
            segmented: false,
        });
        let stats = session.shared_stats();
        let session = engine.add_sender(Box::new(session), rate.as_f64() as u64)?;
        Ok(Sending { session, stats, ancillary: None })
    }
}

/// The packets of a frame's block.
pub(super) struct Packets {
    limit: usize,
    /// Room for each RTP header and its payload, one packet after the other.
    bytes: Vec<u8>,
    /// Where each packet of a field ends in `bytes`. The second field begins where the first ends.
    ends: [Vec<usize>; 2],
}

impl Packets {
    /// Packets of at most `limit` bytes with RTP header.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), ends: [Vec::new(), Vec::new()] }
    }

    /// Plans the packets of a block. False if the block is damaged; then there are none.
    pub(super) fn plan(&mut self, block: &[u8], fields: bool) -> bool {
        self.bytes.clear();
        self.ends.iter_mut().for_each(Vec::clear);
        let Ok(block) = Block::parse(block) else { return false };
        let marks: &[FieldMark] =
            if fields { &[FieldMark::First, FieldMark::Second] } else { &[FieldMark::Frame] };
        let room = self.limit.saturating_sub(Header::LEN);
        for (mark, ends) in marks.iter().zip(&mut self.ends) {
            let Ok(mut payloads) = Payloads::new(&block, *mark, room) else { return false };
            loop {
                let start = self.bytes.len();
                self.bytes.resize(start + Header::LEN + room, 0);
                let payload = &mut self.bytes[start + Header::LEN..];
                let Some((len, _)) = payloads.write(0, payload) else {
                    self.bytes.truncate(start);
                    break;
                };
                self.bytes.truncate(start + Header::LEN + len);
                ends.push(self.bytes.len());
            }
        }
        true
    }

    pub(super) fn count(&self, unit: usize) -> usize {
        self.ends.get(unit).map_or(0, Vec::len)
    }

    /// Sends packet `index` of a unit.
    pub(super) fn send(&mut self, unit: usize, index: usize, rtp: &mut Rtp, paths: &mut Paths) {
        let ends = &self.ends[unit];
        let start = match (unit, index) {
            (0, 0) => 0,
            (_, 0) => self.ends[0].last().copied().unwrap_or(0),
            (_, index) => ends[index - 1],
        };
        let packet = &mut self.bytes[start..ends[index]];
        let extended = (rtp.sequence() >> 16) as u16;
        let header = rtp.next(index + 1 == ends.len());
        packet[..Header::LEN].copy_from_slice(&header.to_bytes());
        packet[Header::LEN..][..2].copy_from_slice(&extended.to_be_bytes());
        paths.send(packet, packet.len());
    }
}

struct Blocks {
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
        self.packets.count(unit) as u32
    }

    fn send(
        &mut self,
        _: &[u8],
        unit: usize,
        first: u32,
        _most: u32,
        rtp: &mut Rtp,
        paths: &mut Paths,
    ) -> u32 {
        self.packets.send(unit, first as usize, rtp, paths);
        1
    }
}

/// Ancillary data that ride with video: the frame's metadata are a block, whose packets leave when the frame or field begins.
#[derive(Clone, Debug)]
pub struct Rider {
    /// Who the stream is.
    pub identity: Identity,
    /// Where to: one path, or two for ST 2022-7.
    pub paths: Vec<SenderOptions>,
}

/// Video with ancillary data beside it.
pub(super) struct WithRider<E> {
    main: E,
    packets: Packets,
    rtp: Rtp,
    paths: Paths,
}

impl<E: Outgoing> WithRider<E> {
    pub(super) fn open(main: E, rider: &Rider) -> Result<Self, Error> {
        let packets = Packets::new(Paths::payload_limit(&rider.paths));
        let rtp = Rtp::new(rider.identity.check()?);
        Ok(Self { main, packets, rtp, paths: Paths::open(&rider.paths)? })
    }

    pub(super) fn stats(&self) -> &std::sync::Arc<super::SendStats> {
        self.paths.stats()
    }
}

impl<E: Outgoing> Outgoing for WithRider<E> {
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
            for index in 0..self.packets.count(unit) {
                self.packets.send(unit, index, &mut self.rtp, &mut self.paths);
            }
            if unit + 1 == self.main.units() {
                self.paths.stats().counters.frames.add(1);
            }
        }
        self.main.send(payload, unit, first, most, rtp, paths)
    }
}
