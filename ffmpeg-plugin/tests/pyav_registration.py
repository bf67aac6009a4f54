# SPDX-License-Identifier: BSD-3-Clause
"""mcm_avdevice_register() in PyAV's FFmpeg. Arguments: the path of libmcm_avdevice.so, and major.minor of libavformat."""

import ctypes
import sys

DEVICES = {"mcm", "mcm_audio", "mcm_audio_pcm16", "mcm_audio_pcm24"}

plugin = ctypes.CDLL(sys.argv[1])
assert plugin.mcm_avdevice_register() < 0, "registered without an FFmpeg"

import av  # noqa: E402  Before this line the process has no FFmpeg.

found = "{}.{}".format(*av.library_versions["libavformat"])
assert found == sys.argv[2], f"libavformat {found}, expected was {sys.argv[2]}"


def library(name):
    """PyAV's own library of this name."""
    with open("/proc/self/maps") as maps:
        paths = {line.split()[-1] for line in maps if f"/{name}-" in line}
    assert len(paths) == 1, paths
    return ctypes.CDLL(paths.pop())


def names(iterate):
    """The names of all formats, in FFmpeg's order. A format begins with a pointer to its name."""
    iterate.restype = ctypes.c_void_p
    state = ctypes.c_void_p()
    found = []
    while format := iterate(ctypes.byref(state)):
        found.append(ctypes.cast(format, ctypes.POINTER(ctypes.c_char_p)).contents.value.decode())
    return found


avformat, avdevice = library("libavformat"), library("libavdevice")


def listed():
    return names(avformat.av_demuxer_iterate), names(avformat.av_muxer_iterate)


stock = listed()
assert not DEVICES & {*stock[0], *stock[1]}


def expect_devices(when):
    for before, now in zip(stock, listed()):
        assert set(before) < set(now), f"{when}: lost {set(before) - set(now)}"
        assert sorted(now) == sorted(before + list(DEVICES)), f"{when}: {now}"


assert plugin.mcm_avdevice_register() == 0
expect_devices("after the first call")
assert plugin.mcm_avdevice_register() == 0
expect_devices("after the second call")
avdevice.avdevice_register_all()
assert listed() == stock
assert plugin.mcm_avdevice_register() == 0
expect_devices("after the lists were set back")

# The devices answer, and FFmpeg's own ones still work.
for name in DEVICES:
    for mode in "rw":
        format = av.format.ContainerFormat(name, mode)
        assert "Media Communications Mesh" in format.long_name, format.long_name
with av.open("testsrc2=duration=1", format="lavfi") as stream:
    assert sum(1 for _ in stream.decode(video=0)) == 25
try:
    av.open("x", format="mcm", options={"pixel_format": "pal8"}).close()
except ValueError:
    pass
else:
    raise AssertionError("pal8 was accepted")
