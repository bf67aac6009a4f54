"""The commands of the documents, run as printed by users of a fresh installation.

A scenario is a function of one document. It asks for each command by its exact text; what no scenario asks for must be in coverage.py.
"""

import json
import os
import re
import shutil
import signal
import subprocess

from hosts import Failed, run, wait


def clip(host, name, size="640x360", seconds=3, sound=False, pixels="yuv420p"):
    """A clip for those who read "your film here"."""
    sources = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25"]
    if sound:
        sources += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    run("ffmpeg", "-v", "error", *sources, "-t", str(seconds), "-pix_fmt", pixels, "-c:v", "mpeg4", "-q:v", "5", "-y", host.path(name))


def frames(path):
    """How many pictures a file has."""
    output = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
                             "stream=nb_read_packets", "-of", "csv=p=0", path], capture_output=True, text=True, check=True).stdout
    return int(output.strip().strip(",") or 0)


def expect(text, *parts):
    for part in parts:
        if part not in text:
            raise Failed(f"{part!r} is missing in:\n{text}")


def single_host(hosts):
    """A media_proxy that the next commands meet."""
    return hosts[1].start("media_proxy").has("gRPC Server listening on 0.0.0.0:8001")


def two_hosts(document, hosts):
    """cluster.md: two hosts, in the order in which it prints the commands."""
    one, two = hosts[1], hosts[2]
    clip(one, "clip.mov", seconds=20)
    agent, proxy, other = document.take("mesh-agent --allow=10.0.0.0/24 &", "media_proxy -a 10.0.0.1:50051 &",
                                        "media_proxy -a 10.0.0.1:50051 &")
    one.start(agent).has("listening on 0.0.0.0:8100 for REST")
    for host, command in ((one, proxy), (two, other)):
        host.start(command).has("registered as media proxy")
    send, receive, listing, graph, bridges = document.take(
        "mcm-ffmpeg -re -i clip.mov -f mcm studio1", "mcm-ffmpeg -f mcm -i studio1 out.mkv", "mcm list",
        "mcm graph -a 10.0.0.1", "curl -s 'localhost:8100/bridge?config&status'")
    source, receiver = one.start(send), two.start(receive)
    wait("the receiver has pictures", lambda: "frame=" in receiver.output())
    wait("the source's host lists the bridge", lambda: "bridge out" in one.run(listing))
    expect(one.run(listing), "studio1  video 640x360")
    expect(two.run(listing), "studio1  video 640x360", "bridge in")
    expect(two.run(graph), "studio1", "10.0.0.1", "─rdma→ 10.0.0.2")
    if len(json.loads(one.run(bridges))["bridge"]) != 2:
        raise Failed("a bridge at each end was expected")
    # REST of the agent, with the ids that it prints.
    groups, connection, delete = document.take(
        "curl -s localhost:8100/multipoint-group?status", "curl -s localhost:8100/connection/7f0c…",
        "curl -s -X DELETE localhost:8100/connection/7f0c…")
    expect(one.run(groups), "studio1")
    source.ends()
    receiver.ends()
    if frames(two.path("out.mkv")) < 100:
        raise Failed(f"out.mkv has {frames(two.path('out.mkv'))} frames")
    waiting = two.start("mcm-ffmpeg -f mcm -video_size 640x360 -pixel_format yuv420p -i nothing-yet never.mkv")
    ids = wait("the agent knows the receiver", lambda: re.findall(r'"id":\s*"([0-9a-f-]+)"', one.run("curl -s localhost:8100/connection")))
    expect(one.run(connection.replace("7f0c…", ids[0])), "nothing-yet")
    one.run(delete.replace("7f0c…", ids[0]))
    wait("the receiver has ended", lambda: waiting.process.poll() is not None)


def certificates(document, hosts):
    """cluster.md: an authority, an agent with a certificate, and likewise a proxy."""
    one, two = hosts[1], hosts[2]
    authority, request, sign, agent = document.take(
        'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=mesh CA" -keyout ca.key -out ca.pem',
        'openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=agent1" '
        '-addext "subjectAltName=DNS:agent1,IP:10.0.0.1" -keyout agent.key -out agent.csr',
        "openssl x509 -req -in agent.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -copy_extensions copy -out agent.pem",
        "mesh-agent --tls-cert=agent.pem --tls-key=agent.key --tls-ca=ca.pem")
    for command in (authority, request, sign):
        one.run(command)
    # "For a proxy the same with its own name and address."
    for command in (request, sign):
        one.run(command.replace("agent1", "proxy2").replace("10.0.0.1", "10.0.0.2").replace("agent.", "proxy."))
    for name in ("ca.pem", "proxy.pem", "proxy.key"):
        shutil.copy(one.path(name), two.path(name))
    one.start(agent).has("listening on 0.0.0.0:8100 for REST")
    files = "--tls-cert=proxy.pem --tls-key=proxy.key --tls-ca=ca.pem"
    two.start(f"media_proxy -a 10.0.0.1:50051 {files}").has("registered as media proxy")
    expect(two.run(f"mcm list -a 10.0.0.1 {files}"), "no groups; 1 media proxy")


def agent_alone(document, hosts):
    """cluster.md: an agent with its state in memory."""
    command, = document.take("mesh-agent")
    agent = hosts[1].start(command).has("listening on 0.0.0.0:8100 for REST")
    expect(hosts[1].run("curl -s localhost:8100/media-proxy"), "mediaProxy")
    agent.stop()


def first_lines(document, hosts):
    """media-proxy.md: what a start prints."""
    command, = document.take("media_proxy")
    proxy = hosts[1].start(command)
    proxy.has("INFO: TCP Server listening on 0.0.0.0:8002").has("INFO: gRPC Server listening on 0.0.0.0:8001")
    proxy.stop(signal.SIGINT)
    if proxy.process.returncode != 0:
        raise Failed(f"Ctrl-C ended media_proxy with {proxy.process.returncode}")


def camera(document, hosts):
    """ffmpeg.md: the first picture."""
    single_host(hosts)
    show, send = document.take("mcm-ffplay -f mcm camera-1",
                               "mcm-ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=25 -pix_fmt yuv420p -f mcm camera-1")
    shown, sent = hosts[1].start(show), hosts[1].start(send)
    wait("the player takes frames", lambda: re.search(r"receiver +\S+ +\d+ +active +[1-9]", hosts[1].run("mcm list camera-1 || true")))
    shown.runs()
    sent.runs()


def pictures_and_sound(document, hosts):
    """ffmpeg.md: a film with its sound, as two groups."""
    single_host(hosts)
    clip(hosts[1], "film.mp4", size="1920x1080", seconds=2, sound=True)
    receive, send = document.take(
        "mcm-ffmpeg -f mcm -video_size 1920x1080 -pixel_format yuv422p10le -frame_rate 25 -i film "
        "-f mcm_audio_pcm24 -channels 2 -i film-audio -map 0 -map 1 -c:v ffv1 -c:a pcm_s24le got.mkv",
        "mcm-ffmpeg -i film.mp4 -map 0:v -pix_fmt yuv422p10le -f mcm -wait_receivers 1 film "
        "-map 0:a -ar 48000 -ac 2 -f mcm_audio_pcm24 -wait_receivers 1 film-audio")
    receiver, sender = hosts[1].start(receive), hosts[1].start(send)
    sender.ends()
    receiver.ends()
    if frames(hosts[1].path("got.mkv")) != 50:
        raise Failed(f"got.mkv has {frames(hosts[1].path('got.mkv'))} of 50 frames")


def v210(document, hosts):
    """ffmpeg.md: v210, and what there is."""
    single_host(hosts)
    clip(hosts[1], "film.mov", size="1920x1080", seconds=2)
    send, receive, probe, help_ = document.take(
        "mcm-ffmpeg -i film.mov -map 0:v -c:v v210 -f mcm film-v210",
        "mcm-ffmpeg -f mcm -video_size 1920x1080 -pixel_format v210 -i film-v210 out.mp4",
        "mcm-ffprobe -f mcm -video_size 1920x1080 -pixel_format v210 film-v210", "mcm-ffmpeg -h demuxer=mcm")
    expect(hosts[1].run(probe), "v210", "1920x1080")
    receiver = hosts[1].start(receive).has("waiting for")
    hosts[1].run(send)
    receiver.ends()
    if not 0 < frames(hosts[1].path("out.mp4")) <= 50:
        raise Failed(f"out.mp4 has {frames(hosts[1].path('out.mp4'))} of 50 frames")
    expect(hosts[1].run(help_), "group_timeout")


def two_sizes(document, hosts):
    """ffmpeg.md: two groups from one input, and several receivers of one of them."""
    single_host(hosts)
    clip(hosts[1], "film.mp4", seconds=6)
    send, record, show, watch = document.take(
        "mcm-ffmpeg -re -i film.mp4 -map 0:v -pix_fmt yuv422p10le -f mcm film -map 0:v -s 640x360 -pix_fmt yuv420p -f mcm -delivery live film-small",
        "mcm-ffmpeg -f mcm -i film -c:v libx264 recording.mp4", "mcm-ffplay -f mcm film",
        "mcm-mpv --profile=low-latency --untimed av://mcm:film")
    recorder, player = hosts[1].start(record), hosts[1].start(show)
    recorder.has("waiting for")
    # mpv ends where there is nothing to open yet, and has no window here.
    sender = hosts[1].start(send)
    viewer = hosts[1].start(f"{watch} --vo=null")
    wait("all receivers are there", lambda: hosts[1].run("mcm list film || true").count("receiver") == 3)
    sender.ends()
    recorder.ends()
    viewer.ends()
    player.stop()
    if not 0 < frames(hosts[1].path("recording.mp4")) <= 150:
        raise Failed(f"recording.mp4 has {frames(hosts[1].path('recording.mp4'))} of 150 frames")


def network(document, hosts):
    """ffmpeg.md: to a multicast group, from there, and by a description."""
    one, two = hosts[1], hosts[2]
    for host in (one, two):
        single_host({1: host})
    clip(one, "film.mp4", size="1920x1080", seconds=100, sound=True)
    video, sound, receive, by_description, microphone, two_networks = document.take(
        "mcm-ffmpeg -re -i film.mp4 -map 0:v -pix_fmt yuv422p10le -f mcm -conn_type st2110 -ip_addr 239.0.0.1 -port 20000 -",
        "mcm-ffmpeg -re -i film.mp4 -map 0:a -ar 48000 -ac 2 -f mcm_audio_pcm24 -conn_type st2110 -ip_addr 239.0.0.1 -port 20002 -",
        "mcm-ffmpeg -f mcm -conn_type st2110 -ip_addr 239.0.0.1 -port 20000 -video_size 1920x1080 -frame_rate 25 -i - got.mkv",
        "mcm-ffmpeg -f mcm -conn_type st2110 -sdp camera.sdp -i - got.mkv",
        "mcm-ffmpeg -f mcm_audio -conn_type st2110 -sdp microphone.sdp -i - got.wav",
        "mcm-ffmpeg -f mcm -conn_type st2110 -sdp camera.sdp -second_interface 10.2.0.5 -i - got.mkv")
    one.start(video)
    one.start(sound)
    for port, name in ((20000, "camera.sdp"), (20002, "microphone.sdp")):
        wait(f"the stream to port {port}", lambda: "m=" in one.run(f"mcm sdp 239.0.0.1:{port} >description || true; cat description"))
        os.replace(one.path("description"), two.path(name))

    def receives(command, name):
        receiver = two.start(command)
        # A stream of the network has no end; the first q or Ctrl-C ends FFmpeg in order.
        wait(f"`{command}` has got something:\n{receiver.output()}", lambda: re.search(r"(frame|size)= *[1-9]", receiver.output()))
        receiver.stop(signal.SIGINT)
        if not os.path.getsize(two.path(name)):
            raise Failed(f"{name} is empty")
        os.remove(two.path(name))

    receives(receive, "got.mkv")
    receives(by_description, "got.mkv")
    receives(microphone, "got.wav")
    # The second network brings nothing here: that is what two paths are for.
    run("ip", "-n", "host2", "address", "add", "10.2.0.5/24", "dev", "eth1")
    with open(two.path("camera.sdp"), encoding="utf-8") as file:
        session, media = file.read().split("m=", 1)
    first, second = (f"m={media.rstrip()}\r\na=mid:{name}\r\n" for name in ("1", "2"))
    second = second.replace("239.0.0.1", "239.0.0.2")
    with open(two.path("camera.sdp"), "w", encoding="utf-8") as file:
        file.write(f"{session}a=group:DUP 1 2\r\n{first}{second}")
    receives(two_networks, "got.mkv")


def tools(document, hosts):
    """st2110.md: from and to files, and the analyser."""
    one, two = hosts[1], hosts[2]
    connection = {
        "connection": {"st2110": {"transport": "st2110-20", "ipAddr": "239.100.9.10", "port": 50000, "interfaceIpAddr": "10.2.0.1",
                                  "ancillary": {"port": 50002}}},
        "payload": {"video": {"width": 320, "height": 180, "fps": 25, "pixelFormat": "uyvy422"}}, "maxMetadataSize": 1024,
    }
    with open(one.path("camera.json"), "w", encoding="utf-8") as file:
        json.dump(connection, file)
    connection["connection"]["st2110"]["interfaceIpAddr"] = "10.2.0.2"
    with open(two.path("camera.json"), "w", encoding="utf-8") as file:
        json.dump(connection, file)
    run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-frames:v", "25", "-pix_fmt", "uyvy422", "-f",
        "rawvideo", one.path("frames.raw"))
    with open(one.path("captions.anc"), "wb") as file:
        file.write(bytes(4 * 25))
    receive, send, with_captions, analyse, clock = document.take(
        "mcm st2110 recv camera.sdp --pixel-format uyvy422 -n 250 frames.raw", "mcm st2110 send camera.json frames.raw --loop",
        "mcm st2110 recv --incomplete drop --ancillary captions.anc camera.json frames.raw",
        "mcm analyze -i kernel:eth1 -t 30 239.100.9.10:50000",
        "python3 -c 'import time; print(round(time.clock_gettime(time.CLOCK_TAI) - time.time()))'")
    int(one.run(clock))
    one.start(f"{send} --ancillary captions.anc")
    with open(two.path("camera.sdp"), "w", encoding="utf-8") as file:
        file.write("v=0\r\no=- 1 1 IN IP4 10.2.0.1\r\ns=camera\r\nt=0 0\r\nm=video 50000 RTP/AVP 112\r\nc=IN IP4 239.100.9.10/32\r\n"
                   "a=rtpmap:112 raw/90000\r\na=fmtp:112 sampling=YCbCr-4:2:2; width=320; height=180; exactframerate=25; depth=8; "
                   "colorimetry=BT709; PM=2110GPM; SSN=ST2110-20:2017; TP=2110TPW\r\na=mediaclk:direct=0\r\na=ts-refclk:localmac=02-00-00-00-00-01\r\n")
    # The stream is on the second network.
    run("ip", "-n", "host2", "route", "replace", "239.100.0.0/16", "dev", "eth1")
    two.run(receive)
    size = os.path.getsize(two.path("frames.raw"))
    if size != 250 * 320 * 180 * 2:
        raise Failed(f"frames.raw has {size} bytes, 250 frames are {250 * 320 * 180 * 2}")
    captions = two.start(with_captions)
    wait("frames with their captions", lambda: os.path.exists(two.path("captions.anc")) and os.path.getsize(two.path("captions.anc")))
    captions.stop(signal.SIGINT)
    # Whether a busy machine keeps the limits is not the question here.
    analysis = two.start(analyse)
    analysis.process.wait(90)
    expect(analysis.output(), "verdict", "25 frames or fields a second")


def listing(document, hosts):
    """media-proxy.md: the columns of mcm list."""
    command, = document.take("mcm list")
    single_host(hosts)
    hosts[1].start("mcm-ffmpeg -f mcm -video_size 64x64 -pixel_format yuv420p -frame_rate 25 -i camera-1 -f null -")
    wait("the receiver is listed", lambda: re.search(r"receiver +\S+ +\d+ +waiting", hosts[1].run(command)))
    with open("docs/media-proxy.md", encoding="utf-8") as file:
        printed = next(line for line in file if line.lstrip().startswith("PROGRAM"))
    expect(" ".join(hosts[1].run(command).splitlines()[0].split()), " ".join(printed.split()))


SCENARIOS = {
    "docs/cluster.md": [two_hosts, certificates, agent_alone],
    "docs/ffmpeg.md": [camera, pictures_and_sound, v210, two_sizes, network],
    "docs/st2110.md": [tools],
    "docs/media-proxy.md": [first_lines, listing],
}
