//! A stream of video, and both its ends.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::{
    Hosts,
    frames::{Frame, Store, frame},
    local_address,
};
use media::{FrameRate, PixelFormat};
use st2110::{
    pacing::SenderType,
    video::{FrameLayout, Packetiser, Packing, Picture, Scan, WireFormat},
};
use st2110_net::{
    IncompleteFrames,
    receive::{Origin, Receiving, VideoReceiver},
    send::{Identity, VideoSender},
    socket::{Interface, ReceiverOptions, SenderOptions},
};
use testkit::{drops::loss, wait};

pub(crate) const P50: FrameRate = FrameRate { num: 50, den: 1 };
pub(crate) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn picture(format: PixelFormat, width: u32, height: u32, scan: Scan) -> Picture {
    Picture::new(WireFormat::of(format), width, height, scan).unwrap()
}

pub(crate) struct Stream {
    pub(crate) picture: Picture,
    pub(crate) format: PixelFormat,
    pub(crate) send: VideoSender,
    pub(crate) receive: VideoReceiver,
}

impl Stream {
    pub(crate) fn new(picture: Picture, format: PixelFormat, address: IpAddr, port: u16) -> Self {
        let layout = FrameLayout::Mesh(format);
        let options = ReceiverOptions::new(address, port);
        Self {
            picture,
            format,
            send: VideoSender {
                picture,
                layout,
                packing: Packing::General,
                rate: P50,
                pacing: SenderType::Narrow,
                identity: Identity { payload_type: 112, ssrc: 5, sequence: 65_000 },
                paths: vec![SenderOptions::new(SocketAddr::new(address, port))],
                ancillary: None,
            },
            receive: VideoReceiver {
                picture,
                layout,
                rate: P50,
                origin: Origin::new(vec![options], 112),
                incomplete: IncompleteFrames::Deliver,
                ancillary: None,
            },
        }
    }

    pub(crate) fn at(picture: Picture, format: PixelFormat, address: SocketAddr) -> Self {
        Self::new(picture, format, address.ip(), address.port())
    }

    pub(crate) fn local(format: PixelFormat, scan: Scan) -> Self {
        Self::at(picture(format, 640, 360, scan), format, local_address())
    }

    /// Of few packets, for relays that share the processors with everything else.
    pub(crate) fn small() -> Self {
        let format = PixelFormat::Yuv422p10le;
        Self::at(picture(format, 320, 180, Scan::Progressive), format, local_address())
    }

    pub(crate) fn frames(&self, count: usize) -> Vec<Arc<[u8]>> {
        let len = self.format.frame_size(self.picture.width(), self.picture.height()).unwrap();
        (0..count).map(|seed| frame(self.format, seed, len).into()).collect()
    }

    pub(crate) fn packets(&self) -> usize {
        let layout = FrameLayout::Mesh(self.format);
        Packetiser::new(self.picture, layout, Packing::General, 1452).unwrap().frame_packets()
    }
}

/// Waits for so many frames. They are lost if they do not come.
pub(crate) fn wait_frames(store: &Store, count: usize, receiving: &Receiving) -> Vec<Frame> {
    let end = std::time::Instant::now() + wait::DEADLINE;
    while store.len() < count {
        if std::time::Instant::now() > end {
            loss(format!("{} of {count} frames: {:?}", store.len(), receiving.stats()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    store.take()
}

/// A stream between two hosts by multicast with a source filter.
pub(crate) fn stream_on(hosts: &Hosts, paths: usize) -> Stream {
    let format = PixelFormat::Yuv422p10le;
    let picture = picture(format, 640, 360, Scan::Progressive);
    let mut stream = Stream::new(picture, format, "239.77.2.1".parse().unwrap(), 20_000);
    if paths > 1 {
        hosts.second_path(1500);
        stream.send.paths.push(stream.send.paths[0].clone());
        let receiver = stream.receive.origin.paths[0].clone();
        // A busy host holds the sender up for longer than class A allows.
        let skew = Duration::from_millis(450);
        stream.receive.origin =
            Origin { skew, ..Origin::new(vec![receiver.clone(), receiver], 112) };
    }
    for path in 0..paths {
        let interface = Interface::Name(format!("media{path}"));
        stream.send.paths[path].interface = interface.clone();
        stream.receive.origin.paths[path].interface = interface;
        stream.receive.origin.paths[path].sources =
            vec![format!("10.7{}.0.1", 7 + path).parse().unwrap()];
    }
    stream
}

/// Rules for the UDP packets that come in by a device. The sender must not bundle them, or the
/// rules see bundles.
pub(crate) fn incoming(device: &str, rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("meta l4proto udp {rule}\n")).collect();
    format!(
        "table netdev {device} {{\ncounter both {{ }}\nchain in {{\ntype filter hook ingress device {device} priority 0; \
         policy accept;\n{rules}}}\n}}\n"
    )
}
