//! RTP payloads of a hostile sender of uncompressed video, into frames of every layout.
#![no_main]

use fuzz::Choices;
use libfuzzer_sys::fuzz_target;
use media::PixelFormat;
use st2110::video::*;

fuzz_target!(|data: &[u8]| {
    let _ = play(&mut Choices(data));
});

fn play(choices: &mut Choices<'_>) -> Option<()> {
    let mut choose = |count: usize| choices.byte().map(|byte| usize::from(byte) % count);
    let formats: Vec<_> = WireFormat::all().collect();
    let format = formats[choose(formats.len())?];
    let (width, height) = (choose(96)? as u32, choose(16)? as u32);
    let scan = Scan::ALL[choose(Scan::ALL.len())?];
    let layouts = PixelFormat::ALL.iter().map(|format| FrameLayout::Narrowed(*format));
    let layouts: Vec<_> = layouts.chain([FrameLayout::Wire]).collect();
    let layout = layouts[choose(layouts.len())?];
    let rows = [RowNumbering::PerField, RowNumbering::PerFrame][choose(2)?];
    let picture = Picture::new(format, width, height, scan).ok()?;
    let depacketiser = Depacketiser::new(picture, layout, rows).ok()?;
    let mut frame = vec![0; depacketiser.frame_size()];
    let mut arrival = Arrival::new(picture);
    let mut missing = arrival.missing_pixels();
    while let Some(len) = choices.byte() {
        let (payload, rest) =
            choices.0.split_at_checked(usize::from(len)).unwrap_or((choices.0, &[]));
        choices.0 = rest;
        let placed = depacketiser.place(payload, &mut frame, &mut arrival);
        let pgroup = picture.pgroup();
        let marked = (missing - arrival.missing_pixels()) / (pgroup.pixels * pgroup.lines);
        assert_eq!(placed.unwrap_or(0), marked * pgroup.octets);
        missing = arrival.missing_pixels();
        let gaps: u32 = arrival.missing().map(|gap| gap.lines * gap.pixels).sum();
        assert!(gaps as usize == missing && arrival.is_complete() == (missing == 0));
    }
    let previous = vec![0x55; frame.len()];
    assert_eq!(depacketiser.fill_missing(&arrival, &previous, &mut frame), Ok(()));
    Some(())
}
