"""Sends audio to the mesh or receives it, with PyAV: pyav_audio.py send|receive GROUP CODEC. Both print a checksum."""

import ctypes
import hashlib
import os
import sys
from fractions import Fraction

import av

RATE, CHANNELS = 48000, 2
# Packets of a size that the mesh does not have, and a last one that fills none of its own.
PACKET, SAMPLES = 1000, 59256
WIDTH = {"pcm_s16be": 2, "pcm_s24be": 3}


def packets(codec):
    """Random samples, as many in each packet as there are left, and when each begins."""
    sample = CHANNELS * WIDTH[codec]
    data = hashlib.shake_256(codec.encode()).digest(SAMPLES * sample)
    for start in range(0, SAMPLES, PACKET):
        yield start, data[start * sample:(start + PACKET) * sample]


def send(group, codec):
    total = bytearray()
    with av.open(group, "w", format="mcm_audio", options={"wait_receivers": "1"}) as mesh:
        stream = mesh.add_stream(codec, rate=RATE, layout="stereo")
        for start, data in packets(codec):
            packet = av.Packet(data)
            packet.stream = stream
            packet.time_base = Fraction(1, RATE)
            packet.pts = packet.dts = start
            mesh.mux(packet)
            total += data
    return total


def receive(group, codec):
    options = {"channels": str(CHANNELS), "sample_format": codec}
    with av.open(group, format="mcm_audio", options=options) as mesh:
        stream = mesh.streams.audio[0]
        assert (stream.rate, stream.codec_context.name) == (RATE, codec), stream
        return b"".join(bytes(packet) for packet in mesh.demux(stream) if packet.size)


def main():
    what, group, codec = sys.argv[1:]
    av.logging.set_level(av.logging.ERROR)
    av.logging.restore_default_callback()
    assert ctypes.CDLL(os.environ["MCM_AVDEVICE"]).mcm_avdevice_register() == 0
    total = {"send": send, "receive": receive}[what](group, codec)
    samples = len(total) // CHANNELS // WIDTH[codec]
    print(f"{samples} samples, sha256 {hashlib.sha256(total).hexdigest()}")


main()
