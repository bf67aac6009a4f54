//! Tests of conversions: which there are, and the places of samples.

use media::PixelFormat;

use super::*;

fn conversion(
    format: PixelFormat,
    wire: WireFormat,
    direction: Direction,
) -> Result<Conversion, VideoError> {
    let picture = Picture::new(wire, 8, 6, Scan::Progressive)?;
    Conversion::new(picture, FrameLayout::Mesh(format), direction, Simd::SCALAR)
}

#[test]
fn only_exact_pairs_are_accepted() {
    for format in PixelFormat::ALL {
        for wire in WireFormat::all() {
            for direction in [Direction::Send, Direction::Receive] {
                let alpha = matches!(format, PixelFormat::Rgba | PixelFormat::Bgra);
                let receiving = direction == Direction::Receive;
                let own = WireFormat::of(*format);
                let exact = own == wire && (receiving || !alpha);
                let planar = matches!(
                    format,
                    PixelFormat::Yuv422p10le | PixelFormat::Yuv420p10le | PixelFormat::Yuv444p10le
                );
                let wide = WireFormat { depth: Depth::Twelve, ..own } == wire && planar;
                let made = conversion(*format, wire, direction);
                let possible = exact || (wide && !receiving);
                assert_eq!(made.is_ok(), possible, "{format} {wire} {direction:?}");
                let picture = Picture::new(wire, 8, 6, Scan::Progressive).unwrap();
                let narrowed = FrameLayout::Narrowed(*format);
                let made = Conversion::new(picture, narrowed, direction, Simd::SCALAR);
                assert_eq!(made.is_ok(), exact || wide, "{format} {wire} {direction:?}");
            }
        }
    }
    let wire = WireFormat { sampling: Sampling::Rgb, depth: Depth::Eight };
    let error = conversion(PixelFormat::Rgba, wire, Direction::Send).unwrap_err().to_string();
    assert!(error.contains("rgba") && error.contains("use rgb24"), "{error}");
}

/// All samples of every layout at places worked out by hand, for one pgroup of a picture of 8 × 6
/// pixels.
#[test]
fn samples_lie_where_the_standards_have_them() {
    let ten = |samples: &[u16]| {
        let bits = samples.iter().flat_map(|sample| (0..10).rev().map(move |b| sample >> b & 1));
        let bits: Vec<_> = bits.collect();
        bits.chunks(8).map(|byte| byte.iter().fold(0, |a, b| a << 1 | *b as u8)).collect()
    };
    let low = |samples: &[(usize, u16)]| -> Vec<(usize, u8)> {
        let bytes = |(at, sample): &(usize, u16)| {
            let [a, b] = sample.to_le_bytes();
            [(at * 2, a), (at * 2 + 1, b)]
        };
        samples.iter().flat_map(bytes).collect()
    };
    /// Row and first pgroup of one pgroup, its octets, and bytes of the frame that are not 0 then.
    type Example = (PixelFormat, usize, usize, Vec<u8>, Vec<(usize, u8)>);
    let cases: [Example; 10] = [
        // Cb Y Cr Y of line 2, pixels 4 and 5.
        (
            PixelFormat::Yuv422p10le,
            2,
            2,
            ten(&[0x3FF, 0x001, 0x155, 0x2AA]),
            low(&[(20, 1), (21, 0x2AA), (48 + 10, 0x3FF), (72 + 10, 0x155)]),
        ),
        // Component 40 is the second one of word 13.
        (
            PixelFormat::V210,
            2,
            2,
            ten(&[0x3FF, 0x001, 0x155, 0x2AA]),
            (0x3FFu32 << 10 | 0x001 << 20)
                .to_le_bytes()
                .into_iter()
                .chain((0x155u32 | 0x2AA << 10).to_le_bytes())
                .enumerate()
                .map(|(at, byte)| (13 * 4 + at, byte))
                .collect(),
        ),
        (PixelFormat::Yuv422p, 2, 2, vec![1, 2, 3, 4], vec![(20, 2), (21, 4), (58, 1), (82, 3)]),
        // Y00 Y01 Y10 Y11 Cb Cr of lines 2 and 3, pixels 4 and 5.
        (
            PixelFormat::Yuv420p,
            1,
            2,
            vec![1, 2, 3, 4, 5, 6],
            vec![(20, 1), (21, 2), (28, 3), (29, 4), (48 + 6, 5), (60 + 6, 6)],
        ),
        (
            PixelFormat::Nv12,
            1,
            2,
            vec![1, 2, 3, 4, 5, 6],
            vec![(20, 1), (21, 2), (28, 3), (29, 4), (48 + 12, 5), (48 + 13, 6)],
        ),
        // Two such groups in 10 bits: pixels 4 to 7.
        (
            PixelFormat::P010le,
            1,
            1,
            ten(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1023]),
            low(&[
                (20, 1 << 6),
                (21, 2 << 6),
                (28, 3 << 6),
                (29, 4 << 6),
                (60, 5 << 6),
                (61, 6 << 6),
                (22, 7 << 6),
                (23, 8 << 6),
                (30, 9 << 6),
                (31, 10 << 6),
                (62, 11 << 6),
                (63, 1023 << 6),
            ]),
        ),
        // Cb Y Cr of four pixels.
        (
            PixelFormat::Yuv444p10le,
            2,
            1,
            ten(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1023]),
            low(&[
                (20, 2),
                (21, 5),
                (22, 8),
                (23, 11),
                (68, 1),
                (69, 4),
                (70, 7),
                (71, 10),
                (116, 3),
                (117, 6),
                (118, 9),
                (119, 1023),
            ]),
        ),
        (
            PixelFormat::Gray10le,
            2,
            1,
            ten(&[1, 2, 3, 1023]),
            low(&[(20, 1), (21, 2), (22, 3), (23, 1023)]),
        ),
        (PixelFormat::Gray16le, 2, 4, vec![0x12, 0x34], low(&[(20, 0x1234)])),
        (PixelFormat::Bgra, 2, 4, vec![1, 2, 3], vec![(80, 3), (81, 2), (82, 1), (83, 255)]),
    ];
    for (format, row, first, wire, bytes) in cases {
        let of = WireFormat::of(format);
        let conversion = conversion(format, of, Direction::Receive).unwrap();
        let mut frame = vec![0; conversion.frame_size()];
        let segment = Segment { row, first, count: 1 };
        conversion.unpack(&wire, &mut frame, segment);
        let mut expected = vec![0; frame.len()];
        for (at, byte) in bytes {
            expected[at] = byte;
        }
        assert_eq!(frame, expected, "{format}");
        let mut back = vec![0; wire.len()];
        conversion.pack(&frame, segment, &mut back);
        assert_eq!(back, wire, "{format}");
    }
}

/// Ten bits in twelve: the values times 4, and back without the rest.
#[test]
fn ten_bits_travel_in_twelve() {
    let wire = [0xFF, 0xF0, 0x05, 0x00, 0x8F, 0xFE, 0, 0x10, 0x0B];
    // 0xFFF, 5, 8, 0xFFE and, of six samples, 1 and 0xB: of each the upper ten bits, sorted,
    // without zeros.
    let (four, six) = (&[1, 2, 0x3FF, 0x3FF][..], &[1, 2, 2, 0x3FF, 0x3FF][..]);
    for (format, octets, expected) in [
        (PixelFormat::Yuv422p10le, 6, four),
        (PixelFormat::Yuv420p10le, 9, six),
        (PixelFormat::Yuv444p10le, 9, six),
    ] {
        let twelve = WireFormat { depth: Depth::Twelve, ..WireFormat::of(format) };
        let picture = Picture::new(twelve, 8, 6, Scan::Progressive).unwrap();
        let layout = FrameLayout::Narrowed(format);
        let narrow = Conversion::new(picture, layout, Direction::Receive, Simd::SCALAR).unwrap();
        let segment = Segment { row: 1, first: 2, count: 1 };
        let mut frame = vec![0; narrow.frame_size()];
        narrow.unpack(&wire[..octets], &mut frame, segment);
        let mut samples: Vec<_> =
            frame.as_chunks().0.iter().map(|sample| u16::from_le_bytes(*sample)).collect();
        samples.retain(|sample| *sample != 0);
        samples.sort_unstable();
        assert_eq!(samples, expected, "{format}");
        let mut again = vec![0; octets];
        narrow.pack(&frame, segment, &mut again);
        let exact = [0xFF, 0xC0, 0x04, 0x00, 0x8F, 0xFC, 0, 0x00, 0x08];
        assert_eq!(again, exact[..octets], "{format}");
    }
}
