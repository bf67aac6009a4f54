//! Sending of compressed video, ST 2110-22: the feed gives JPEG XS codestreams.

use media::{FrameRate, Scan};
use st2110::{
    jpegxs::{PacketMode, Packetiser, Part, PictureSegment, TransmissionMode, VideoInformation},
    pacing::{self, Raster, SenderType},
    time::FrameClock,
};

use super::{
    AssociatedAncillary, Identity, Sending,
    frames::Parts,
    outgoing::{Outgoing, Rtp},
    paths::Paths,
    pictures::{add, read_schedule, schedule_of},
    planned::{Planned, Start},
};
use crate::{Error, engine::Engine, frame::FrameFeed, socket::SenderOptions};

/// A session that sends JPEG XS (ST 2110-22, RFC 9134). A frame's payload is a picture segment:
/// boxes, if there are any, and a codestream; of interlaced and segmented video two of them, one
/// behind the other.
#[derive(Clone, Debug)]
pub struct CodestreamSender {
    /// What a packetisation unit is.
    pub mode: PacketMode,
    /// Whether packets may be used out of order.
    pub transmission: TransmissionMode,
    /// What the boxes say that are written before codestreams without any.
    pub information: Option<VideoInformation>,
    /// Frames a second; of interlaced video, whole frames.
    pub rate: FrameRate,
    /// How frames are scanned.
    pub scan: Scan,
    /// Lines of a frame.
    pub height: u32,
    /// Bytes of a frame's codestreams at most; larger ones are dropped. Packets are paced for as
    /// many.
    pub limit: usize,
    /// The sender's type, if software can be that at this packet rate; otherwise the stream is
    /// Wide.
    pub pacing: SenderType,
    /// Who the stream is.
    pub identity: Identity,
    /// Where to: one path, or two for ST 2022-7.
    pub paths: Vec<SenderOptions>,
    /// A stream of ancillary data (ST 2110-40) made of the frames' metadata.
    pub ancillary: Option<AssociatedAncillary>,
}

impl CodestreamSender {
    /// Starts to send what `feed` gives.
    ///
    /// # Errors
    /// What is to be sent is not possible, or a socket cannot be opened.
    pub fn start<F: FrameFeed>(&self, engine: &Engine, feed: F) -> Result<Sending, Error> {
        let limit = Paths::payload_limit(&self.paths);
        let packetiser = Packetiser::new(self.mode, self.transmission, limit, self.information)?;
        let raster = Raster { height: self.height, fields: self.units() > 1 };
        let kind = self.sender_type();
        let schedule = schedule_of(kind, raster, self.rate);
        let read = read_schedule(kind, raster, self.rate);
        let udp = self
            .paths
            .iter()
            .map(|path| path.udp_limit)
            .max()
            .and_then(|limit| u16::try_from(limit).ok());
        let pacing =
            pacing::Sender::new(kind, schedule, self.packets(), udp.filter(|limit| *limit > 1460));
        let essence = Codestreams {
            packetiser,
            units: self.units(),
            limit: self.limit,
            room: limit,
            frame: 0,
            planned: Planned::new(Start::Payload),
        };
        let (paths, rtp) =
            (Paths::open(&self.paths, engine.clock())?, Rtp::new(self.identity.check()?));
        let (clock, frames) = (engine.clock().clone(), FrameClock::frames(self.rate));
        let segmented = self.scan == Scan::Psf;
        let per_second = (f64::from(self.packets()) * self.unit_clock().rate().as_f64()) as u64;
        let parts = Parts { feed, essence, paths, rtp, clock, pacing, read, frames, segmented };
        let Some(associated) = &self.ancillary else {
            return add(engine, parts, per_second, None, kind);
        };
        let parts = parts.with_ancillary(associated)?;
        let ancillary = parts.essence.stats().clone();
        add(engine, parts, per_second, Some(ancillary), kind)
    }

    /// The type that the sender is, and the session description must say.
    pub fn sender_type(&self) -> SenderType {
        SenderType::achievable(self.pacing, self.packets(), self.unit_clock().rate())
    }

    fn units(&self) -> usize {
        if self.scan == Scan::Progressive { 1 } else { 2 }
    }

    fn unit_clock(&self) -> FrameClock {
        if self.units() > 1 { FrameClock::fields(self.rate) } else { FrameClock::frames(self.rate) }
    }

    /// Packets of a unit that are planned for.
    fn packets(&self) -> u32 {
        let data = Paths::payload_limit(&self.paths).saturating_sub(HEADERS).max(1);
        u32::try_from((self.limit / self.units()).div_ceil(data)).unwrap_or(u32::MAX)
    }
}

/// Octets of RTP header and payload header.
const HEADERS: usize = st2110::rtp::Header::LEN + 4;

struct Codestreams {
    packetiser: Packetiser,
    units: usize,
    limit: usize,
    /// Bytes of a packet at most.
    room: usize,
    /// Counts frames, for the payload headers.
    frame: u64,
    planned: Planned,
}

impl Codestreams {
    /// Writes the packets of one picture. What follows it is given back.
    fn plan<'a>(&mut self, unit: usize, part: Part, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let picture = PictureSegment::parse(bytes).ok()?;
        let packets = self.packetiser.packets(&picture, part, self.frame).ok()?;
        for index in 0..packets.len() {
            let written = self.planned.push(unit, self.room, |out| {
                let size = packets.size(index);
                let (header, data) = out.get_mut(..size)?.split_at_mut(packets.header(index).len());
                header.copy_from_slice(&packets.header(index));
                let [first, second] = packets.data(index);
                data[..first.len()].copy_from_slice(first);
                data[first.len()..].copy_from_slice(second);
                Some(size)
            });
            if !written {
                return None;
            }
        }
        Some(picture.after(bytes))
    }
}

impl Outgoing for Codestreams {
    fn units(&self) -> usize {
        self.units
    }

    fn begin(&mut self, payload: &[u8], _metadata: &[u8]) -> bool {
        self.planned.clear();
        if payload.len() > self.limit {
            return false;
        }
        let planned = if self.units == 1 {
            self.plan(0, Part::Progressive, payload).is_some()
        } else {
            self.plan(0, Part::First, payload)
                .and_then(|rest| self.plan(1, Part::Second, rest))
                .is_some()
        };
        self.frame += 1;
        planned
    }

    fn packets(&self, unit: usize) -> u32 {
        self.planned.count(unit) as u32
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
        self.planned.send(unit, first as usize, most as usize, rtp, paths) as u32
    }
}
