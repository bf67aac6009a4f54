use super::*;
use crate::settings::Earlier;

fn video() -> Payload {
    let rate = FrameRate::new(60000, 1001).unwrap();
    Payload::Video { width: 1280, height: 720, rate, format: "yuv422p10le", scan: None }
}

fn audio() -> Payload {
    Payload::Audio { channels: 8, sample_rate: 96000, pcm: Pcm::Bits16, ptime: "125us".into() }
}

/// Settings of a command without options.
fn plain(url: &str) -> Settings {
    Settings {
        url: url.into(),
        conn_type: Some("multipoint-group".into()),
        rdma_provider: Some("tcp".into()),
        rdma_num_endpoints: 1,
        end_of_stream: Some("close".into()),
        buf_queue_cap: Some(8),
        stall_timeout: 1000,
        ..Settings::default()
    }
}

fn st2110(stream: Stream) -> Settings {
    Settings { conn_type: Some("st2110".into()), stream, ..plain("x") }
}

fn json(settings: &Settings, direction: Direction, payload: &Payload) -> Value {
    let text = connection(settings, direction, payload).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn refusal(settings: &Settings, payload: &Payload) -> String {
    connection(settings, Direction::Rx, payload).unwrap_err().to_string()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_url_that_is_no_pipe_names_the_group() {
    assert_eq!(of_url("camera-1"), "camera-1");
    for url in ["", "-", "pipe:", "pipe:1"] {
        assert_eq!(of_url(url), DEFAULT_GROUP);
    }
}

#[test]
fn a_source_of_a_group() {
    let settings = Settings { delivery: some("live"), wait_receivers: 2, ..plain("camera-1") };
    assert_eq!(
        json(&settings, Direction::Tx, &video()),
        json!({
            "bufferQueueCapacity": 8,
            "connCreationDelayMilliseconds": 0,
            "connection": { "multipointGroup": { "urn": "camera-1" } },
            "payload": { "video": {
                "width": 1280, "height": 720, "fps": "60000/1001", "pixelFormat": "yuv422p10le",
            } },
            "options": {
                "rdma": { "provider": "tcp", "numEndpoints": 1 },
                "endOfStream": "close", "delivery": "live",
                "waitForReceivers": 2, "stallTimeoutMilliseconds": 1000,
            },
        })
    );
    ::config::ConnectionConfig::from_json(
        &connection(&settings, Direction::Tx, &video()).unwrap(),
        ::config::Kind::Source,
    )
    .unwrap();
}

#[test]
fn a_receiver_of_audio_with_a_name() {
    let settings = Settings { urn: some("sound"), ..plain("-") };
    let json = json(&settings, Direction::Rx, &audio());
    assert_eq!(json["connection"], json!({ "multipointGroup": { "urn": "sound" } }));
    assert_eq!(
        json["payload"],
        json!({ "audio": {
            "channels": 8, "sampleRate": 96000, "format": "pcm_s16be", "packetTime": "125us",
        } })
    );
    assert!(json["options"].get("waitForReceivers").is_none());
}

#[test]
fn a_stream_has_the_defaults_of_earlier_releases() {
    let stream = |payload: &Payload| {
        json(&st2110(Stream::default()), Direction::Rx, payload)["connection"]["st2110"].clone()
    };
    assert_eq!(
        stream(&video()),
        json!({
            "ipAddr": "192.168.96.1", "port": 9001, "transport": "st2110-20", "payloadType": 112,
        })
    );
    assert_eq!(
        stream(&audio()),
        json!({
            "ipAddr": "192.168.96.1", "port": 9001, "transport": "st2110-30", "payloadType": 111,
        })
    );
}

#[test]
fn every_option_of_a_stream_is_passed_on() {
    let path = |number: u32| Path {
        ip_addr: Some(format!("239.0.0.{number}")),
        port: Some(5000 + number),
        mcast_sip_addr: Some(format!("10.0.0.{number}")),
        interface: Some(format!("10.1.0.{number}")),
    };
    let stream = Stream {
        first: path(1),
        second: path(2),
        second_skew: Some(50),
        transport: some("st2110-22"),
        payload_type: some("96"),
        transport_pixel_format: some("v210"),
        sampling: some("YCbCr-4:2:2"),
        depth: Some(12),
        pacing: some("wide"),
        packing: some("bpm"),
        packet_mode: some("slice"),
        colorimetry: some("BT2100"),
        tcs: some("PQ"),
        range: some("FULL"),
        incomplete_frames: some("repeat"),
        bits_per_pixel: some("2.5"),
        coding_quality: some("speed"),
        max_udp: Some(8960),
        ttl: Some(3),
        dscp: Some(46),
        sdp: None,
        description: None,
    };
    let payload = match video() {
        Payload::Video { width, height, rate, format, .. } => {
            Payload::Video { width, height, rate, format, scan: some("interlaced") }
        }
        other => other,
    };
    let json = json(&st2110(stream), Direction::Rx, &payload);
    assert_eq!(
        json["connection"],
        json!({ "st2110": {
            "ipAddr": "239.0.0.1", "port": 5001, "multicastSourceIpAddr": "10.0.0.1", "interfaceIpAddr": "10.1.0.1",
            "secondPath": {
                "ipAddr": "239.0.0.2", "port": 5002, "multicastSourceIpAddr": "10.0.0.2", "interfaceIpAddr": "10.1.0.2",
                "skewMilliseconds": 50,
            },
            "transport": "st2110-22", "payloadType": 96, "transportPixelFormat": "v210",
            "sampling": "YCbCr-4:2:2", "depth": 12,
            "codec": "jpegxs", "bitsPerPixel": 2.5, "quality": "speed", "pacing": "wide", "packing": "bpm",
            "packetMode": "slice", "incompleteFrames": "repeat", "maxUdp": 8960, "ttl": 3, "dscp": 46,
            "colorimetry": "BT2100", "tcs": "PQ", "range": "FULL",
        } })
    );
    assert_eq!(json["payload"]["video"]["scan"], "interlaced");
}

const SDP: &str = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\n\
    c=IN IP4 239.0.0.1/32\na=rtpmap:96 CODEC/90000\na=fmtp:96 sampling=YCbCr-4:2:2; width=1280; \
    height=720; exactframerate=60000/1001; depth=10; PM=2110GPM\n";

fn described(codec: &str, payload_type: Option<&str>) -> Settings {
    let stream = Stream {
        sdp: Some(SDP.replace("CODEC", codec)),
        payload_type: payload_type.map(str::to_owned),
        ..Stream::default()
    };
    let mut settings = st2110(stream);
    crate::description::read(&mut settings, Direction::Rx).unwrap();
    settings
}

#[test]
fn an_sdp_stands_for_what_is_not_given() {
    let stream = |settings: &Settings| {
        json(settings, Direction::Rx, &video())["connection"]["st2110"].clone()
    };
    let raw = SDP.replace("CODEC", "raw");
    assert_eq!(stream(&described("raw", None)), json!({ "sdp": raw }));
    assert_eq!(stream(&described("raw", Some("100"))), json!({ "sdp": raw, "payloadType": 100 }));
    // FFmpeg's frames are raw, even if the stream is not.
    assert_eq!(stream(&described("jxsv", None))["codec"], "jpegxs");
}

#[test]
fn the_group_of_a_described_stream_is_known() {
    let mut settings = described("raw", None);
    assert_eq!(group(&settings, Way::St2110), some("239.0.0.1:5004"));
    settings.stream.first.port = Some(6000);
    assert_eq!(group(&settings, Way::St2110), some("239.0.0.1:6000"));
}

#[test]
fn kinds_of_earlier_releases_are_transports() {
    let transport = |kind: &str, payload: &Payload| {
        let stream = Stream { payload_type: some(kind), ..Stream::default() };
        connection(&st2110(stream), Direction::Tx, payload).map(|text| {
            let json: Value = serde_json::from_str(&text).unwrap();
            let stream = &json["connection"]["st2110"];
            (stream["transport"].clone(), stream["payloadType"].clone())
        })
    };
    assert_eq!(transport("st20", &video()).unwrap(), ("st2110-20".into(), 112.into()));
    assert_eq!(transport("st22", &video()).unwrap(), ("st2110-22".into(), 112.into()));
    assert_eq!(transport("st30", &audio()).unwrap(), ("st2110-30".into(), 111.into()));
    assert_eq!(transport("97", &audio()).unwrap(), ("st2110-30".into(), 97.into()));
    for (kind, payload) in [("st30", video()), ("st20", audio()), ("128", video()), ("x", audio())]
    {
        let error = transport(kind, &payload).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("payload_type: found {kind}; allowed: 0 to 127")),
            "{error}"
        );
    }
    // In a group they say no more than the device does.
    let settings = Settings {
        stream: Stream { payload_type: some("st20"), ..Stream::default() },
        ..plain("x")
    };
    assert!(connection(&settings, Direction::Rx, &video()).is_ok());
    assert!(connection(&settings, Direction::Rx, &audio()).is_err());
}

#[test]
fn options_of_earlier_releases_name_their_successors() {
    let with = |earlier: Earlier| Settings { earlier, ..plain("x") };
    let protocol = |name: &str| with(Earlier { protocol_type: some(name), ..Earlier::default() });
    assert!(connection(&protocol("auto"), Direction::Tx, &video()).is_ok());
    assert!(refusal(&protocol("memif"), &video()).contains("-urn"));
    assert!(refusal(&protocol("udp"), &video()).contains("-conn_type st2110"));
    assert!(refusal(&protocol("tcp"), &video()).contains("allowed: auto"));
    let socket = with(Earlier { socket_name: some("/run/a.sock"), ..Earlier::default() });
    assert!(refusal(&socket, &video()).starts_with("socket_name: found /run/a.sock; "));
    let interface = with(Earlier { interface_id: some("0"), ..Earlier::default() });
    assert!(refusal(&interface, &video()).starts_with("interface_id: found 0; "));
}

#[test]
fn options_of_streams_need_a_stream() {
    let settings = Settings { stream: Stream { ttl: Some(1), ..Stream::default() }, ..plain("x") };
    assert_eq!(refusal(&settings, &video()), "ttl: found 1; needs -conn_type st2110");
    let settings = Settings { conn_type: some("rdma"), ..plain("x") };
    assert!(refusal(&settings, &video()).contains("allowed: multipoint-group, st2110"));
}

#[test]
fn groups_of_streams_are_named_by_their_address() {
    let name = |ip: Option<&str>, port| {
        let first = Path { ip_addr: ip.map(str::to_owned), port, ..Path::default() };
        group(&st2110(Stream { first, ..Stream::default() }), Way::St2110)
    };
    assert_eq!(name(None, None), some("192.168.96.1:9001"));
    assert_eq!(name(Some("ff02::1"), Some(5)), some("[ff02::1]:5"));
    assert_eq!(name(Some("nowhere"), None), None);
}

/// The library knows all names that the options produce: none is unknown to it, and none is lost.
#[test]
fn the_library_understands_it() {
    let path =
        |ip: &str| Path { ip_addr: some(ip), interface: some("10.0.0.1"), ..Path::default() };
    let stream = Stream {
        first: path("239.0.0.1"),
        second: path("239.0.0.2"),
        sampling: some("YCbCr-4:2:2"),
        depth: Some(12),
        pacing: some("wide"),
        packing: some("bpm"),
        incomplete_frames: some("drop"),
        ttl: Some(3),
        dscp: Some(46),
        ..Stream::default()
    };
    let text = connection(&st2110(stream), Direction::Rx, &video()).unwrap();
    let config = ::config::ConnectionConfig::from_json(&text, ::config::Kind::Receiver).unwrap();
    let ::config::Endpoint::St2110(read) = &config.endpoint else { panic!("{config:?}") };
    assert_eq!((read.ttl, read.dscp), (3, 46));
    assert_eq!(
        read.wire_format.map(|wire| wire.to_string()).as_deref(),
        Some("YCbCr-4:2:2 12 bit")
    );
    let second = read.second_path.expect("a second path");
    assert_eq!((second.ip_addr.to_string(), second.port), ("239.0.0.2".to_owned(), 9001));
    assert!(second.interface_ip_addr.is_some() && read.interface_ip_addr.is_some());
    let names = (read.pacing.name(), read.packing.name(), read.incomplete_frames.name());
    assert_eq!(names, ("wide", "bpm", "drop"));

    let stream = Stream {
        payload_type: some("st22"),
        packet_mode: some("slice"),
        bits_per_pixel: some("2.5"),
        coding_quality: some("speed"),
        colorimetry: some("BT2100"),
        tcs: some("HLG"),
        range: some("FULL"),
        ..Stream::default()
    };
    let text = connection(&st2110(stream), Direction::Tx, &video()).unwrap();
    let config = ::config::ConnectionConfig::from_json(&text, ::config::Kind::Receiver).unwrap();
    let ::config::Endpoint::St2110(read) = &config.endpoint else { panic!("{config:?}") };
    assert_eq!(read.codec.map(|codec| codec.name()), Some("jpegxs"));
    assert_eq!(read.packet_mode.name(), "slice");
    assert_eq!(read.colour.transfer.map(|transfer| transfer.name()), Some("HLG"));
    let stream = Stream { incomplete_frames: some("drop"), ..Stream::default() };
    let text = connection(&st2110(stream), Direction::Rx, &audio()).unwrap();
    let config = ::config::ConnectionConfig::from_json(&text, ::config::Kind::Receiver).unwrap();
    let ::config::Endpoint::St2110(read) = &config.endpoint else { panic!("{config:?}") };
    assert_eq!(read.incomplete_frames.name(), "drop");
}
