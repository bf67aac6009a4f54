/* What the example programs share: errors, files, the frame rate, clocks, checksums, signals, results. */
#ifndef APP_H
#define APP_H

#include <errno.h>
#include <inttypes.h>
#include <mesh_dp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prints a message and ends the program with status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void app_fail(const char *format, ...);

/* Prints a message about the command line and ends the program with status 2. */
__attribute__((noreturn, format(printf, 1, 2))) void app_misuse(const char *format, ...);

/* Ends the program if err is not 0; says what was tried and why it failed. */
void app_check(int err, const char *what);

/* Reads a text file. Free the result. */
char *app_read_text(const char *path);

/* Writes bytes to a file. */
void app_write_file(const char *path, const void *data, size_t size);

/* Reads a whole number from text, between min and max, or ends the program naming the option. */
long app_number(const char *option, const char *text, long min, long max);

/* A rate as a fraction: num frames in den seconds. */
typedef struct {
    uint64_t num, den;
} AppRate;

/* Reads "60", "59.94" or "60000/1001". Returns false if it is no rate. */
bool app_parse_rate(const char *text, AppRate *rate);

/* The rate of frames that a connection configuration asks for: of video its fps, of audio its packets; of blobs 0/1. */
AppRate app_config_rate(const char *config, size_t payload_size);

/* Nanoseconds from the first frame to frame number n, without drift. */
uint64_t app_frame_ns(AppRate rate, uint64_t n);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t app_now_ns(void);

/* TAI in nanoseconds; where nobody has set the kernel's offset from UTC, the one that holds since 2017 is added, as the library does. */
uint64_t app_tai_ns(void);

/* Sleeps until CLOCK_MONOTONIC shows ns. */
void app_sleep_until(uint64_t ns);

/* CPU time of this process in seconds. */
double app_cpu_seconds(void);

/* A checksum of 64 bits: FNV-1a over 64-bit words in four lanes, which are then joined. */
uint64_t app_checksum(const void *data, size_t size);

/* From now on SIGINT and SIGTERM set the stop flag and cancel conn's blocked call. Call it before other threads start. */
void app_catch_signals(MeshConnection *conn);

/* Whether such a signal came. */
bool app_stopped(void);

/* Ends the catching; conn may be deleted then. */
void app_release_signals(void);

/* Latencies in nanoseconds. */
typedef struct {
    uint64_t *values;
    size_t count, capacity;
} AppLatencies;

void app_add_latency(AppLatencies *latencies, uint64_t ns);

/* The value in microseconds below which the share lies (0.5 for the median), 0 if there is none. Sorts. */
double app_percentile_us(AppLatencies *latencies, double share);

/* What a program tells while it runs: a line a second on a terminal. */
typedef struct {
    const char *role;
    bool terminal;
    uint64_t frames;       /* so far; the program counts them */
    uint64_t shown_at;     /* CLOCK_MONOTONIC */
    uint64_t shown_frames; /* when the line was written */
} AppProgress;

AppProgress app_progress(const char *role);

/* One frame more. */
void app_progress_frame(AppProgress *progress);

/* As mesh_get_buffer_timeout(), and shows the progress meanwhile. */
int app_get(MeshConnection *conn, MeshBuffer **buf, int timeout_ms, AppProgress *progress);

/* Ends the line that was written over and over. */
void app_progress_end(const AppProgress *progress);

/* What a program tells at its end. */
typedef struct {
    const char *role;
    uint64_t frames, bytes, missed, waits;
    double seconds; /* from the first frame to the last */
    double cpu_seconds;
    uintptr_t lowest, highest; /* addresses of the payloads received, 0 if none */
    AppLatencies *latencies; /* NULL if not measured */
} AppResult;

void app_print_result(const AppResult *result);

/* Writes the result as a JSON object to a file. */
void app_write_result(const AppResult *result, const char *path);

#endif
