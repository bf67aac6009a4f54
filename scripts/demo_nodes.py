"""The demo with several hosts: a clip from the first to receivers on all of them, every frame checked. Called by
scripts/demo-nodes.sh, as root.

Each host is a network namespace with a media_proxy of its own, all on one bridge; one mesh-agent decides who sends to whom. This program
itself runs in a fresh network namespace, which has the bridge and the agent.
Ends with status 0 if every frame came, whole and in order, at every receiver; otherwise with 1.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from demo import (FORMAT, FRAME_SIZE, FRAMES_IN_FILE, HEIGHT, PATIENCE, RATE, ROUNDS, TOTAL, WIDTH, Demo, Failed, Receiver,
                  interrupted, make_video, parse_app, run, write_json)


class Hosts:
    """Namespaces on a bridge, with the addresses 10.77.0.1 and so on. This program itself is on the network as 10.77.0.254."""

    def __init__(self, count):
        self.prefix = f"mcm-{os.getpid()}"
        self.hub = f"mcm{os.getpid()}"[:15]
        self.names = []
        self.ip("link", "set", "lo", "up")
        self.ip("link", "add", self.hub, "type", "bridge")
        self.ip("address", "add", "10.77.0.254/24", "dev", self.hub)
        self.ip("link", "set", self.hub, "up")
        for number in range(1, count + 1):
            name, port = f"{self.prefix}-{number}", f"m{number}-{os.getpid()}"
            self.ip("netns", "add", name)
            self.names.append(name)
            self.ip("link", "add", port, "mtu", "9000", "type", "veth", "peer", "name", "eth0", "mtu", "9000", "netns", name)
            self.ip("link", "set", port, "master", self.hub, "up")
            self.ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            self.ip("-n", name, "link", "set", "eth0", "up")
            self.ip("-n", name, "link", "set", "lo", "up")

    @staticmethod
    def ip(*arguments):
        run(["ip", *arguments], "ip " + " ".join(arguments))

    def on(self, number, command):
        return ["ip", "netns", "exec", self.names[number - 1], *command]

    def remove(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        subprocess.run(["ip", "link", "delete", self.hub], capture_output=True)


class Fleet(Demo):
    """The programs of the demo; hosts are numbered from 1."""

    def __init__(self, options, work, hosts):
        super().__init__(options, work)
        self.hosts, self.count = hosts, options.nodes

    def wait(self, what, condition, process, log):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{what}: {self.log(log)}")
            time.sleep(0.05)

    def known(self, kind, key):
        """What the agent knows of a kind."""
        with urllib.request.urlopen(f"http://127.0.0.1:8100/{kind}?status", timeout=5) as answer:
            return json.load(answer)[key]

    def start_agent(self):
        agent = self.start([self.options.mesh_agent, "--allow=10.77.0.0/24"], "agent.log")
        self.wait("mesh-agent did not start", lambda: "for REST" in self.log("agent.log"), agent, "agent.log")
        return agent

    def start_proxies(self, agent):
        self.proxies = []
        for number in range(1, self.count + 1):
            command = [self.options.media_proxy, "--run-dir", self.path(f"run{number}"), "-a", "10.77.0.254:50051",
                       "--tcp", "0", "--grpc", "8001"]
            self.proxies.append(self.start(self.hosts.on(number, command), f"media_proxy{number}.log"))
        self.wait("not all proxies came", lambda: len(self.known("media-proxy", "mediaProxy")) == self.count, agent, "agent.log")

    def programs(self, number):
        """Arguments of a program on a host. It waits for slow ones: all hosts share the CPUs of this machine."""
        socket = os.path.join(self.path(f"run{number}"), "media_proxy.sock")
        client = write_json(self.path(f"client{number}.json"), {"apiConnectionString": f"Unix={socket}"})
        # On the first host: its receiver, a bridge to each other host, and one who says when all are there.
        connection = write_json(self.path(f"connection{number}.json"), {
            "connection": {"multipointGroup": {"urn": "demo"}},
            "payload": {"video": {"width": WIDTH, "height": HEIGHT, "fps": RATE, "pixelFormat": FORMAT}},
            "options": {"waitForReceivers": self.count + 1, "endOfStream": "wait", "stallTimeoutMilliseconds": 10000},
        })
        return ["--client", client, "--json", connection]

    def start_receiver(self, name, number, expected):
        command = [self.program("recver_app"), *self.programs(number), "--checksum", "--age", "--pause", "2", "--stats-json",
                   self.path(f"{name}.json"), "--number", str(TOTAL), "--timeout", str(PATIENCE * 1000)]
        process = self.start(self.hosts.on(number, command), f"{name}.log", stdout=subprocess.PIPE, text=True)
        return Receiver(name, process, expected, parse_app)

    def linked(self):
        """Whether each egress bridge has a connection, as the first host's proxy says."""
        others = "".join(self.log(f"media_proxy{number}.log") for number in range(2, self.count + 1))
        active = re.findall(r"ingress bridge .*of group \"demo\".*: active", others)
        connected = re.findall(r"rdma bridge .*: connected", self.log("media_proxy1.log"))
        return len(active) == self.count - 1 and len(connected) >= self.count - 1

    def run(self):
        print(f"Making one second of video: {WIDTH}x{HEIGHT}, {RATE} frames a second, {FORMAT} ({FRAME_SIZE} bytes a frame)")
        make_video(self.path("video.raw"))
        lines = run([self.program("frame_sums"), self.path("video.raw"), str(FRAME_SIZE)], "frame_sums").splitlines()
        expected = [line.split()[1] for line in lines]
        agent = self.start_agent()
        self.start_proxies(agent)
        print(f"{self.count} hosts run, with a media_proxy each, and a mesh-agent")
        print(f"Sending the video {ROUNDS} times, in real time, from host 1 to a receiver on each; each frame is checked at each")
        sender = self.start(self.hosts.on(1, [self.program("sender_app"), *self.programs(1), "--input", self.path("video.raw"),
                                              "--loop", str(ROUNDS)]), "sender.log")
        receivers = [self.start_receiver(f"host{number}", number, expected) for number in range(1, self.count + 1)]
        self.wait("not all bridges came", self.linked, sender, "media_proxy1.log")
        # The sender begins when it has one receiver more than there are.
        starter = self.start(self.hosts.on(1, [self.program("recver_app"), *self.programs(1)]), "starter.log")
        self.follow(sender, receivers)
        starter.terminate()
        results = {}
        for receiver in receivers:
            with open(self.path(f"{receiver.name}.json")) as file:
                results[receiver.name] = json.load(file)
            if receiver.good != TOTAL or receiver.wrong:
                self.problems.append(f"{receiver.name}: {receiver.good} of {TOTAL} frames are right, {receiver.wrong} wrong")
        self.print_hosts(results, receivers)

    def follow(self, sender, receivers):
        """Shows progress until all receivers have ended."""
        moved, last, shown = time.monotonic(), 0, 0.0
        while any(receiver.process.poll() is None for receiver in receivers):
            time.sleep(0.1)
            now, least = time.monotonic(), min(r.good + r.wrong for r in receivers)
            if least > last:
                moved, last = now, least
            if now - moved > PATIENCE:
                raise Failed(f"no frame for {PATIENCE} s; the sender says: {self.log('sender.log') or 'nothing'}")
            for name, process in [("sender", sender), *((r.name, r.process) for r in receivers)]:
                if process.poll() not in (None, 0):
                    raise Failed(f"{name} ended early: {self.log(name + '.log')}")
            if now - shown >= (0.2 if sys.stdout.isatty() else 2):
                self.show(receivers)
                shown = now
        for receiver in receivers:
            receiver.thread.join()
        self.show(receivers)
        print()

    def print_hosts(self, results, receivers):
        print(f"\n{'':12}{'frames':>8}{'right':>8}{'fps':>8}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}")
        for receiver in receivers:
            latency = results[receiver.name]["latencyMicroseconds"]
            times = "".join(f"{latency[key] / 1000:>9.2f}" for key in ("p50", "p99", "max"))
            print(f"{receiver.name:12}{receiver.good + receiver.wrong:>8}{receiver.good:>8}{receiver.fps():>8.2f}{times}")
        print(f"""
right: number and checksum agree with the file's.
ms: from the frame's TAI time to the return of the receiver's get; on host1 within the host, on the others through the network.""")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="directory of sender_app, recver_app, frame_sums")
    parser.add_argument("--media-proxy", required=True, help="the program media_proxy")
    parser.add_argument("--mesh-agent", required=True, help="the program mesh-agent")
    parser.add_argument("--nodes", required=True, type=int, choices=range(2, 9), help="how many hosts, 2 to 8")
    options = parser.parse_args()
    options.out = tempfile.gettempdir()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    hosts = None
    with tempfile.TemporaryDirectory(prefix="mcm-demo-") as work:
        demo = None
        try:
            hosts = Hosts(options.nodes)
            demo = Fleet(options, work, hosts)
            demo.run()
        except Failed as error:
            print(f"\nThe demo failed: {error}")
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted")
            return 130
        finally:
            if demo:
                demo.stop()
            if hosts:
                hosts.remove()
    for problem in demo.problems:
        print(f"Wrong: {problem}")
    if not demo.problems:
        print(f"All {TOTAL} frames arrived at all {options.nodes} hosts, whole and in order.")
    return 1 if demo.problems else 0


if __name__ == "__main__":
    sys.exit(main())
