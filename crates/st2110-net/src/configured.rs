//! The parts of a connection's configuration that sessions need.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use config::{ConnectionConfig, SecondPath, St2110};
use media::{FrameRate, Payload, Video};
use st2110::Transport;
use st2110::jpegxs::{TransmissionMode, VideoInformation};
use st2110::time::MediaClock;
use st2110::video::{Depth, FrameLayout, Picture, Sampling, WireFormat};
use st2110::window::{Fields, WindowLimits};

use crate::{
    Error,
    receive::{CodestreamReceiver, Origin},
    send::{AssociatedAncillary, CodestreamSender, Identity},
    socket::{Interface, ReceiverOptions, STANDARD_UDP_LIMIT, SenderOptions},
};

/// One path of a stream through the network.
struct Path {
    ip: IpAddr,
    port: u16,
    source: Option<IpAddr>,
    interface: Option<IpAddr>,
}

fn paths(stream: &St2110) -> impl Iterator<Item = Path> {
    let first = Path {
        ip: stream.ip_addr,
        port: stream.port,
        source: stream.mcast_sip_addr,
        interface: stream.interface_ip_addr,
    };
    let second = stream.second_path.map(|path| Path {
        ip: path.ip_addr,
        port: path.port,
        source: path.mcast_sip_addr,
        interface: path.interface_ip_addr,
    });
    std::iter::once(first).chain(second)
}

/// How to send a stream: one path, or two. `usual` is the interface where the configuration names
/// none.
pub fn outgoing(stream: &St2110, usual: &Interface) -> Vec<SenderOptions> {
    // Audio and ancillary data are small: larger datagrams would only make them late.
    let is_video = matches!(stream.transport, Transport::St2110_20 | Transport::St2110_22);
    let udp_limit = stream.timing.max_udp.filter(|_| is_video);
    let options = |path: Path| SenderOptions {
        udp_limit: udp_limit.map_or(STANDARD_UDP_LIMIT, usize::from),
        interface: path.interface.map_or_else(|| usual.clone(), Interface::Address),
        ttl: stream.ttl,
        dscp: stream.dscp,
        ..SenderOptions::new(SocketAddr::new(path.ip, path.port))
    };
    paths(stream).map(options).collect()
}

/// How to receive a stream: at a multicast group, or from a unicast sender at any address of the
/// interface.
pub fn incoming(stream: &St2110, usual: &Interface) -> Vec<ReceiverOptions> {
    let options = |path: Path| {
        let (address, source) = if path.ip.is_multicast() {
            (path.ip, path.source)
        } else {
            let any: IpAddr = match path.ip {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            (any, Some(path.ip).filter(|ip| !ip.is_unspecified()))
        };
        ReceiverOptions {
            sources: source.into_iter().collect(),
            interface: path.interface.map_or_else(|| usual.clone(), Interface::Address),
            ..ReceiverOptions::new(address, path.port)
        }
    };
    let mut options: Vec<_> = paths(stream).map(options).collect();
    let excluded = stream.sdp.as_deref().map(config::sdp::excluded).unwrap_or_default();
    for (path, excluded) in options.iter_mut().zip(excluded) {
        path.excluded = excluded;
    }
    options
}

/// Which packets belong to a stream, as its configuration says.
pub fn origin(stream: &St2110, usual: &Interface) -> Origin {
    let origin = Origin::new(incoming(stream, usual), stream.payload_type);
    let skew = stream.second_path.map_or(origin.skew, |path| path.skew);
    let timing = &stream.timing;
    Origin {
        skew,
        clock_offset: timing.media_clock_offset.unwrap_or(0),
        troff: timing.troff.map(|us| Duration::from_micros(us.into())),
        max_udp: timing.max_udp,
        ..origin
    }
}

/// Buffers that a receiver of uncompressed video may fill at the same time: frames that wait for
/// packets of the slower path stay open for the path differential.
pub fn open_frames(stream: &St2110, rate: FrameRate, usual: &Interface) -> usize {
    let skew = origin(stream, usual).skew;
    WindowLimits::new(Fields::One, rate, MediaClock::VIDEO, skew).open + 1
}

/// The associated ancillary stream of video, if there is one. Where there are two paths, each goes
/// the way of the video's, at its own port.
pub fn associated_ancillary(stream: &St2110) -> Option<St2110> {
    let ancillary = stream.ancillary?;
    let second_path = stream.second_path.map(|path| SecondPath { port: ancillary.port, ..path });
    Some(St2110 {
        ip_addr: ancillary.ip_addr,
        port: ancillary.port,
        payload_type: ancillary.payload_type,
        second_path,
        ancillary: None,
        ..stream.clone()
    })
}

/// The interfaces of a stream's paths in words.
pub fn describe(stream: &St2110, usual: &Interface) -> String {
    let name = |path: Path| path.interface.map_or_else(|| usual.to_string(), |ip| ip.to_string());
    paths(stream).map(name).collect::<Vec<_>>().join(", ")
}

/// A session that sends the codestreams of a compressed video, each frame's at most `limit` bytes.
/// It writes the boxes of RFC 9134 before those that have none.
pub fn codestream_sender(
    stream: &St2110,
    video: &Video,
    limit: usize,
    identity: Identity,
    usual: &Interface,
) -> CodestreamSender {
    let wire = stream.wire_format.unwrap_or(WireFormat::of(video.pixel_format));
    CodestreamSender {
        mode: stream.packet_mode,
        transmission: TransmissionMode::Sequential,
        information: Some(VideoInformation {
            rate: video.rate,
            colour: (&stream.colour).into(),
            rgb: wire.sampling == Sampling::Rgb,
        }),
        rate: video.rate,
        scan: video.scan,
        height: video.height,
        limit,
        pacing: stream.pacing,
        identity,
        paths: outgoing(stream, usual),
        ancillary: associated_ancillary(stream).map(|associated| AssociatedAncillary {
            identity: Identity::random(associated.payload_type),
            paths: outgoing(&associated, usual),
        }),
    }
}

/// A session that receives the codestreams of a compressed video, each frame's at most `limit`
/// bytes.
pub fn codestream_receiver(
    stream: &St2110,
    video: &Video,
    limit: usize,
    usual: &Interface,
) -> CodestreamReceiver {
    CodestreamReceiver {
        rate: video.rate,
        scan: video.scan,
        height: video.height,
        limit,
        origin: origin(stream, usual),
        incomplete: stream.incomplete_frames,
        ancillary: associated_ancillary(stream).map(|associated| origin(&associated, usual)),
    }
}

/// The picture of a video stream and how its frames lie in memory; `None` if it is no video over ST
/// 2110.
///
/// # Errors
/// The wire's format is none that packets are made for, or does not fit the picture.
pub fn picture(config: &ConnectionConfig) -> Result<Option<(Picture, FrameLayout)>, Error> {
    let (Some(wire), Payload::Video(video)) = (config.wire_format(), &config.payload) else {
        return Ok(None);
    };
    let picture = Picture::new(wire, video.width, video.height, video.scan)?;
    // Frames in memory have 10 bits at most. Who names 12 on the wire knows that the last two do
    // not arrive.
    let layout = match wire.depth {
        Depth::Twelve => FrameLayout::Narrowed(video.pixel_format),
        _ => FrameLayout::Mesh(video.pixel_format),
    };
    Ok(Some((picture, layout)))
}

#[cfg(test)]
mod tests {
    use config::{AncillaryStream, Endpoint, SecondPath};
    use media::{Scan, Video};

    use super::*;

    #[test]
    fn each_path_has_its_addresses() {
        let mut stream = St2110::new([239, 1, 1, 1].into(), 5004);
        stream.mcast_sip_addr = Some([10, 0, 0, 9].into());
        stream.second_path = Some(SecondPath {
            ip_addr: [10, 2, 0, 9].into(),
            port: 6000,
            mcast_sip_addr: None,
            interface_ip_addr: Some([10, 2, 0, 1].into()),
            skew: SecondPath::DEFAULT_SKEW,
        });
        (stream.ttl, stream.dscp) = (7, 46);
        let usual = Interface::Name("eth0".into());
        let sent = outgoing(&stream, &usual);
        assert_eq!((sent[0].ttl, sent[1].dscp, sent.len()), (7, 46, 2));
        assert_eq!(sent[1].destination, "10.2.0.9:6000".parse().unwrap());
        let received = incoming(&stream, &usual);
        assert_eq!(received[0].interface, usual);
        assert_eq!(received[0].sources, [IpAddr::from([10, 0, 0, 9])]);
        assert_eq!(received[1].interface, Interface::Address([10, 2, 0, 1].into()));
        assert!(received[1].address.is_unspecified());
        assert_eq!(received[1].sources, [IpAddr::from([10, 2, 0, 9])]);
        assert_eq!(describe(&stream, &usual), "kernel:eth0, 10.2.0.1");
        stream.ip_addr = "fd00::9".parse().unwrap();
        let six = &incoming(&stream, &usual)[0];
        assert!(six.address.is_ipv6() && six.address.is_unspecified());
        stream.ip_addr = [0, 0, 0, 0].into();
        assert!(incoming(&stream, &usual)[0].sources.is_empty(), "any sender");
        assert!(associated_ancillary(&stream).is_none());
        let (ip_addr, port) = ([239, 1, 1, 2].into(), 5010);
        stream.ancillary = Some(AncillaryStream { ip_addr, port, payload_type: 113 });
        let associated = outgoing(&associated_ancillary(&stream).unwrap(), &usual);
        assert_eq!(associated[0].destination, SocketAddr::new(ip_addr, port));
        assert_eq!(associated[1].destination, "10.2.0.9:5010".parse().unwrap());
    }

    #[test]
    fn the_skew_of_two_paths_reaches_every_receiver() {
        let mut stream = St2110::new([239, 1, 1, 1].into(), 5004);
        let (usual, rate) = (Interface::Any, FrameRate::new(50, 1).unwrap());
        assert_eq!(origin(&stream, &usual).skew, Duration::from_millis(2));
        assert_eq!(open_frames(&stream, rate, &usual), 4);
        let mut path = SecondPath::new([239, 2, 1, 1].into(), 5004);
        stream.second_path = Some(path);
        assert_eq!(origin(&stream, &usual).skew, Duration::from_millis(10));
        path.skew = Duration::from_millis(450);
        stream.second_path = Some(path);
        let (ip_addr, port) = ([239, 1, 1, 2].into(), 5010);
        stream.ancillary = Some(AncillaryStream { ip_addr, port, payload_type: 113 });
        assert_eq!(origin(&stream, &usual).skew, path.skew);
        assert_eq!(open_frames(&stream, rate, &usual), 4 + 22);
        let receiver = codestream_receiver(&stream, &Video::default(), 1000, &usual);
        assert_eq!(
            (receiver.origin.skew, receiver.ancillary.unwrap().skew),
            (path.skew, path.skew)
        );
    }

    #[test]
    fn the_senders_timing_reaches_every_receiver() {
        let mut stream = St2110::new([239, 1, 1, 1].into(), 5004);
        let timing = |origin: &Origin| (origin.clock_offset, origin.troff, origin.max_udp);
        assert_eq!(timing(&origin(&stream, &Interface::Any)), (0, None, None));
        stream.timing = config::SenderTiming {
            troff: Some(500),
            max_udp: Some(8960),
            media_clock_offset: Some(7),
        };
        let expected = (7, Some(Duration::from_micros(500)), Some(8960));
        assert_eq!(timing(&origin(&stream, &Interface::Any)), expected);
        // An associated stream has the video's clock.
        let (ip_addr, port) = ([239, 1, 1, 2].into(), 5010);
        stream.ancillary = Some(AncillaryStream { ip_addr, port, payload_type: 113 });
        let receiver = codestream_receiver(&stream, &Video::default(), 1000, &Interface::Any);
        assert_eq!(timing(&receiver.origin), expected);
        assert_eq!(receiver.ancillary.unwrap().clock_offset, 7);
    }

    #[test]
    fn pictures_follow_the_pixels() {
        let video = Video { scan: Scan::Interlaced, ..Video::default() };
        let endpoint = Endpoint::St2110(St2110::new([239, 1, 1, 1].into(), 5004));
        let mut config = ConnectionConfig::new(endpoint, Payload::Video(video));
        let (found, layout) = picture(&config).unwrap().unwrap();
        assert_eq!((found.format(), found.scan()), (WireFormat::YCBCR_422_10, Scan::Interlaced));
        assert_eq!(layout, FrameLayout::Mesh(video.pixel_format));
        let Endpoint::St2110(stream) = &mut config.endpoint else { unreachable!() };
        stream.wire_format =
            Some(WireFormat { sampling: Sampling::YCbCr422, depth: Depth::Twelve });
        let (found, layout) = picture(&config).unwrap().unwrap();
        assert_eq!(found.format().depth, Depth::Twelve);
        assert_eq!(layout, FrameLayout::Narrowed(video.pixel_format));
        // Pgroups of 4:2:2 are two pixels wide.
        config.payload = Payload::Video(Video { width: 1921, ..video });
        assert!(picture(&config).is_err());
        config.payload = Payload::Blob;
        assert!(picture(&config).unwrap().is_none());
    }
}
