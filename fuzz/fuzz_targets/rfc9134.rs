//! RTP payloads of a hostile sender of JPEG XS; and codestreams of an application, packetised where
//! they are accepted.
#![no_main]

use fuzz::Choices;
use libfuzzer_sys::fuzz_target;
use st2110::jpegxs::*;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let Some(choice) = choices.byte() else { return };
    let mode = PacketMode::ALL[usize::from(choice >> 1 & 1)];
    if choice & 1 == 0 { receive(mode, &mut choices) } else { send(mode, choices.0) }
});

fn receive(mode: PacketMode, choices: &mut Choices<'_>) {
    const MAX_SIZE: usize = 2000;
    let mut assembly = Assembly::new(mode, MAX_SIZE);
    let mut out = [0; MAX_SIZE];
    while let Some(len) = choices.byte() {
        let at = usize::from(len / 2);
        let (payload, rest) = choices.0.split_at_checked(at).unwrap_or((choices.0, &[]));
        choices.0 = rest;
        let before = (assembly.size(), assembly.is_complete());
        if assembly.place(payload, len % 2 == 1) != Ok(true) {
            assert_eq!(before, (assembly.size(), assembly.is_complete()));
        }
    }
    let received = assembly.finish(&mut out).unwrap();
    assert!(received.len <= assembly.size() && received.codestream.end == received.len);
    assert_eq!(received.complete, assembly.is_complete());
    assert!(!received.complete || received.len == assembly.size());
}

fn send(mode: PacketMode, data: &[u8]) {
    let Ok(picture) = PictureSegment::parse(data) else { return };
    assert_eq!([picture.boxes(), picture.codestream(), picture.after(data)].concat(), data);
    let packetiser = Packetiser::new(mode, TransmissionMode::Sequential, 256, None).unwrap();
    let Ok(packets) = packetiser.packets(&picture, Part::Progressive, 0) else { return };
    let mut assembly = Assembly::new(mode, data.len());
    for index in (0..packets.len()).rev() {
        let payload = [&packets.header(index)[..], packets.data(index)[0], packets.data(index)[1]];
        assert_eq!(assembly.place(&payload.concat(), index + 1 == packets.len()), Ok(true));
    }
    let mut out = vec![0; assembly.size()];
    assert!(assembly.finish(&mut out).unwrap().complete);
    assert_eq!(out, picture.bytes());
}
