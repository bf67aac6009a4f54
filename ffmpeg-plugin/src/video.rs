//! Pixel formats that FFmpeg and the mesh share, and lines of v210.

/// FFmpeg's names of the pixel formats that the mesh has; the mesh calls them the same. v210 is a codec there.
pub(crate) const FORMATS: [&str; 15] = [
    "yuv422p10le",
    "uyvy422",
    "yuv420p",
    "nv12",
    "yuv422p",
    "yuv444p10le",
    "yuv420p10le",
    "p010le",
    "rgb24",
    "bgr24",
    "rgba",
    "bgra",
    "gray",
    "gray10le",
    "gray16le",
];

/// The one that is a codec.
pub(crate) const V210: &str = "v210";

/// The pixel format of this name, in FFmpeg's spelling.
pub(crate) fn format(name: &str) -> Option<&'static str> {
    if name == V210 {
        return Some(V210);
    }
    let name = if name == "gray8" { "gray" } else { name };
    FORMATS.into_iter().find(|format| *format == name)
}

/// All of them, for messages.
pub(crate) fn allowed() -> String {
    format!("allowed: {}, {V210}", FORMATS.join(", "))
}

/// How lines of v210 stand in FFmpeg's packets and in the mesh.
///
/// FFmpeg fills each line up to a multiple of 128 bytes, as QuickTime does; the mesh does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Bytes of a line in the mesh.
    pub(crate) mesh: usize,
    /// Bytes of a line in FFmpeg.
    pub(crate) ffmpeg: usize,
    /// Lines.
    pub(crate) count: usize,
}

impl Lines {
    /// `None` if the lines of the mesh would not begin at a byte of their own.
    pub(crate) fn of(width: u32, height: u32) -> Option<Self> {
        let (width, count) = (width as usize, height as usize);
        (width > 0 && width.is_multiple_of(6)).then(|| Self {
            mesh: width / 6 * 16,
            ffmpeg: width.div_ceil(48) * 128,
            count,
        })
    }

    /// Bytes of FFmpeg's packet.
    pub(crate) fn packet(&self) -> usize {
        self.ffmpeg * self.count
    }

    /// Bytes of the mesh's frame.
    pub(crate) fn frame(&self) -> usize {
        self.mesh * self.count
    }

    /// Whether there is no padding.
    pub(crate) fn are_the_same(&self) -> bool {
        self.mesh == self.ffmpeg
    }

    /// From a packet to a frame; both have their full size.
    pub(crate) fn strip(&self, packet: &[u8], frame: &mut [u8]) {
        for (to, from) in frame.chunks_exact_mut(self.mesh).zip(packet.chunks_exact(self.ffmpeg)) {
            to.copy_from_slice(&from[..self.mesh]);
        }
    }

    /// From a frame to a packet; both have their full size.
    pub(crate) fn pad(&self, frame: &[u8], packet: &mut [u8]) {
        for (to, from) in packet.chunks_exact_mut(self.ffmpeg).zip(frame.chunks_exact(self.mesh)) {
            to[..self.mesh].copy_from_slice(from);
            to[self.mesh..].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mesh_has_all_formats() {
        for name in FORMATS.into_iter().chain([V210]) {
            let text = format!(
                r#"{{ "connection": {{ "multipointGroup": {{ "urn": "x" }} }},
                      "payload": {{ "video": {{ "width": 48, "height": 4, "pixelFormat": "{name}" }} }} }}"#
            );
            media::ConnectionConfig::from_json(&text).unwrap();
            assert_eq!(format(name), Some(name));
        }
        assert_eq!(format("gray8"), Some("gray"));
        assert_eq!(format("yuv422p10rfc4175"), None);
    }

    #[test]
    fn v210_lines_are_padded_and_stripped() {
        let lines = Lines::of(54, 2).unwrap();
        assert_eq!((lines.mesh, lines.ffmpeg, lines.are_the_same()), (144, 256, false));
        let frame: Vec<u8> = (0..lines.frame()).map(|index| (index % 251) as u8 + 1).collect();
        let mut packet = vec![7; lines.packet()];
        lines.pad(&frame, &mut packet);
        assert_eq!(packet[..144], frame[..144]);
        assert!(packet[144..256].iter().all(|byte| *byte == 0));
        let mut back = vec![0; lines.frame()];
        lines.strip(&packet, &mut back);
        assert_eq!(back, frame);
    }

    #[test]
    fn v210_of_1080p_is_the_same_in_both() {
        assert!(Lines::of(1920, 1080).unwrap().are_the_same());
        assert_eq!(Lines::of(100, 4), None);
    }
}
