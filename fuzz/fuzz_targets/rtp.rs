//! Datagrams that may be RTP packets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use st2110::rtp::Header;

fuzz_target!(|data: &[u8]| {
    if let Ok((header, payload)) = Header::parse(data) {
        assert!(Header::LEN <= payload.start && payload.end <= data.len());
        assert!(payload.start <= payload.end);
        // What it means is what a header without the optional parts says.
        let mut plain = header.to_bytes().to_vec();
        plain.extend_from_slice(&data[payload.clone()]);
        assert_eq!(Header::parse(&plain), Ok((header, Header::LEN..Header::LEN + payload.len())));
    }
});
