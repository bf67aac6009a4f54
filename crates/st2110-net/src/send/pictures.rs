//! Uncompressed video, ST 2110-20.

use std::{io::IoSlice, sync::Arc};

use media::FrameRate;
use st2110::{
    pacing::{self, Raster, Schedule, SenderType},
    rtp::Header,
    time::FrameClock,
    video::{Field, FrameLayout, Packetiser, Packing, Picture, Scan},
};

use super::{
    Identity, Rider, SendStats, Sending,
    ancillary::WithRider,
    frames::{Frames, Parts},
    outgoing::{Outgoing, Rtp},
    paths::Paths,
    planned::BUNDLE_BYTES,
};
use crate::{
    Error,
    engine::Engine,
    frame::FrameFeed,
    socket::{BUNDLE, SenderOptions},
};

/// A session that sends uncompressed video (ST 2110-20).
#[derive(Clone, Debug)]
pub struct VideoSender {
    /// What is sent.
    pub picture: Picture,
    /// How frames lie in memory.
    pub layout: FrameLayout,
    /// How pgroups are put into packets.
    pub packing: Packing,
    /// Frames a second; of interlaced video, whole frames.
    pub rate: FrameRate,
    /// The sender's type, if software can be that at this packet rate; otherwise the stream is Wide.
    pub pacing: SenderType,
    /// Who the stream is.
    pub identity: Identity,
    /// Where to: one path, or two for ST 2022-7.
    pub paths: Vec<SenderOptions>,
    /// A stream of ancillary data (ST 2110-40) made of the frames' metadata.
    pub ancillary: Option<Rider>,
}

impl VideoSender {
    /// Starts to send what `feed` gives.
    ///
    /// # Errors
    /// What is to be sent is not possible, or a socket cannot be opened.
    pub fn start<F: FrameFeed>(&self, engine: &Engine, feed: F) -> Result<Sending, Error> {
        let packetiser = self.packetiser()?;
        let pacing = self.pacing_of(&packetiser);
        let judge = read_schedule(self.sender_type()?, self.raster(), self.rate);
        let paths = Paths::open(&self.paths, engine.clock())?;
        let per_second = packetiser.frame_packets() as f64 * self.rate.as_f64();
        let rtp = Rtp::new(self.identity.check()?);
        let essence = Pictures::new(packetiser, pacing.largest_burst() as usize);
        let (clock, frames) = (engine.clock().clone(), FrameClock::frames(self.rate));
        let segmented = self.picture.scan() == Scan::Psf;
        let Some(rider) = &self.ancillary else {
            let parts =
                Parts { feed, essence, paths, rtp, clock, pacing, judge, frames, segmented };
            return add(engine, parts, per_second as u64, None);
        };
        let essence = WithRider::open(essence, rider, engine.clock())?;
        let ancillary = essence.stats().clone();
        let parts = Parts { feed, essence, paths, rtp, clock, pacing, judge, frames, segmented };
        add(engine, parts, per_second as u64, Some(ancillary))
    }

    /// The type that the sender is, and the session description must say.
    ///
    /// # Errors
    /// What is to be sent is not possible.
    pub fn sender_type(&self) -> Result<SenderType, Error> {
        let packets = self.packetiser()?.packets(Field::First) as u32;
        Ok(SenderType::achievable(self.pacing, packets, self.units().rate()))
    }

    fn units(&self) -> FrameClock {
        if self.picture.fields().len() > 1 {
            FrameClock::fields(self.rate)
        } else {
            FrameClock::frames(self.rate)
        }
    }

    fn raster(&self) -> Raster {
        Raster { height: self.picture.height(), fields: self.picture.fields().len() > 1 }
    }

    fn packetiser(&self) -> Result<Packetiser, Error> {
        let limit = Paths::payload_limit(&self.paths);
        Ok(Packetiser::new(self.picture, self.layout, self.packing, limit)?)
    }

    fn pacing_of(&self, packetiser: &Packetiser) -> pacing::Sender {
        let raster =
            Raster { height: self.picture.height(), fields: self.picture.fields().len() > 1 };
        let packets = packetiser.packets(Field::First) as u32;
        let kind = SenderType::achievable(self.pacing, packets, self.units().rate());
        let schedule = schedule_of(kind, raster, self.rate);
        let udp = self
            .paths
            .iter()
            .map(|path| path.udp_limit)
            .max()
            .and_then(|limit| u16::try_from(limit).ok());
        pacing::Sender::new(kind, schedule, packets, udp.filter(|limit| *limit > 1460))
    }
}

/// The schedule that packets are sent by. A Wide sender's are read in the active part of the frame, but its buffer is large enough to
/// spread them over the whole of it: so the same packets leave in calmer order, and what is late catches up sooner.
pub(super) fn schedule_of(kind: SenderType, raster: Raster, rate: FrameRate) -> Schedule {
    match kind {
        SenderType::Narrow => Schedule::gapped(raster, rate, None),
        SenderType::NarrowLinear | SenderType::Wide => Schedule::linear(raster, rate, None),
    }
}

/// The schedule that packets are judged by.
pub(super) fn read_schedule(kind: SenderType, raster: Raster, rate: FrameRate) -> Schedule {
    match kind {
        SenderType::NarrowLinear => Schedule::linear(raster, rate, None),
        SenderType::Narrow | SenderType::Wide => Schedule::gapped(raster, rate, None),
    }
}

/// Starts a session, with the statistics of what rides along.
pub(super) fn add<F: FrameFeed, E: Outgoing + 'static>(
    engine: &Engine,
    parts: Parts<F, E>,
    per_second: u64,
    ancillary: Option<Arc<SendStats>>,
) -> Result<Sending, Error> {
    let mut session = Frames::new(parts);
    if engine.kernel_pacing() {
        session = session.paced_by_kernel();
    }
    let stats = session.shared_stats();
    let session = engine.add_sender(Box::new(session), per_second)?;
    Ok(Sending { session, stats, ancillary })
}

/// Room for two bundles, so that what is converted ahead seldom has to be moved.
const STAGING: usize = 131_072;
/// A payload header is at most the extended sequence number and three segment headers (RFC 4175 §4).
const HEAD: usize = Header::LEN + 2 + 3 * 6;

/// Packets of frames of video.
struct Pictures {
    packetiser: Packetiser,
    /// Packets one behind the other, or only their headers where the data are sent straight from the frame.
    staging: Box<[u8]>,
    ready: Ready,
    /// So many packets are converted ahead: as many as may leave at once.
    ahead: usize,
}

/// Packets that are converted and not yet sent, all of one size. They lie one behind the other.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    /// Number of the first one in its field.
    first: usize,
    count: usize,
    /// Where it lies.
    at: usize,
    size: usize,
}

impl Pictures {
    fn new(packetiser: Packetiser, ahead: usize) -> Self {
        Self { packetiser, staging: vec![0; STAGING].into(), ready: Ready::default(), ahead }
    }

    fn field(unit: usize) -> Field {
        Field::ALL[unit.min(1)]
    }

    /// Converts up to `most` packets from `first` on, as many as have the size of the first or are followed by one smaller one, to the
    /// place `at`. Returns how many.
    fn convert(
        &mut self,
        frame: &[u8],
        field: Field,
        first: usize,
        most: usize,
        at: usize,
        sequence: u32,
    ) -> usize {
        let size = Header::LEN + self.packetiser.size(field, first);
        let most = most.min(BUNDLE).min((BUNDLE_BYTES / size).max(1));
        let most = most.min((self.staging.len() - at) / size);
        if most == 0 {
            return 0;
        }
        let count = self.packetiser.equal_run(field, first, most);
        let out = &mut self.staging[at..];
        let written = self.packetiser.write(frame, field, first..first + count, sequence, out);
        debug_assert!(written.is_ok(), "the frame has its size, and there is room");
        count
    }

    /// Header and payload of each packet by reference, if they lie in the frame as they are to be sent.
    fn send_in_place(
        &mut self,
        frame: &[u8],
        field: Field,
        first: usize,
        count: usize,
        rtp: &mut Rtp,
        paths: &mut Paths,
    ) -> bool {
        let last = self.packetiser.packets(field) - 1;
        let size = Header::LEN + self.packetiser.size(field, first);
        let mut data = [const { 0..0 }; BUNDLE];
        for (index, range) in data[..count].iter_mut().enumerate() {
            let Some(mut ranges) = self.packetiser.source(field, first + index) else {
                return false;
            };
            let (Some(one), None) = (ranges.next(), ranges.next()) else { return false };
            *range = one;
        }
        let mut heads = [0; BUNDLE];
        for (index, (len, room)) in
            heads[..count].iter_mut().zip(self.staging.chunks_exact_mut(HEAD)).enumerate()
        {
            let extended = (rtp.sequence() >> 16) as u16;
            let payload = self.packetiser.header(field, first + index, extended);
            let payload = payload.as_bytes();
            *len = Header::LEN + payload.len();
            room[..Header::LEN].copy_from_slice(&rtp.next(first + index == last).to_bytes());
            room[Header::LEN..*len].copy_from_slice(payload);
        }
        let mut parts = [IoSlice::new(&[]); 2 * BUNDLE];
        let rooms = self.staging.chunks_exact(HEAD).zip(&heads);
        for ((part, (room, len)), range) in parts.chunks_exact_mut(2).zip(rooms).zip(&data[..count])
        {
            part[0] = IoSlice::new(&room[..*len]);
            part[1] = IoSlice::new(&frame[range.clone()]);
        }
        paths.send_gathered(&parts[..2 * count], 2, size);
        true
    }
}

impl Outgoing for Pictures {
    fn units(&self) -> usize {
        self.packetiser.picture().fields().len()
    }

    fn begin(&mut self, payload: &[u8], _metadata: &[u8]) -> bool {
        self.ready.count = 0;
        payload.len() == self.packetiser.frame_size()
    }

    fn packets(&self, unit: usize) -> u32 {
        self.packetiser.packets(Self::field(unit)) as u32
    }

    fn prepare(&mut self, payload: &[u8], unit: usize, first: u32, sequence: u32) {
        let (field, first) = (Self::field(unit), first as usize);
        let packets = self.packetiser.packets(field);
        if self.packetiser.source(field, 0).is_some() || first >= packets {
            return;
        }
        let size = Header::LEN + self.packetiser.size(field, first);
        if self.ready.count == 0 || self.ready.first != first || self.ready.size != size {
            self.ready = Ready { first, count: 0, at: 0, size };
        }
        let Ready { count, at, .. } = self.ready;
        let (from, next) = (at + count * size, first + count);
        let ahead = self.ahead.min(BUNDLE_BYTES / size).max(1);
        if count >= ahead
            || next >= packets
            || self.packetiser.size(field, next) + Header::LEN != size
        {
            return;
        }
        let mut from = from;
        if self.staging.len() - from < (ahead - count) * size {
            self.staging.copy_within(at..from, 0);
            (self.ready.at, from) = (0, count * size);
        }
        self.ready.count += self.convert(
            payload,
            field,
            next,
            ahead - count,
            from,
            sequence.wrapping_add(count as u32),
        );
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
        let (field, first, most) = (Self::field(unit), first as usize, (most as usize).min(BUNDLE));
        let last = self.packetiser.packets(field) - 1;
        let size = Header::LEN + self.packetiser.size(field, first);
        let is_ready = self.ready.count > 0 && self.ready.first == first;
        if !is_ready {
            let count =
                self.packetiser.equal_run(field, first, most.min((BUNDLE_BYTES / size).max(1)));
            if self.send_in_place(payload, field, first, count, rtp, paths) {
                return count as u32;
            }
            let count = self.convert(payload, field, first, most, 0, rtp.sequence());
            self.ready = Ready { first, count, at: 0, size };
        }
        let Ready { count, at, .. } = self.ready;
        let count = count.min(most);
        // The last packet of all may be smaller.
        let end = if first + count > last {
            Header::LEN + self.packetiser.size(field, last)
        } else {
            size
        };
        let bytes = &mut self.staging[at..at + (count - 1) * size + end];
        for (index, packet) in bytes.chunks_mut(size).enumerate() {
            let header = rtp.next(first + index == last).to_bytes();
            packet[..Header::LEN].copy_from_slice(&header);
        }
        paths.send(bytes, size);
        self.ready.first += count;
        self.ready.count -= count;
        self.ready.at += count * size;
        count as u32
    }
}
