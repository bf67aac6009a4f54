"""Which commands of the documents are not run by scenarios.py, and why."""

# Document: sections whose commands a test of their own runs as printed.
RUN_ELSEWHERE = {
    # ffmpeg-plugin/tests/walk_through.rs
    "docs/st2110.md": ["Walk-through"],
}

# Document: command: reason. A document's commands are those of its shell blocks.
NOT_RUN = {
    "docs/cluster.md": {
        "mesh-agent --store=etcd://e1:2379,e2:2379,e3:2379": "three machines with etcd; mesh-agent/tests/etcd.rs has a real one",
        "mesh-agent --store=etcds://e1:2379/studio1 --tls-cert=agent.pem --tls-key=agent.key --tls-ca=ca.pem":
            "an etcd with certificates; mesh-agent/tests has the options",
    },
    "docs/ffmpeg.md": {
        "mcm-ffmpeg -f v4l2 -i /dev/video0 -pix_fmt uyvy422 -f mcm -delivery live camera-2": "a camera",
        "mcm-ffmpeg -f x11grab -framerate 30 -i :0 -pix_fmt bgra -f mcm screen": "a screen",
        "cd ffmpeg-7.1": "FFmpeg's sources: ./build.sh test-ffmpeg-patches",
        "patch -p1 < ../mesh/ffmpeg-plugin/patches/hook.patch": "FFmpeg's sources: ./build.sh test-ffmpeg-patches",
        "./configure --enable-shared": "FFmpeg's sources: ./build.sh test-ffmpeg-patches",
        "make": "FFmpeg's sources: ./build.sh test-ffmpeg-patches",
        "python3 ffmpeg-plugin/examples/pyav_mesh.py receive camera-1 --size 640x360": "PyAV: ./build.sh test-ffmpeg-matrix",
        "python3 ffmpeg-plugin/examples/pyav_mesh.py send camera-1 'testsrc2=size=640x360:rate=25:duration=4' --input-format lavfi":
            "PyAV: ./build.sh test-ffmpeg-matrix",
    },
    "docs/rust.md": {
        "cargo run -p mcm-mesh --example receive studio": "tests/tests/rust_examples.rs runs the examples",
        "cargo run -p mcm-mesh --example send studio 250": "tests/tests/rust_examples.rs runs the examples",
        "cargo run -p mcm-mesh --features tokio --example bridge studio copy":
            "tests/tests/rust_examples.rs runs the examples",
    },
    "docs/st2110.md": {
        "ptp4l -i eth0 -s --domainNumber 127 &": "a PTP grandmaster and an interface with a hardware clock",
        "phc2sys -a -r &": "an interface with a hardware clock",
    },
    "docs/media-proxy.md": {
        'docker run -v /run/mcm:/run/mcm --group-add "$(getent group mcm | cut -d: -f3)" …': "an image of the reader's",
        "systemd-sysusers && systemd-tmpfiles --create": "an init: scripts/test-systemd.sh",
        "systemctl restart systemd-sysctl": "an init: scripts/test-systemd.sh",
        "udevadm control --reload && udevadm trigger -s ptp": "an init: scripts/test-systemd.sh",
        "systemctl enable --now media_proxy": "an init: scripts/test-systemd.sh",
        "usermod -aG mcm USER": "an account: scripts/test-systemd.sh",
        **{f"grpcurl -plaintext {what}": "no distribution has grpcurl; media-proxy/tests/grpc.rs makes these calls" for what in (
            "localhost:8001 list",
            "localhost:8001 mcm.control.v1.Control/GetInfo",
            "localhost:8001 mcm.control.v1.Control/ListGroups",
            """-d '{"group_id": "camera-1"}' localhost:8001 mcm.control.v1.Control/ListConnections""",
            """-d '{"interval_ms": 1000}' localhost:8001 mcm.control.v1.Control/Watch""",
            """-d '{"conn_id": "0123abcd…"}' localhost:8001 mcm.control.v1.Control/DeleteConnection""",
            "localhost:8001 grpc.health.v1.Health/Check",
        )},
    },
}
