//! Regions of a payload that did not arrive.

use mcm::Region;
use media::{Payload, PixelFormat, Video};
use st2110::video::Missing;
use st2110_net::Gap;

/// One component, or several that lie together, of a picture in memory.
#[derive(Clone, Copy, Debug)]
struct Plane {
    /// Its first byte.
    offset: u32,
    /// Bytes of a row.
    pitch: u32,
    /// Pixels of the picture that a group of bytes covers, in a row.
    pixels: u32,
    /// Rows of the picture for each row of the plane.
    rows: u32,
    /// Bytes of a group.
    bytes: u32,
}

/// Turns gaps into regions of the payload.
#[derive(Clone, Debug)]
pub(super) struct Regions(Vec<Plane>);

impl Regions {
    /// For this payload.
    pub(super) fn new(payload: &Payload) -> Self {
        match payload {
            Payload::Video(video) => Self(planes(video)),
            Payload::Audio(_) | Payload::Ancillary(_) | Payload::Blob => Self(Vec::new()),
        }
    }

    /// The regions in order, apart from each other.
    pub(super) fn of(&self, gaps: &[Gap]) -> Vec<Region> {
        let mut regions = Vec::new();
        for gap in gaps {
            match gap {
                Gap::Pixels(missing) => self.pixels(missing, &mut regions),
                Gap::Bytes(range) => {
                    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
                    let (offset, len) = (number(range.start), number(range.len()));
                    regions.push(Region { offset, len });
                }
                // Nobody knows where they belong: the frame is marked, without a region.
                Gap::Packets => {}
            }
        }
        regions.sort_by_key(|region| region.offset);
        regions.dedup_by(|next, region| {
            let end = region.offset.saturating_add(region.len);
            let touches = next.offset <= end;
            if touches {
                let far = next.offset.saturating_add(next.len).max(end);
                region.len = far - region.offset;
            }
            touches
        });
        regions
    }

    fn pixels(&self, missing: &Missing, regions: &mut Vec<Region>) {
        let Missing { line, lines, first, pixels } = *missing;
        for plane in &self.0 {
            let group = first / plane.pixels;
            let groups = (first + pixels).div_ceil(plane.pixels) - group;
            for row in line / plane.rows..(line + lines).div_ceil(plane.rows) {
                let offset = plane.offset + row * plane.pitch + group * plane.bytes;
                regions.push(Region { offset, len: groups * plane.bytes });
            }
        }
    }
}

/// How a picture lies in memory. All sizes fit: a payload has at most 1 GiB.
fn planes(video: &Video) -> Vec<Plane> {
    use PixelFormat as P;
    let (width, height) = (video.width, video.height);
    let packed = |pixels: u32, bytes: u32| {
        vec![Plane { offset: 0, pitch: width / pixels * bytes, pixels, rows: 1, bytes }]
    };
    let planar = |bytes: u32, across: u32, down: u32| {
        let (half, rows) = (width.div_ceil(across), height.div_ceil(down));
        let luma = width * height * bytes;
        let chroma =
            |offset| Plane { offset, pitch: half * bytes, pixels: across, rows: down, bytes };
        vec![
            Plane { offset: 0, pitch: width * bytes, pixels: 1, rows: 1, bytes },
            chroma(luma),
            chroma(luma + half * rows * bytes),
        ]
    };
    let semiplanar = |bytes: u32| {
        let pair = 2 * bytes;
        vec![
            Plane { offset: 0, pitch: width * bytes, pixels: 1, rows: 1, bytes },
            Plane {
                offset: width * height * bytes,
                pitch: width.div_ceil(2) * pair,
                pixels: 2,
                rows: 2,
                bytes: pair,
            },
        ]
    };
    match video.pixel_format {
        P::Yuv422p10le => planar(2, 2, 1),
        P::V210 => packed(6, 16),
        P::Yuv422p10Rfc4175 => packed(2, 5),
        P::Uyvy422 => packed(2, 4),
        P::Yuv420p => planar(1, 2, 2),
        P::Nv12 => semiplanar(1),
        P::Yuv422p => planar(1, 2, 1),
        P::Yuv444p10le => planar(2, 1, 1),
        P::Yuv420p10le => planar(2, 2, 2),
        P::P010le => semiplanar(2),
        P::Rgb24 | P::Bgr24 => packed(1, 3),
        P::Rgba | P::Bgra => packed(1, 4),
        P::Gray8 => packed(1, 1),
        P::Gray10le | P::Gray16le => packed(1, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(pixel_format: PixelFormat) -> Video {
        Video { width: 12, height: 4, pixel_format, ..Video::default() }
    }

    fn regions(pixel_format: PixelFormat, gaps: &[Gap]) -> Vec<(u32, u32)> {
        let regions = Regions::new(&Payload::Video(video(pixel_format))).of(gaps);
        regions.into_iter().map(|region| (region.offset, region.len)).collect()
    }

    fn pixels(line: u32, lines: u32, first: u32, pixels: u32) -> Gap {
        Gap::Pixels(Missing { line, lines, first, pixels })
    }

    /// A whole picture that is missing is one region, as large as a frame, in every format: planes
    /// lie behind each other.
    #[test]
    fn nothing_arrived() {
        for &format in PixelFormat::ALL {
            let lines: Vec<_> = (0..4).map(|line| pixels(line, 1, 0, 12)).collect();
            let size = video(format).frame_size().unwrap() as u32;
            assert_eq!(regions(format, &lines), [(0, size)], "{format}");
            let pairs = [pixels(2, 2, 0, 12), pixels(0, 2, 0, 12)];
            assert_eq!(regions(format, &pairs), [(0, size)], "{format}");
        }
    }

    #[test]
    fn parts_of_lines() {
        use PixelFormat as P;
        let gap = [pixels(1, 1, 4, 4)];
        assert_eq!(regions(P::Yuv422p10le, &gap), [(32, 8), (112, 4), (160, 4)]);
        assert_eq!(regions(P::Yuv422p10Rfc4175, &gap), [(40, 10)]);
        assert_eq!(regions(P::V210, &gap), [(32, 32)], "whole groups of six pixels");
        assert_eq!(regions(P::Rgb24, &gap), [(48, 12)]);
        let gap = [pixels(2, 2, 4, 4)];
        assert_eq!(regions(P::Yuv420p, &gap), [(28, 4), (40, 4), (56, 2), (68, 2)]);
        assert_eq!(regions(P::Nv12, &gap), [(28, 4), (40, 4), (64, 4)]);
    }

    #[test]
    fn regions_that_touch_are_one() {
        let gaps = [Gap::Bytes(10..20), Gap::Bytes(0..10), Gap::Bytes(30..40), Gap::Packets];
        let found = Regions::new(&Payload::Blob).of(&gaps);
        assert_eq!(found, [Region { offset: 0, len: 20 }, Region { offset: 30, len: 10 }]);
        assert!(Regions::new(&Payload::Blob).of(&[Gap::Packets]).is_empty());
    }
}
