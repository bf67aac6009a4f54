#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends video to the mesh and receives it, with PyAV (pip install av).

    pyav_mesh.py receive GROUP
    pyav_mesh.py send GROUP clip.mp4
    pyav_mesh.py send GROUP 'testsrc2=size=640x360:rate=25:duration=4' --input-format lavfi

A media_proxy must be running. The sender waits until somebody receives. Both print the number of frames and a checksum of
their pixels, and at the end the two lines are the same.

MCM_AVDEVICE is the path of libmcm_avdevice.so, if the system does not find it by its name.
"""

import argparse
import ctypes
import hashlib
import os
import sys

import av


def register_mesh():
    """Adds the mesh's devices to the FFmpeg that PyAV has loaded. To be called after PyAV was imported."""
    # PyAV keeps FFmpeg quiet. Now errors are printed, with the reasons that the mesh gives.
    av.logging.set_level(av.logging.ERROR)
    av.logging.restore_default_callback()
    library = ctypes.CDLL(os.environ.get("MCM_AVDEVICE", "libmcm_avdevice.so"))
    if library.mcm_avdevice_register() != 0:
        sys.exit("the mesh cannot be used; the reason stands above")


class Sum:
    """Counts frames, and sums up their pixels as they are without padding."""

    def __init__(self):
        self.frames = 0
        self._hash = hashlib.sha256()
        self._packer = None

    def add(self, frame):
        if self._packer is None:
            self._packer = av.CodecContext.create("rawvideo", "w")
            self._packer.width = frame.width
            self._packer.height = frame.height
            self._packer.pix_fmt = frame.format.name
            self._packer.time_base = frame.time_base
        for packet in self._packer.encode(frame):
            self._hash.update(bytes(packet))
        self.frames += 1

    def __str__(self):
        return f"{self.frames} frames, sha256 {self._hash.hexdigest()}"


def send(arguments):
    total = Sum()
    with av.open(arguments.source, format=arguments.input_format) as source:
        video = source.streams.video[0]
        # FFmpeg's frames as they are. They are copied once, to where the mesh shares them.
        options = {"wait_receivers": str(arguments.receivers)}
        with av.open(arguments.group, "w", format="mcm", options=options) as mesh:
            stream = mesh.add_stream(arguments.codec, rate=video.average_rate)
            stream.width = video.width
            stream.height = video.height
            stream.pix_fmt = arguments.pixel_format
            for frame in source.decode(video):
                frame = frame.reformat(format=arguments.pixel_format)
                total.add(frame)
                mesh.mux(stream.encode(frame))
            mesh.mux(stream.encode())
    return total


def receive(arguments):
    total = Sum()
    options = {
        "video_size": arguments.size,
        "pixel_format": arguments.pixel_format,
        "frame_rate": arguments.rate,
    }
    # Ends when the sender has ended.
    with av.open(arguments.group, format="mcm", options=options) as mesh:
        for frame in mesh.decode(video=0):
            total.add(frame)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="send | receive")
    sender = commands.add_parser("send", help="send a file, or what another device of FFmpeg has")
    sender.set_defaults(run=send)
    sender.add_argument("group", help="name of the multipoint group")
    sender.add_argument("source", help="file, URL or device")
    sender.add_argument("--input-format", help="FFmpeg's name of the source's format, such as lavfi")
    sender.add_argument("--receivers", type=int, default=1, help="wait for so many receivers (default: %(default)s)")
    sender.add_argument("--codec", default="wrapped_avframe", choices=("wrapped_avframe", "rawvideo"))
    receiver = commands.add_parser("receive", help="receive until the sender ends")
    receiver.set_defaults(run=receive)
    receiver.add_argument("group", help="name of the multipoint group")
    receiver.add_argument("--size", default="640x360", help="default: %(default)s")
    receiver.add_argument("--rate", default="25", help="frames per second (default: %(default)s)")
    for command in (sender, receiver):
        command.add_argument("--pixel-format", default="yuv422p10le", help="default: %(default)s")
    arguments = parser.parse_args()

    register_mesh()
    try:
        print(arguments.run(arguments))
    except (OSError, ValueError) as error:
        # FFmpeg has printed the reason.
        sys.exit(f"{arguments.group}: {error}")


if __name__ == "__main__":
    main()
