/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Devices of the Media Communications Mesh for programs that load FFmpeg's shared libraries themselves.
 *
 * Nothing has to be called in programs that run with libmcm_avdevice.so preloaded.
 */

#ifndef MCM_AVDEVICE_H
#define MCM_AVDEVICE_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Registers the devices of the mesh with the FFmpeg that the process has loaded.
 *
 * To be called after avdevice_register_all(), and again after each further call of it, because that sets the lists
 * of devices back. A call that finds the devices in place changes nothing. Safe in any thread.
 *
 * FFmpeg is found by the file name of its libraries: the process must have one libavdevice, or no libavdevice and one
 * libavformat, or neither and FFmpeg as a part of the program, whose functions the program exports (ld -rdynamic). It stays
 * loaded from then on, and so must this library.
 *
 * @return 0, or a negative number if there is no FFmpeg, more than one, or one of an unknown version. The reason is
 *         printed to stderr then, and FFmpeg is as before.
 */
int mcm_avdevice_register(void);

#ifdef __cplusplus
}
#endif

#endif /* MCM_AVDEVICE_H */
