//! Session descriptions of running streams.

use crate::figures::measured;
use crate::{hosts, open_receiver, open_source, put, send, take, take_row, video};
use mcm_tests::content::Stamp;
use mcm_tests::pair::Pair;
use serde_json::json;

const CLOCK: &str = "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:37";
const GROUP: &str = "239.77.0.1:5004";

/// A session description as a camera's control system may write it for a stream in HDR.
const GIVEN: &str = "v=0\r\no=studio 77 3 IN IP4 192.0.2.1\r\ns=Camera 7\r\nt=0 0\r\na=x-house:7\r\n\
    m=video 5004 RTP/AVP 112\r\nc=IN IP4 239.77.0.1/32\r\na=rtpmap:112 raw/90000\r\n\
    a=fmtp:112 sampling=YCbCr-4:2:2; width=320; height=180; exactframerate=10; depth=10; TCS=HLG; colorimetry=BT2100; \
    RANGE=FULL; PM=2110GPM; SSN=ST2110-20:2017; TP=2110TPN; TROFF=5; x-own=1\r\na=mediaclk:direct=9\r\n";

fn version(sdp: &str) -> u64 {
    let origin = sdp.lines().find_map(|line| line.strip_prefix("o=")).expect("an origin");
    origin.split(' ').nth(2).expect("a version").parse().expect("a number")
}

#[test]
fn a_given_description_goes_on_to_receivers() {
    let options: [&[&str]; 2] =
        [&["-i", "10.77.0.1", "--ts-refclk", CLOCK], &["-d", "kernel:eth0"]];
    let Some(pair) = Pair::with_options(2, 1, options) else { return };
    let [a, b] = pair.programs.clone();
    let given = |text: &str| {
        json!({
            "connection": { "st2110": { "sdp": text } },
            "payload": { "video": { "pixelFormat": "yuv422p10rfc4175" } },
            "bufferQueueCapacity": 32,
        })
    };
    let described = |host: usize| {
        let control = [&pair.a, &pair.b][host - 1];
        pair.net.on(host, || control.control().sdp(GROUP)).expect("a description")
    };
    let source = open_source(&a, &given(GIVEN));
    let first = described(1);
    for part in [
        "o=studio 77 ",
        " IN IP4 10.77.0.1\r\ns=Camera 7\r\n",
        "a=x-house:7\r\n",
        "TCS=HLG; colorimetry=BT2100; RANGE=FULL;",
        "x-own=1",
        "source-filter: incl IN IP4 239.77.0.1 10.77.0.1\r\n",
        &format!("a=ts-refclk:{CLOCK}\r\n"),
        "a=mediaclk:direct=0\r\n",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    assert!(!first.contains("TROFF") && !first.contains("192.0.2.1"), "{first}");
    let receiver = open_receiver(&b, &given(&first));
    put(&source, Stamp { source: 1, index: 0 });
    assert_eq!(take(&receiver).index, 0);
    assert_eq!(described(2), first, "a receiver has what it was given");
    drop(receiver);

    // Another program describes the same session otherwise.
    drop(source);
    pair.wait_no_bridges();
    let source = open_source(&a, &given(&GIVEN.replace("Camera 7", "Camera 8")));
    let second = described(1);
    assert!(version(&second) > version(&first), "{first}{second}");
    drop(source);
    pair.wait_no_bridges();
    let _source = open_source(&a, &given(&GIVEN.replace("Camera 7", "Camera 8")));
    assert_eq!(described(1), second, "nothing has changed");
}

#[test]
fn a_receiver_without_a_description_tells_what_it_expects() {
    let Some(pair) = Pair::new(2, 1) else { return };
    let _receiver = open_receiver(&pair.programs[1], &video("239.77.0.1", 5004));
    let sdp = pair.net.on(2, || pair.b.control().sdp(GROUP)).expect("a description");
    for part in
        ["m=video 5004 RTP/AVP 112\r\n", "c=IN IP4 239.77.0.1/64\r\n", "width=320; height=180"]
    {
        assert!(sdp.contains(part), "{part}: {sdp}");
    }
    assert!(!sdp.contains("TP=") && !sdp.contains("ts-refclk"), "nobody knows the sender: {sdp}");
}

#[test]
fn a_stream_is_judged_by_what_its_description_says() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let mut config = video("239.77.0.1", 5004);
        let _sender = send(open_source(&a, &config), 1);
        let told = &mut config["connection"]["st2110"];
        told["troffMicroseconds"] = 1234.into();
        // An hour: not the clock of this sender, whose frames so have times that cannot be.
        told["mediaClockOffset"] = (90_000 * 3600).into();
        let receiver = open_receiver(&b, &config);
        take_row(&receiver, 1, 3);
        let bridge = measured(pair, "path1_tro_us");
        assert_eq!(bridge.measurements["path1_tro_us"], 1234.0, "{bridge:?}");
        assert!(bridge.counters["unaligned_times"] > 0, "{bridge:?}");
    });
}

/// RFC 7104 §4.1: both copies go to one group, and only the sender tells them apart.
#[test]
fn two_senders_of_one_group_are_two_paths() {
    let Some(pair) = Pair::new(2, 1) else { return };
    pair.net.run(1, "ip", &["address", "add", "10.77.0.9/24", "dev", "eth0"]);
    let mut sent = video("239.77.0.1", 5004);
    sent["connection"]["st2110"]["interfaceIpAddr"] = "10.77.0.1".into();
    sent["connection"]["st2110"]["secondPath"] =
        json!({ "ipAddr": "239.77.0.1", "interfaceIpAddr": "10.77.0.9" });
    let text = GIVEN.replace(
        "a=rtpmap",
        "a=source-filter: incl IN IP4 239.77.0.1 10.77.0.1 10.77.0.9\r\na=ssrc-group:DUP 1 2\r\na=rtpmap",
    );
    let text = text.replace("direct=9", "direct=0");
    let received = json!({
        "connection": { "st2110": { "sdp": text } },
        "payload": { "video": { "pixelFormat": "yuv422p10rfc4175" } },
    });
    let receiver = open_receiver(&pair.programs[1], &received);
    let _sender = send(open_source(&pair.programs[0], &sent), 1);
    take_row(&receiver, 1, 3);
    for path in ["path1_received", "path2_received"] {
        assert!(pair.counter(2, 5004, path) > 0, "{path}: {:?}", pair.bridges(2));
    }
    assert_eq!(pair.counter(2, 5004, "other_sender"), 0, "{:?}", pair.bridges(2));
}
