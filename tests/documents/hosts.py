"""Hosts on one machine: network namespaces on two switches, each with a /run and a working directory of its own.

The caller runs in network and mount namespaces that were made for it, so that nothing is left behind and the machine's packet filter and
ports do not matter.
"""

import os
import signal
import subprocess
import time

# A bound for every wait; reached only if something is broken.
PATIENCE = 120


class Failed(Exception):
    """Something was not as the documents say."""


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


def wait(what, condition, patience=PATIENCE):
    """Waits until the condition holds, and returns what it gave."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {patience} s")
        time.sleep(0.1)
    return value


class Job:
    """A command that runs on a host. Its output is in a file."""

    def __init__(self, command, arguments, log, cwd):
        self.command, self.log_path = command, log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                            cwd=cwd, start_new_session=True)

    def output(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def has(self, text):
        """Waits until the output has the text."""
        def there():
            if text in self.output():
                return True
            if self.process.poll() is not None and text not in self.output():
                raise Failed(f"`{self.command}` ended with {self.process.returncode} before it said {text!r}:\n{self.output()}")
            return False
        wait(f"`{self.command}` says {text!r}, and said:\n{self.output()}", there)
        return self

    def runs(self):
        """The command has not ended."""
        if self.process.poll() is not None:
            raise Failed(f"`{self.command}` ended with {self.process.returncode}:\n{self.output()}")

    def ends(self, status=0):
        """Waits until it has ended with this status; returns what it printed."""
        try:
            ended = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.stop(signal.SIGKILL)
            raise Failed(f"`{self.command}` does not end:\n{self.output()}") from None
        if ended != status:
            raise Failed(f"`{self.command}` ended with {ended}:\n{self.output()}")
        return self.output()

    def stop(self, how=signal.SIGTERM):
        """Ends it, as a person would with Ctrl-C or kill."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Host:
    """A host with the addresses 10.0.0.N at eth0 and 10.2.0.N at eth1."""

    made = 0

    def __init__(self, number, work, prefix):
        self.number, self.jobs = number, []
        Host.made += 1
        self.home = os.path.join(work, f"host{number}")
        os.makedirs(self.home)
        name = f"host{number}"
        run("ip", "netns", "add", name)
        for switch, network in (("switch0", "10.0"), ("switch1", "10.2")):
            device = f"eth{switch[-1]}"
            # The kernel takes an earlier host's ports away when it comes to it.
            port = f"port{Host.made}{device}"
            run("ip", "link", "add", port, "type", "veth", "peer", "name", device, "netns", name)
            run("ip", "link", "set", port, "master", switch, "up")
            run("ip", "-n", name, "address", "add", f"{network}.0.{number}/24", "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "route", "add", "224.0.0.0/4", "dev", "eth0")
        self.holder = subprocess.Popen(["ip", "netns", "exec", name, "unshare", "--mount", "--", "sh", "-c",
                                        "mount -t tmpfs none /run && echo ready && exec sleep infinity"],
                                       stdout=subprocess.PIPE, text=True)
        self.holder.stdout.readline()
        self.environment = {"PATH": f"{prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.home,
                            "LANG": "C.UTF-8", "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "TERM": "dumb"}

    def start(self, command):
        """Starts a line of a document in a shell."""
        # "&" at a line's end is for the reader's shell.
        line = command.removesuffix("&").rstrip()
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        job = Job(command, ["nsenter", "--target", str(self.holder.pid), "--net", "--mount", f"--wd={self.home}", "env", "-i",
                            *environment, "bash", "-c", line], os.path.join(self.home, f"log{len(self.jobs)}"), self.home)
        self.jobs.append(job)
        return job

    def run(self, command, status=0):
        """Runs a line to its end; returns what it printed."""
        return self.start(command).ends(status)

    def path(self, name):
        return os.path.join(self.home, name)

    def stop(self):
        for job in reversed(self.jobs):
            job.stop()
        self.jobs.clear()

    def remove(self):
        self.stop()
        self.holder.kill()
        self.holder.wait()
        run("ip", "netns", "delete", f"host{self.number}")


def switches():
    """What the hosts hang on."""
    for switch in ("switch0", "switch1"):
        run("ip", "link", "add", switch, "type", "bridge")
        run("ip", "link", "set", switch, "up")
