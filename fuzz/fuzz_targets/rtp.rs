//! Datagrams that may be RTP packets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use st2110::rtp::{Datagrams, Header, Run};
use st2110::sequence::NumberWidth;

fuzz_target!(|data: &[u8]| {
    if let Ok((header, payload)) = Header::parse(data) {
        assert!(Header::LEN <= payload.start && payload.end <= data.len());
        assert!(payload.start <= payload.end);
        // What it means is what a header without the optional parts says.
        let mut plain = header.to_bytes().to_vec();
        plain.extend_from_slice(&data[payload.clone()]);
        assert_eq!(Header::parse(&plain), Ok((header, Header::LEN..Header::LEN + payload.len())));
    }
    // The same in one piece with others: lengths of 16 make runs likely.
    for width in [NumberWidth::Bits16, NumberWidth::Bits32] {
        let datagrams = Datagrams::new(data, 16);
        let mut each = datagrams.iter();
        for run in Run::all(datagrams, width) {
            let Ok(run) = run else {
                assert!(each.next().is_some_and(|datagram| Header::parse(datagram).is_err()));
                continue;
            };
            for (header, payload) in run.packets() {
                let datagram = each.next().expect("a datagram for each packet");
                let (parsed, range) = Header::parse(datagram).expect("a packet");
                assert_eq!((header, payload), (parsed, &datagram[range]));
            }
        }
        assert!(each.next().is_none());
    }
});
