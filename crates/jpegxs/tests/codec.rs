//! The interface to SVT-JPEG-XS, against a stand-in in C that checks every member and keeps samples
//! as they are; and against the library itself where it is installed.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use jpegxs::{Decoder, Encoder, EncoderOptions, JpegXsCodecError, Layout, Library};
use media::PixelFormat;
use st2110::jpegxs::{CodingQuality, Part};

const THREADS: u32 = 3;

/// The stand-in's file; `None`, loudly, where there is no C compiler.
fn stand_in() -> Option<PathBuf> {
    static BUILT: OnceLock<Option<(tempfile::TempDir, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stand_in.c");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("libSvtJpegxs.so.0");
        let mut cc = Command::new("cc");
        cc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        match cc.arg(&file).arg(source).status() {
            Ok(status) => assert!(status.success(), "{source} does not compile"),
            Err(error) => {
                testkit::skip(&format!("cc: {error}"));
                return None;
            }
        }
        Some((directory, file))
    });
    built.as_ref().map(|(_, file)| file.clone())
}

fn options(bits: u32) -> EncoderOptions {
    EncoderOptions {
        bits_per_pixel_thousandths: bits * 1000,
        quality: CodingQuality::Quality,
        threads: THREADS,
    }
}

/// Samples within their depth.
fn frame(layout: &Layout) -> Vec<u8> {
    let byte = |at: usize| (at * 7 + at / 251) as u8;
    match layout.depth() {
        8 => (0..layout.frame_size()).map(byte).collect(),
        _ => (0..layout.frame_size())
            .map(|at| if at % 2 == 0 { byte(at) } else { byte(at) & 3 })
            .collect(),
    }
}

#[test]
fn frames_and_fields_go_there_and_back() {
    let Some(file) = stand_in() else { return };
    let library = Library::open(&file).unwrap();
    for (format, interlaced) in [
        (PixelFormat::Yuv422p10le, false),
        (PixelFormat::Yuv422p10le, true),
        (PixelFormat::Yuv422p, false),
        (PixelFormat::Yuv420p, true),
        (PixelFormat::Yuv420p10le, false),
        (PixelFormat::Yuv444p10le, true),
    ] {
        let layout = Layout::new(format, 200, 136, interlaced).unwrap();
        let mut encoder = Encoder::new(library, layout, options(50)).unwrap();
        let mut decoder = Decoder::new(library, layout, THREADS);
        let sent = frame(&layout);
        let mut received = vec![0; layout.frame_size()];
        let mut picture = vec![0; encoder.max_size()];
        assert_eq!(picture.len(), 200 * layout.height() as usize * 50 / 8);
        for part in [Part::First, Part::Second] {
            let used = encoder.encode(&sent, part, &mut picture).unwrap();
            decoder.decode(&picture[..used], part, &mut received).unwrap();
        }
        assert!(received == sent, "{format}, interlaced {interlaced}");
    }
}

#[test]
fn failures_are_named_and_leave_nothing_open() {
    let Some(file) = stand_in() else { return };
    // A copy of its own, so that other tests do not count.
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.so");
    std::fs::copy(file, &copy).unwrap();
    let library = Library::open(&copy).unwrap();
    let open = || open_codecs(&copy);

    let large = Layout::new(PixelFormat::Yuv422p, 1000, 64, false).unwrap();
    let refused = Encoder::new(library, large, options(3)).unwrap_err().to_string();
    assert_eq!(refused, "SVT-JPEG-XS, encoder_init: a parameter is refused (0x80001005)");
    assert_eq!(open(), 0);

    let layout = Layout::new(PixelFormat::Yuv422p, 64, 64, false).unwrap();
    let sent = frame(&layout);
    let mut small = Encoder::new(library, layout, options(3)).unwrap();
    let mut picture = vec![0; 64 * 64 * 8];
    for _ in 0..2 {
        let error = small.encode(&sent, Part::Progressive, &mut picture).unwrap_err();
        let call = "send_picture";
        let meaning = "not enough resources";
        assert_eq!(error, JpegXsCodecError::Library { call, code: 0x8000_1000, meaning });
        assert_eq!(open(), 0, "closed, since it might hold the buffers");
    }
    let short = small.encode(&sent, Part::Progressive, &mut [0; 10]).unwrap_err();
    assert!(matches!(short, JpegXsCodecError::Buffer { name: "codestream", value: 10, .. }));

    let mut encoder = Encoder::new(library, layout, options(40)).unwrap();
    let used = encoder.encode(&sent, Part::Progressive, &mut picture).unwrap();
    let picture = &picture[..used];
    let mut received = vec![0; layout.frame_size()];
    let mut decoder = Decoder::new(library, layout, THREADS);
    let decoded = decoder.decode(&picture[..used - 1], Part::Progressive, &mut received);
    assert!(matches!(decoded, Err(JpegXsCodecError::Picture(_))), "{decoded:?}");
    let mut damaged = picture.to_vec();
    damaged[10..12].copy_from_slice(&[0xDE, 0xAD]);
    let decoded = decoder.decode(&damaged, Part::Progressive, &mut received).unwrap_err();
    assert!(decoded.to_string().contains("get_frame: the codestream is invalid"), "{decoded}");
    assert_eq!(open(), 1, "the encoder");
    decoder.decode(picture, Part::Progressive, &mut received).unwrap();
    assert!(received == sent && open() == 2);
    let other = Layout::new(PixelFormat::Yuv422p, 64, 66, false).unwrap();
    let mut other = Decoder::new(library, other, THREADS);
    let mismatch = other.decode(picture, Part::Progressive, &mut vec![0; 64 * 66 * 2]);
    let expected = JpegXsCodecError::Mismatch { what: "height", found: 64, expected: 66 };
    assert_eq!(mismatch, Err(expected));
    drop((encoder, decoder));
    assert_eq!(open(), 0);
}

/// How many codecs of this copy of the stand-in are open.
fn open_codecs(file: &std::path::Path) -> i32 {
    let name = std::ffi::CString::new(file.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: a terminated name of a library that is open already.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null());
    // SAFETY: the handle is open, and the name terminated.
    let address = unsafe { libc::dlsym(handle, c"stand_in_open".as_ptr()) };
    assert!(!address.is_null());
    // SAFETY: stand_in.c defines it with this type.
    let count: unsafe extern "C" fn() -> i32 = unsafe { std::mem::transmute(address) };
    // SAFETY: it only reads a number, which no other thread writes: this copy belongs to one test.
    unsafe { count() }
}

/// The library itself, where it is installed: what comes back resembles what was sent.
#[test]
fn the_installed_library() {
    let library = match Library::load() {
        Ok(library) => library,
        Err(reason) => {
            eprintln!("SKIPPED: {reason}");
            return;
        }
    };
    let layout = Layout::new(PixelFormat::Yuv422p10le, 640, 360, false).unwrap();
    let mut encoder = Encoder::new(library, layout, options(6)).unwrap();
    let mut decoder = Decoder::new(library, layout, THREADS);
    let sent: Vec<u8> =
        (0..layout.frame_size() / 2).flat_map(|at| ((at % 640) as u16).to_le_bytes()).collect();
    let mut picture = vec![0; encoder.max_size()];
    let used = encoder.encode(&sent, Part::Progressive, &mut picture).unwrap();
    let mut received = vec![0; layout.frame_size()];
    decoder.decode(&picture[..used], Part::Progressive, &mut received).unwrap();
    let samples = |frame: &[u8]| -> Vec<i32> {
        frame.as_chunks().0.iter().map(|sample| u16::from_le_bytes(*sample).into()).collect()
    };
    let worst = samples(&sent).iter().zip(samples(&received)).map(|(a, b)| (a - b).abs()).max();
    assert!(worst < Some(64), "{worst:?}");
}
