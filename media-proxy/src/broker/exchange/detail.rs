//! Detailed measurements of a connection, beyond those of the summary.

use super::Exchange;
use crate::broker::registry::ConnNo;
use media::Payload;
use shm::Delays;

/// Measurements of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Detail {
    /// Its rates have been measured; a connection that has been read only once has none yet.
    pub(crate) rated: bool,
    /// Frames a second as configured; `None` if the payload has no rate.
    pub(crate) nominal_rate: Option<f64>,
    /// Only of a receiver.
    pub(crate) delays: Option<ReceiverDelays>,
    /// Only of a source.
    pub(crate) slots: Option<Slots>,
}

/// Delays of frames to a receiver, over all rings that it has read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReceiverDelays {
    /// From put.
    pub(crate) handoff: Delays,
    /// From their own TAI times.
    pub(crate) age: Delays,
}

impl ReceiverDelays {
    pub(super) fn add(&mut self, seat: &shm::SeatMonitor) {
        self.handoff.add(&seat.handoff());
        self.age.add(&seat.age());
    }
}

/// Slots of a source's pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    /// Used so far, and so in memory.
    pub(crate) touched: u32,
    /// All that there may be.
    pub(crate) all: u32,
}

impl Exchange {
    /// Measurements of a connection.
    pub(super) fn detail(&self, no: ConnNo) -> Option<Detail> {
        let connection = self.registry.connection(no)?;
        let nominal_rate = match &connection.config.payload {
            Payload::Video(video) => Some(video.rate.as_f64()),
            Payload::Ancillary(ancillary) => Some(ancillary.rate.as_f64()),
            Payload::Audio(audio) => {
                let samples = audio.packet_time.samples_per_packet(audio.sample_rate);
                samples.map(|samples| f64::from(audio.sample_rate.hz()) / f64::from(samples))
            }
            Payload::Blob => None,
        };
        let slots = connection.source().and_then(|source| self.boards.get(&source.board));
        let slots = slots.map(|board| Slots {
            touched: board.monitor.slots_touched(),
            // At most 255.
            all: board.monitor.geometry().slot_count as u32,
        });
        let delays = connection.receiver().map(|receiver| {
            let mut delays =
                self.retired.get(&no).map(|retired| retired.delays).unwrap_or_default();
            let seat = receiver.using.and_then(|(_, seat)| self.seats.get(&seat));
            seat.into_iter().for_each(|seat| delays.add(seat));
            delays
        });
        Some(Detail { rated: false, nominal_rate, delays, slots })
    }
}
