//! Session descriptions: what is read can be written, read again, checked and turned into a
//! connection.
#![no_main]

use config::Kind;
use config::sdp::describe;
use libfuzzer_sys::fuzz_target;
use st2110::sdp::{Document, Stream, check};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = check(text);
    let Ok(document) = Document::parse(text) else { return };
    assert_eq!(Document::parse(&document.to_string()).as_ref(), Ok(&document));
    if let Ok(streams) = Stream::read_all(&document) {
        for stream in streams {
            // Written in this crate's own way it means the same.
            let section = stream.section();
            let mut again = Stream::read(&Default::default(), &section).expect("own writing");
            again.line = stream.line;
            assert_eq!(again, stream);
        }
    }
    for kind in [Kind::Source, Kind::Receiver] {
        if let Err(error) = describe(text, kind) {
            assert!(!error.to_string().is_empty());
        }
    }
});
