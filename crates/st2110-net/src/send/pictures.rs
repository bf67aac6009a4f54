//! Sending of uncompressed video, ST 2110-20.

use std::{io::IoSlice, sync::Arc};

use media::FrameRate;
use st2110::{
    pacing::{self, Raster, Schedule, SenderType},
    rtp::Header,
    time::FrameClock,
    video::{Field, FrameLayout, Packetiser, Packing, Picture, Scan},
};

use super::{
    AssociatedAncillary, Identity, SendStats, Sending,
    frames::{Frames, Parts},
    outgoing::{Outgoing, Rtp},
    paths::Paths,
};
use crate::{
    Error,
    engine::{Engine, SharedClock},
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

impl VideoSender {
    /// Starts to send what `feed` gives.
    ///
    /// # Errors
    /// What is to be sent is not possible, or a socket cannot be opened.
    pub fn start<F: FrameFeed>(&self, engine: &Engine, feed: F) -> Result<Sending, Error> {
        let parts = self.parts(feed, Paths::open(&self.paths, engine.clock())?, engine.clock())?;
        let per_second = parts.essence.packetiser.frame_packets() as f64 * self.rate.as_f64();
        let sender_type = self.sender_type()?;
        let Some(associated) = &self.ancillary else {
            return add(engine, parts, per_second as u64, None, sender_type);
        };
        let parts = parts.with_ancillary(associated)?;
        let ancillary = parts.essence.stats().clone();
        add(engine, parts, per_second as u64, Some(ancillary), sender_type)
    }

    /// What the session consists of, without the associated ancillary stream.
    pub(super) fn parts<F: FrameFeed>(
        &self,
        feed: F,
        paths: Paths,
        clock: &SharedClock,
    ) -> Result<Parts<F, Pictures>, Error> {
        let packetiser = self.packetiser()?;
        let pacing = self.pacing_of(&packetiser);
        Ok(Parts {
            feed,
            essence: Pictures::new(packetiser, pacing.largest_burst() as usize),
            paths,
            rtp: Rtp::new(self.identity.check()?),
            clock: clock.clone(),
            pacing,
            read: read_schedule(self.sender_type()?, self.raster(), self.rate),
            frames: FrameClock::frames(self.rate),
            segmented: self.picture.scan() == Scan::Psf,
        })
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

    pub(super) fn raster(&self) -> Raster {
        Raster { height: self.picture.height(), fields: self.picture.fields().len() > 1 }
    }

    fn packetiser(&self) -> Result<Packetiser, Error> {
        let limit = Paths::payload_limit(&self.paths);
        Ok(Packetiser::new(self.picture, self.layout, self.packing, limit)?)
    }

    fn pacing_of(&self, packetiser: &Packetiser) -> pacing::Sender {
        let packets = packetiser.packets(Field::First) as u32;
        let kind = SenderType::achievable(self.pacing, packets, self.units().rate());
        let schedule = schedule_of(kind, self.raster(), self.rate);
        let udp = self
            .paths
            .iter()
            .map(|path| path.udp_limit)
            .max()
            .and_then(|limit| u16::try_from(limit).ok());
        pacing::Sender::new(kind, schedule, packets, udp.filter(|limit| *limit > 1460))
    }
}

/// The schedule that packets are sent by. A Wide sender's are read in the active part of the frame,
/// but its buffer is large enough to spread them over the whole of it: so the same packets leave in
/// calmer order, and what is late catches up sooner.
pub(super) fn schedule_of(kind: SenderType, raster: Raster, rate: FrameRate) -> Schedule {
    match kind {
        SenderType::Narrow => Schedule::gapped(raster, rate, None),
        SenderType::NarrowLinear | SenderType::Wide => Schedule::linear(raster, rate, None),
    }
}

/// The schedule by which a receiver reads the packets.
pub(super) fn read_schedule(kind: SenderType, raster: Raster, rate: FrameRate) -> Schedule {
    match kind {
        SenderType::NarrowLinear => Schedule::linear(raster, rate, None),
        SenderType::Narrow | SenderType::Wide => Schedule::gapped(raster, rate, None),
    }
}

/// Starts a session of this sender type, with the statistics of the associated ancillary stream.
pub(super) fn add<F: FrameFeed, E: Outgoing + 'static>(
    engine: &Engine,
    parts: Parts<F, E>,
    per_second: u64,
    ancillary: Option<Arc<SendStats>>,
    sender_type: SenderType,
) -> Result<Sending, Error> {
    let mut session = Frames::new(parts);
    if engine.kernel_pacing() {
        session = session.paced_by_kernel();
    }
    let stats = session.shared_stats();
    let session = engine.add_sender(Box::new(session), per_second)?;
    Ok(Sending { session, stats, ancillary, sender_type: Some(sender_type) })
}

/// A payload header is at most the extended sequence number and three segment headers (RFC 4175
/// §4).
const HEAD: usize = Header::LEN + 2 + 3 * 6;

/// Packets of frames of video.
pub(super) struct Pictures {
    packetiser: Packetiser,
    /// Packets one behind the other, or only their headers where the data are sent straight from
    /// the frame.
    staging: Box<[u8]>,
    ready: Ready,
    /// So many packets are converted ahead: as many as may leave at once.
    ahead: usize,
    /// Bytes of the longest packet.
    longest: usize,
}

/// Packets that are converted and not yet sent. They lie one behind the other.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    /// Number of the first one in its field.
    first: usize,
    count: usize,
    /// Where they lie.
    at: usize,
    end: usize,
}

impl Pictures {
    fn new(packetiser: Packetiser, ahead: usize) -> Self {
        let ahead = ahead.clamp(1, BUNDLE);
        let fields = packetiser.picture().fields();
        let sizes = fields.iter().flat_map(|field| {
            let packetiser = &packetiser;
            (0..packetiser.packets(*field)).map(|index| packetiser.size(*field, index))
        });
        let longest = Header::LEN + sizes.max().unwrap_or(0);
        // Room for twice as many as are converted ahead, so that what is ready seldom has to be
        // moved; and for any heads.
        let staging = vec![0; (2 * ahead * longest).max(BUNDLE * HEAD)].into();
        Self { packetiser, staging, ready: Ready::default(), ahead, longest }
    }

    fn field(unit: usize) -> Field {
        Field::ALL[unit.min(1)]
    }

    /// Lengths of the packets from `first` on with their RTP headers.
    fn lengths(&self, field: Field, first: usize, lengths: &mut [usize]) {
        for (index, length) in lengths.iter_mut().enumerate() {
            *length = Header::LEN + self.packetiser.size(field, first + index);
        }
    }

    /// Converts packets until so many are ready, or all of the field are.
    fn convert(&mut self, frame: &[u8], field: Field, wanted: usize, sequence: u32) {
        let Ready { first, count, at, end } = self.ready;
        let left = self.packetiser.packets(field) - first;
        let wanted = wanted.min(self.ahead).min(left);
        if count >= wanted {
            return;
        }
        if self.staging.len() - end < (wanted - count) * self.longest {
            self.staging.copy_within(at..end, 0);
            (self.ready.at, self.ready.end) = (0, end - at);
        }
        let written = self.packetiser.write(
            frame,
            field,
            first + count..first + wanted,
            sequence.wrapping_add(count as u32),
            &mut self.staging[self.ready.end..],
        );
        debug_assert!(written.is_ok(), "the frame has its size, and there is room");
        self.ready.end += written.unwrap_or(0);
        self.ready.count = wanted;
    }

    /// Header and payload of each packet by reference, if they lie in the frame as they are to be
    /// sent.
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
        let mut data = [const { 0..0 }; BUNDLE];
        for (index, range) in data[..count].iter_mut().enumerate() {
            let Some(mut ranges) = self.packetiser.source(field, first + index) else {
                return false;
            };
            let (Some(one), None) = (ranges.next(), ranges.next()) else { return false };
            *range = one;
        }
        let (mut heads, mut lengths) = ([0; BUNDLE], [0; BUNDLE]);
        for (index, (len, room)) in
            heads[..count].iter_mut().zip(self.staging.chunks_exact_mut(HEAD)).enumerate()
        {
            let extended = (rtp.sequence() >> 16) as u16;
            let payload = self.packetiser.header(field, first + index, extended);
            let payload = payload.as_bytes();
            *len = Header::LEN + payload.len();
            room[..Header::LEN].copy_from_slice(&rtp.next(first + index == last).to_bytes());
            room[Header::LEN..*len].copy_from_slice(payload);
            lengths[index] = *len + data[index].len();
        }
        let mut parts = [IoSlice::new(&[]); 2 * BUNDLE];
        let rooms = self.staging.chunks_exact(HEAD).zip(&heads);
        for ((part, (room, len)), range) in parts.chunks_exact_mut(2).zip(rooms).zip(&data[..count])
        {
            part[0] = IoSlice::new(&room[..*len]);
            part[1] = IoSlice::new(&frame[range.clone()]);
        }
        paths.send_gathered(&parts[..2 * count], 2, &lengths[..count]);
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
        if first >= self.packetiser.packets(field) || self.packetiser.source(field, 0).is_some() {
            return;
        }
        if self.ready.count == 0 || self.ready.first != first {
            self.ready = Ready { first, ..Ready::default() };
        }
        self.convert(payload, field, self.ahead, sequence);
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
        let (field, first) = (Self::field(unit), first as usize);
        let packets = self.packetiser.packets(field);
        let most = (most as usize).clamp(1, BUNDLE).min(packets - first);
        if self.ready.count == 0 || self.ready.first != first {
            if self.send_in_place(payload, field, first, most, rtp, paths) {
                return most as u32;
            }
            self.ready = Ready { first, ..Ready::default() };
            self.convert(payload, field, most, rtp.sequence());
        }
        let (at, count) = (self.ready.at, self.ready.count.min(most));
        let mut lengths = [0; BUNDLE];
        self.lengths(field, first, &mut lengths[..count]);
        let mut end = at;
        for (index, length) in lengths[..count].iter().enumerate() {
            let header = rtp.next(first + index + 1 == packets).to_bytes();
            self.staging[end..][..Header::LEN].copy_from_slice(&header);
            end += length;
        }
        paths.send_each_of(&self.staging[at..end], &lengths[..count]);
        self.ready.first += count;
        self.ready.count -= count;
        self.ready.at = end;
        count as u32
    }
}
