"""The demo: video from one FFmpeg to three programs through the mesh, every frame checked. Called by scripts/demo.sh.

Two of the receivers are recver_app, an example program in C, and the third one is another FFmpeg.

Ends with status 0 if every frame came, whole and in order, at every receiver; otherwise with 1.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

WIDTH, HEIGHT, RATE, FORMAT = 1920, 1080, "60000/1001", "yuv422p10le"
FRAME_SIZE = WIDTH * HEIGHT * 4  # 4:2:2, 10 bits in 16
FRAMES_IN_FILE = 60
ROUNDS = 10
RECEIVERS = 3
TOTAL = FRAMES_IN_FILE * ROUNDS
PATIENCE = 30  # seconds without a frame at any receiver


class Failed(Exception):
    """Something about the demo did not work; the text says what."""


class Receiver:
    """A receiver, and what has become of the frames that it reported: number and checksum, one a line."""

    def __init__(self, name, process, expected, parse):
        self.name, self.process, self.expected, self.parse = name, process, expected, parse
        self.good = self.wrong = 0
        self.next = 0
        self.begun = self.ended = None
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        """Compares number and checksum of each frame with those of the file."""
        for line in self.process.stdout:
            parsed = self.parse(line, self.next)
            if parsed is None:
                continue
            number, checksum = parsed
            if number == self.next and checksum == self.expected[self.next % FRAMES_IN_FILE]:
                self.good += 1
            else:
                self.wrong += 1
            self.next = number + 1
            self.ended = time.monotonic()
            self.begun = self.begun or self.ended

    def fps(self):
        return (self.good + self.wrong - 1) / (self.ended - self.begun) if self.ended != self.begun else 0.0


def parse_app(line, _next):
    """A line of recver_app --checksum."""
    number, checksum = line.split()
    return int(number), checksum


def parse_framecrc(line, number):
    """A line of FFmpeg's framecrc; the frames have no number there but their order."""
    return None if line.startswith("#") else (number, line.rsplit(",", 1)[1].strip())


def run(command, what, **more):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if result.returncode:
        raise Failed(f"{what} failed: {result.stderr.strip()}")
    return result.stdout


RAW = ["-f", "rawvideo", "-pixel_format", FORMAT, "-video_size", f"{WIDTH}x{HEIGHT}", "-framerate", RATE]


def make_video(path):
    free = shutil.disk_usage(os.path.dirname(path)).free
    if free < 2 * FRAME_SIZE * FRAMES_IN_FILE:
        raise Failed(f"{path}: 1 GB of free space is needed, {free / 1e9:.1f} GB are there; set TMPDIR to another directory")
    source = f"testsrc2=size={WIDTH}x{HEIGHT}:rate={RATE}"
    run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", str(FRAMES_IN_FILE), "-pix_fmt", FORMAT,
         "-f", "rawvideo", path], "ffmpeg")
    size = os.path.getsize(path)
    if size != FRAME_SIZE * FRAMES_IN_FILE:
        raise Failed(f"ffmpeg made {size} bytes, expected were {FRAME_SIZE * FRAMES_IN_FILE}")


def cpu_seconds(pid):
    """CPU time of all threads of a process so far."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total / 1e9


def pool_mappings(pid):
    """Where a process has mapped pools of frames: (first address, end, rights, device and inode)."""
    found = []
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[5].startswith("/memfd:mcm-pool"):
                first, end = (int(address, 16) for address in fields[0].split("-"))
                inode = fields[3], fields[4]
                # The kernel keeps parts with different advice about huge pages apart.
                if found and found[-1][1:] == (first, fields[1], inode):
                    first = found.pop()[0]
                found.append((first, end, fields[1], inode))
    return found


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=2)
    return path


class Demo:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.processes = []
        self.problems = []
        os.makedirs(options.out, exist_ok=True)
        self.picture = os.path.abspath(os.path.join(options.out, "frame.png"))

    def path(self, name):
        return os.path.join(self.work, name)

    def program(self, name):
        return os.path.join(self.options.bin, name)

    def start(self, command, log, environment=None, **more):
        """Starts a program that Ctrl-C reaches only through this one."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MCM_")}
        environment = {**inherited, **(environment or {})}
        with open(self.path(log), "w") as file:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=file, start_new_session=True,
                                       env=environment, **{"stdout": file, **more})
        self.processes.append(process)
        return process

    def log(self, name):
        with open(self.path(name)) as file:
            return file.read().strip()

    def start_proxy(self):
        run_dir = self.path("run")
        proxy = self.start([self.options.media_proxy, "--run-dir", run_dir, "--listen", "127.0.0.1", "--tcp", "0",
                            "--grpc", "0"], "media_proxy.log")
        socket = os.path.join(run_dir, "media_proxy.sock")
        deadline = time.monotonic() + 10
        while not os.path.exists(socket):
            if proxy.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"media_proxy did not start: {self.log('media_proxy.log')}")
            time.sleep(0.01)
        return proxy, socket

    def prepare_ffmpeg(self):
        """Puts FFmpeg's wrapper, the devices and the library that they use into place: nothing is installed."""
        os.mkdir(self.path("lib"))
        shutil.copy(self.options.ffmpeg, self.path("mcm-ffmpeg"))
        os.chmod(self.path("mcm-ffmpeg"), 0o755)
        shutil.copy(self.options.plugin, self.path("lib/libmcm_avdevice.so"))
        shutil.copy(self.options.library, self.path("lib/libmcm_dp.so.1"))
        self.ffmpeg_environment = {"MCM_AVDEVICE": self.path("lib/libmcm_avdevice.so"), "MCM_RUN_DIR": self.path("run")}

    def start_ffmpeg(self, arguments, log, **more):
        command = [self.path("mcm-ffmpeg"), "-hide_banner", "-nostdin", "-nostats", "-v", "warning", "-y", *arguments]
        return self.start(command, log, environment=self.ffmpeg_environment, **more)

    def start_programs(self, socket, expected, framecrcs):
        client = write_json(self.path("client.json"), {"apiConnectionString": f"Unix={socket}"})
        connection = write_json(self.path("connection.json"), {
            "connection": {"multipointGroup": {"urn": "demo"}},
            "payload": {"video": {"width": WIDTH, "height": HEIGHT, "fps": RATE, "pixelFormat": FORMAT}},
        })
        receivers = []
        for number in range(1, RECEIVERS):
            command = [self.program("recver_app"), "--client", client, "--json", connection, "--number", str(TOTAL),
                       "--checksum", "--latency", "--pause", "2", "--stats-json", self.path(f"receiver{number}.json"),
                       "--timeout", str(PATIENCE * 1000)]
            process = self.start(command, f"receiver{number}.log", stdout=subprocess.PIPE, text=True)
            receivers.append(Receiver(f"receiver{number}", process, expected, parse_app))
        # It is told the format, so that it need not wait for the sender. One of the frames becomes a picture.
        process = self.start_ffmpeg(
            ["-f", "mcm", "-video_size", f"{WIDTH}x{HEIGHT}", "-pixel_format", FORMAT, "-frame_rate", RATE, "-i", "demo",
             "-c:v", "copy", "-f", "framecrc", "-flush_packets", "1", "pipe:1",
             "-vf", f"select=eq(n\\,{TOTAL * 3 // 4 + 45})", "-frames:v", "1", "-pix_fmt", "rgb24", "-update", "1", self.picture],
            "ffmpeg.log", stdout=subprocess.PIPE, text=True)
        receivers.append(Receiver("ffmpeg", process, framecrcs, parse_framecrc))
        sender = self.start_ffmpeg(
            ["-re", "-stream_loop", str(ROUNDS - 1), *RAW, "-i", self.path("video.raw"),
             "-f", "mcm", "-wait_receivers", str(RECEIVERS), "-stall_timeout", "10000", "demo"], "sender.log")
        return sender, receivers

    def watch(self, proxy, sender, receivers):
        """Shows progress until all have ended. Returns CPU shares over the middle of the run, and mappings."""
        everybody = {"sender": sender, **{r.name: r.process for r in receivers}, "media_proxy": proxy}
        before, after, mappings = None, None, None
        moved, last = time.monotonic(), 0
        shown = 0.0
        while any(process.poll() is None for name, process in everybody.items() if name != "media_proxy"):
            time.sleep(0.1)
            now, least = time.monotonic(), min(r.good + r.wrong for r in receivers)
            if least > last:
                moved, last = now, least
            if now - moved > PATIENCE:
                raise Failed(f"no frame for {PATIENCE} s; the sender says: {self.log('sender.log') or 'nothing'}")
            failed = [name for name, process in everybody.items() if process.poll() not in (None, 0)]
            if failed:
                raise Failed(f"{failed[0]} ended early: {self.log(failed[0] + '.log')}")
            if before is None and least >= FRAMES_IN_FILE // 2:
                before = now, {name: cpu_seconds(p.pid) for name, p in everybody.items()}
                mappings = {name: pool_mappings(p.pid) for name, p in everybody.items()}
            elif before and least <= TOTAL - FRAMES_IN_FILE // 2:
                after = now, {name: cpu_seconds(p.pid) for name, p in everybody.items()}
            if now - shown >= (0.2 if sys.stdout.isatty() else 2):
                self.show(receivers)
                shown = now
        for receiver in receivers:
            receiver.thread.join()
        if sys.stdout.isatty():
            self.show(receivers)
            print()
        if not before or not after:
            raise Failed("the run was too short to be measured")
        seconds = after[0] - before[0]
        shares = {name: (after[1][name] - before[1][name]) / seconds for name in everybody}
        return shares, mappings

    @staticmethod
    def show(receivers):
        done = min(r.good + r.wrong for r in receivers)
        bar = "#" * (done * 30 // TOTAL)
        text = f"  [{bar:<30}] {done:3}/{TOTAL} frames, checked: " + ", ".join(f"{r.good} ok {r.wrong} wrong" for r in receivers)
        print(f"\r{text}" if sys.stdout.isatty() else text, end="" if sys.stdout.isatty() else "\n", flush=True)

    def check_memory(self, mappings, receivers, results):
        """Whether the frames that receivers looked at are the sender's own memory, and the proxy has no part in it."""
        def claim(holds, problem):
            if not holds:
                self.problems.append(problem)

        pool = mappings["sender"]
        claim(len(pool) == 1 and pool[0][2].startswith("rw"), f"the sender's pool is mapped as {pool}")
        inodes = {entry[3] for entry in pool}
        for name in (receiver.name for receiver in receivers):
            maps = mappings[name]
            claim(len(maps) == 1, f"{name} has {len(maps)} pools mapped")
            for first, end, rights, inode in maps:
                claim(inode in inodes, f"{name} has other memory mapped than the sender's")
                claim(rights.startswith("r--"), f"{name} has the pool mapped with the rights {rights}")
                if name in results:
                    lowest, highest = results[name]["payloadAddresses"]
                    claim(first <= lowest and highest + FRAME_SIZE <= end, f"{name} got frames that are not in the pool")
        claim(not mappings["media_proxy"], "media_proxy has the pool mapped")

    def run(self):
        print(f"Making one second of video: {WIDTH}x{HEIGHT}, {RATE} frames a second, {FORMAT} ({FRAME_SIZE} bytes a frame)")
        make_video(self.path("video.raw"))
        print("Computing the checksums of its frames, from the file")
        lines = run([self.program("frame_sums"), self.path("video.raw"), str(FRAME_SIZE)], "frame_sums").splitlines()
        expected = [line.split()[1] for line in lines]
        lines = run(["ffmpeg", "-v", "error", *RAW, "-i", self.path("video.raw"), "-c:v", "copy", "-f", "framecrc", "-"],
                    "ffmpeg").splitlines()
        framecrcs = [parsed[1] for parsed in (parse_framecrc(line, 0) for line in lines) if parsed]
        if not len(set(expected)) == len(set(framecrcs)) == FRAMES_IN_FILE:
            raise Failed("the frames of the video do not differ from each other: they would prove nothing")
        self.prepare_ffmpeg()
        proxy, socket = self.start_proxy()
        print(f"media_proxy runs, with a run directory of its own\nSending the video {ROUNDS} times, in real time, from mcm-ffmpeg "
              f"to {RECEIVERS} receivers, one of them mcm-ffmpeg; each frame is checked at each")
        load = os.getloadavg()[0]  # of others: the demo itself has hardly begun
        sender, receivers = self.start_programs(socket, expected, framecrcs)
        shares, mappings = self.watch(proxy, sender, receivers)

        results = {}
        for receiver in receivers:
            if receiver.parse is parse_app:
                with open(self.path(f"{receiver.name}.json")) as file:
                    results[receiver.name] = json.load(file)
        self.check_memory(mappings, receivers, results)
        for receiver in receivers:
            missed = results.get(receiver.name, {}).get("missed", 0)
            if receiver.good != TOTAL or receiver.wrong or missed:
                self.problems.append(f"{receiver.name}: {receiver.good} of {TOTAL} frames are right, {receiver.wrong} wrong, {missed} missed")
        if not os.path.exists(self.picture):
            self.problems.append(f"{receivers[-1].name} made no picture: {self.log('ffmpeg.log')}")
        self.print_table(results, receivers, shares)
        if load > os.cpu_count():
            print(f"The machine was busy with other work (load average {load:.1f}, {os.cpu_count()} CPUs), which is part of the latencies.")
        print(f"\nOne of the frames that {receivers[-1].name} got: {self.picture}")

    def print_table(self, results, receivers, shares):
        print(f"\n{'':12}{'frames':>8}{'right':>8}{'fps':>8}{'p50 us':>9}{'p99 us':>9}{'CPU %':>8}")
        print(f"{'sender':12}{TOTAL:>8}{'-':>8}{'-':>8}{'-':>9}{'-':>9}{100 * shares['sender']:>8.1f}")
        for receiver in receivers:
            latency = results.get(receiver.name, {}).get("latencyMicroseconds")
            p50, p99 = (f"{latency[key]:.0f}" for key in ("p50", "p99")) if latency else ("-", "-")
            print(f"{receiver.name:12}{receiver.good + receiver.wrong:>8}{receiver.good:>8}{receiver.fps():>8.2f}"
                  f"{p50:>9}{p99:>9}{100 * shares[receiver.name]:>8.1f}")
        print(f"{'media_proxy':12}{'-':>8}{'-':>8}{'-':>8}{'-':>9}{'-':>9}{100 * shares['media_proxy']:>8.1f}")
        if not self.problems:
            print(f"{'bytes copied on the way':<27}{'0':>9}   (of {TOTAL * RECEIVERS * FRAME_SIZE / 1e9:.1f} GB received)")
        print(f"""
sender, ffmpeg: mcm-ffmpeg, the FFmpeg of this machine with the devices of the mesh. receiver1, 2: recver_app, an example in C.
right: number and checksum agree with the file's.
p50, p99: from the sender's put to the return of the receiver's get, in microseconds. These receivers rest 2 ms before they
       compute a checksum, so that on few CPUs ({os.cpu_count()} here) they do not wait for each other's computing.
CPU %: of one CPU, in the middle of the run; the sender's is mostly reading the file, a receiver's mostly its checksums.""")
        if not self.problems:
            print("""bytes copied: the receivers had the sender's memory of frames mapped (the same memory file, /proc/PID/maps), read-only,
       and media_proxy did not have it mapped. FFmpeg itself copies each frame once, to where the mesh shares it.""")

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def interrupted(_signal, _frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="directory of sender_app, recver_app, frame_sums")
    parser.add_argument("--media-proxy", required=True, help="the program media_proxy")
    parser.add_argument("--ffmpeg", required=True, help="the wrapper mcm-ffmpeg")
    parser.add_argument("--plugin", required=True, help="libmcm_avdevice.so")
    parser.add_argument("--library", required=True, help="libmcm_dp.so")
    parser.add_argument("--out", required=True, help="directory for the picture")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    with tempfile.TemporaryDirectory(prefix="mcm-demo-") as work:
        demo = Demo(options, work)
        try:
            demo.run()
        except Failed as error:
            print(f"\nThe demo failed: {error}")
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted")
            return 130
        finally:
            demo.stop()
    for problem in demo.problems:
        print(f"Wrong: {problem}")
    if not demo.problems:
        print(f"All {TOTAL} frames arrived at all {RECEIVERS} receivers, whole and in order.")
    return 1 if demo.problems else 0


if __name__ == "__main__":
    sys.exit(main())
