/*
 * Media Communications Mesh: the SDK.
 *
 * Generated from src/ffi by `cargo run -p gen-headers`. Do not edit.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A program creates a client, and with it connections: a source (Tx) sends frames to a multipoint group, a
 * receiver (Rx) gets them. Frames are exchanged in shared memory, without a copy.
 *
 *     get a buffer - fill or read it - put it back
 *
 * Functions that return int return 0 for success, or a negative error number (-MESH_ERR_...). What
 * precisely was wrong is told by mesh_get_last_error(). Clients and connections may be used by any threads at
 * the same time, a buffer by one thread at a time.
 *
 * A signal that the program handles ends a wait with -MESH_ERR_INTERRUPTED, on the thread whose handler has run. The
 * library's own threads take no signals, and it installs no signal handler.
 *
 * The library prints what a configuration says in vain (see mesh_get_last_warnings()), once, to standard error, and
 * nothing else, unless the environment variable MCM_LOG asks for log output (error, warn, info, debug or trace) or for
 * none at all (off).
 */

#ifndef MESH_DP_H
#define MESH_DP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Version of the API that this header describes.
 */
#define MESH_VERSION "25.09"

/**
 * Year of `MESH_VERSION`.
 */
#define MESH_VERSION_MAJOR 25

/**
 * Month of `MESH_VERSION`.
 */
#define MESH_VERSION_MINOR 9

/**
 * Hotfix number of `MESH_VERSION`.
 */
#define MESH_VERSION_HOTFIX 0

/**
 * A client pointer is NULL.
 */
#define MESH_ERR_BAD_CLIENT_PTR 1000

/**
 * A connection pointer is NULL.
 */
#define MESH_ERR_BAD_CONN_PTR 1001

/**
 * A configuration pointer is NULL, or the configuration is no UTF-8 text.
 */
#define MESH_ERR_BAD_CONFIG_PTR 1002

/**
 * A buffer pointer or another output argument is NULL, or a size argument is too small.
 */
#define MESH_ERR_BAD_BUF_PTR 1003

/**
 * A length is larger than its partition of the buffer.
 */
#define MESH_ERR_BAD_BUF_LEN 1004

/**
 * The client configuration is malformed, or a value in it is out of range.
 */
#define MESH_ERR_CLIENT_CONFIG_INVAL 1005

/**
 * The client has `maxMediaConnections` connections.
 */
#define MESH_ERR_MAX_CONN 1006

/**
 * The client still has connections.
 */
#define MESH_ERR_FOUND_ALLOCATED 1007

/**
 * The media proxy cannot be reached, or the connection could not be set up.
 */
#define MESH_ERR_CONN_FAILED 1008

/**
 * The connection configuration is malformed, or a value in it is unknown or out of range.
 */
#define MESH_ERR_CONN_CONFIG_INVAL 1009

/**
 * Values of the connection configuration do not fit together, or not to the multipoint group.
 */
#define MESH_ERR_CONN_CONFIG_INCOMPAT 1010

/**
 * The connection is shut down, or its stream has ended.
 */
#define MESH_ERR_CONN_CLOSED 1011

/**
 * No frame came, or no buffer became free, in time.
 */
#define MESH_ERR_TIMEOUT 1012

/**
 * The feature is part of the configuration language, but not of this version.
 */
#define MESH_ERR_NOT_IMPLEMENTED 1013

/**
 * The call was ended by `mesh_cancel_connection()`.
 */
#define MESH_ERR_CANCELLED 1014

/**
 * The client belongs to the parent process: a forked child has to create its own.
 */
#define MESH_ERR_FORKED 1015

/**
 * The library failed within itself, which is a bug of the library.
 */
#define MESH_ERR_INTERNAL 1016

/**
 * The wait was ended by a signal for which the program has a handler; the call can be made again.
 */
#define MESH_ERR_INTERRUPTED 1017

/**
 * The timeout of the client configuration, `apiDefaultTimeoutMicroseconds` (1 s if it is not given).
 */
#define MESH_TIMEOUT_DEFAULT -2

/**
 * Wait until the call succeeds, the connection is closed or the call is cancelled.
 */
#define MESH_TIMEOUT_INFINITE -1

/**
 * Never block.
 */
#define MESH_TIMEOUT_ZERO 0

/**
 * Flag of `MeshBufferInfo`: parts of the payload did not arrive. `mesh_get_missing_regions()` tells which.
 */
#define MESH_BUFFER_INCOMPLETE 1

/**
 * A program's session with the media proxy; the holder of connections.
 */
typedef struct MeshClient MeshClient;

/**
 * A connection of a client: a source (Tx) or a receiver (Rx).
 *
 * Only the library creates it; programs read it through a pointer. All functions may be called on it
 * from any thread at any time, except that nothing may be called during or after its deletion.
 */
typedef struct MeshConnection {
    /**
     * The client that it belongs to.
     */
    MeshClient *const client;
    /**
     * Size of the payload partition of each buffer, in bytes.
     */
    const size_t payload_size;
    /**
     * Size of the metadata partition of each buffer, in bytes.
     */
    const size_t metadata_size;
} MeshConnection;

/**
 * Counts of a connection since it was created.
 */
typedef struct MeshConnectionStats {
    /**
     * Frames put (source) or got (receiver).
     */
    uint64_t frames;
    /**
     * Payload bytes of these frames.
     */
    uint64_t bytes;
    /**
     * Receiver: frames that passed while it was late. Source: 0.
     */
    uint64_t missed;
    /**
     * Source: how often it had to wait for receivers. Receiver: how often a get had to sleep.
     */
    uint64_t waits;
    /**
     * Buffers that the program holds now.
     */
    uint32_t held;
    /**
     * Source: receivers in its group on this host. Receiver: 1 if the group has a source now, else 0.
     */
    uint32_t peers;
    /**
     * How many buffers the program may hold; a get waits while it holds so many. Receiver: the number follows from
     * the queue of the source, and is 0 until the group has had one.
     */
    uint64_t hold_limit;
    /**
     * Receiver: 1 if the source has ended the stream and everything was got; 0 while it goes on, and if the connection was closed
     * for another reason. Source: 0.
     */
    uint64_t ended;
} MeshConnectionStats;

/**
 * A frame that the program holds, between get and put.
 *
 * The memory is shared with the other programs of the group; no byte is copied. A source's buffer is
 * writable. A receiver's buffer is read-only memory: writing to it ends the program with SIGSEGV.
 *
 * Only the library creates it; programs read it through a pointer, one thread at a time.
 */
typedef struct MeshBuffer {
    /**
     * The connection that it belongs to.
     */
    MeshConnection *const conn;
    /**
     * The payload, aligned to 64 bytes.
     */
    void *const payload_ptr;
    /**
     * Bytes of the payload in use. In a fresh buffer of a source: the whole partition.
     */
    const size_t payload_len;
    /**
     * The metadata.
     */
    void *const metadata_ptr;
    /**
     * Bytes of the metadata in use. In a fresh buffer of a source: 0.
     */
    const size_t metadata_len;
} MeshBuffer;

/**
 * Number and times of a frame.
 */
typedef struct MeshBufferInfo {
    /**
     * Number of the frame, contiguous from 0 for each source.
     */
    uint64_t sequence;
    /**
     * TAI time of the frame, nanoseconds since 1970-01-01T00:00:00 TAI.
     */
    uint64_t tai_ns;
    /**
     * When the frame was put: `CLOCK_MONOTONIC` of this host, in nanoseconds.
     */
    uint64_t published_ns;
    /**
     * Receiver: frames missed between the frame that it got before and this one.
     */
    uint64_t missed;
    /**
     * MESH_BUFFER_INCOMPLETE, or 0.
     */
    uint64_t flags;
} MeshBufferInfo;

/**
 * A part of a payload.
 */
typedef struct MeshRegion {
    /**
     * Its first byte.
     */
    uint32_t offset;
    /**
     * How many bytes.
     */
    uint32_t len;
} MeshRegion;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Version of the API that the library has: `MESH_VERSION` of the header that belongs to it.
 *
 * @return a static text such as "25.09", never NULL.
 */
const char *mesh_get_api_version(void);

/**
 * Version of the library itself, as a package has it.
 *
 * @return a static text such as "0.1.0", never NULL.
 */
const char *mesh_get_library_version(void);

/**
 * Short text for an error number, positive or negative.
 *
 * `mesh_get_last_error()` says more: which field or argument, what was found, what is accepted.
 *
 * @return a static text, never NULL: "Success" for 0, "Unknown error code" for a number that is no error.
 */
const char *mesh_err2str(int err);

/**
 * Full text of the last failed call of the calling thread: the field or argument, the value found, what
 * would be accepted.
 *
 * @return a text that is valid until the thread's next call of this library, never NULL; an empty text
 * if no call of the thread has failed yet. A successful call does not clear it.
 */
const char *mesh_get_last_error(void);

/**
 * What the calling thread's last created client or connection was told in vain by its configuration: a key that does not exist, a
 * number that was brought to the nearest possible one. The same lines appear once on standard error, unless the environment variable
 * MCM_LOG is `off`. With the member `"strict": true` a configuration with such things is refused instead.
 *
 * @return lines that are separated by newlines, valid until the thread's next call of this library, never NULL; an empty text if there
 * was nothing.
 */
const char *mesh_get_last_warnings(void);

/**
 * Creates a client.
 *
 * The media proxy is first spoken to when a connection is created; it need not run yet. Where it is comes
 * from `apiConnectionString` in the configuration (`Unix=PATH`, or `Server=IP; Port=NUMBER`), else from
 * the environment (`MCM_MEDIA_PROXY_IP`, `MCM_MEDIA_PROXY_PORT`), else its socket in the run directory is
 * tried, else it is 127.0.0.1:8002.
 *
 * @param mc   Receives the client, or NULL on failure. Delete it with `mesh_delete_client()`.
 * @param cfg  Client configuration, JSON text; `"{}"` stands for all defaults.
 *
 * @return 0, or one of -MESH_ERR_BAD_CLIENT_PTR, -MESH_ERR_BAD_CONFIG_PTR, -MESH_ERR_CLIENT_CONFIG_INVAL.
 */
int mesh_create_client(struct MeshClient **mc, const char *cfg);

/**
 * Deletes a client and sets the pointer to NULL.
 *
 * It is refused while connections of the client exist; then nothing changes.
 *
 * @return 0, or one of -MESH_ERR_BAD_CLIENT_PTR, -MESH_ERR_FOUND_ALLOCATED.
 */
int mesh_delete_client(struct MeshClient **mc);

/**
 * Tells what a group carries, as JSON with which a receiver joins it.
 *
 * The text has the members `payload`, `maxPayloadSize` and `maxMetadataSize` of the group's source, or of a receiver if
 * there is no source yet. For a multipoint group it has `connection`, too, and is a whole configuration for
 * `mesh_create_rx_connection()`.
 *
 * @param mc           Client.
 * @param group        Name of the group: the `urn` of a multipoint group, `"ADDRESS:PORT"` of an ST 2110 stream on this host.
 * @param config       Receives the text, which ends in a zero byte. It is left alone on failure.
 * @param config_size  Bytes that there is room for; 8192 are enough for every group.
 * @param timeout_ms   How long to wait for the group if it does not exist, in milliseconds, or one of MESH_TIMEOUT_*.
 *
 * @return 0, or one of -MESH_ERR_BAD_CLIENT_PTR, -MESH_ERR_BAD_CONFIG_PTR (group), -MESH_ERR_BAD_BUF_PTR (config, or too
 * small), -MESH_ERR_TIMEOUT (no such group), -MESH_ERR_CONN_FAILED (no proxy), -MESH_ERR_FORKED.
 */
int mesh_get_group_config(struct MeshClient *mc,
                          const char *group,
                          char *config,
                          size_t config_size,
                          int timeout_ms);

/**
 * Creates a source's connection: the program sends frames to the group.
 *
 * Nothing is left behind on failure. Receivers may come before or after the source.
 *
 * @param mc    Client.
 * @param conn  Receives the connection, or NULL on failure. Delete it with `mesh_delete_connection()`.
 * @param cfg   Connection configuration, JSON text.
 *
 * @return 0, or one of -MESH_ERR_BAD_CLIENT_PTR, -MESH_ERR_BAD_CONN_PTR, -MESH_ERR_BAD_CONFIG_PTR,
 * -MESH_ERR_MAX_CONN, -MESH_ERR_CONN_CONFIG_INVAL, -MESH_ERR_CONN_CONFIG_INCOMPAT,
 * -MESH_ERR_CONN_FAILED, -MESH_ERR_NOT_IMPLEMENTED, -MESH_ERR_FORKED.
 */
int mesh_create_tx_connection(struct MeshClient *mc, struct MeshConnection **conn, const char *cfg);

/**
 * Creates a receiver's connection: the program gets the frames of the group.
 *
 * Arguments and errors are those of `mesh_create_tx_connection()`.
 */
int mesh_create_rx_connection(struct MeshClient *mc, struct MeshConnection **conn, const char *cfg);

/**
 * Ends a connection's traffic without deleting it.
 *
 * Blocked and later calls on it return -MESH_ERR_CONN_CLOSED. Frames that a source has put stay readable
 * for its receivers. Buffers that the program holds stay valid until they are put.
 *
 * @return 0 or -MESH_ERR_BAD_CONN_PTR.
 */
int mesh_shutdown_connection(struct MeshConnection *conn);

/**
 * Deletes a connection, shutting it down first where that has not happened, and sets the pointer to NULL.
 *
 * Put all buffers of the connection before. One that is still held keeps its memory until it is put, but
 * its field `conn` must not be used any more.
 *
 * @return 0 or -MESH_ERR_BAD_CONN_PTR.
 */
int mesh_delete_connection(struct MeshConnection **conn);

/**
 * Makes the calls that are blocked on the connection return -MESH_ERR_CANCELLED.
 *
 * If none is blocked, the next one that would block returns it. The connection stays usable. It may be
 * called from any thread, but not from a signal handler: let a thread wait for signals with `sigwait()`.
 *
 * @return 0 or -MESH_ERR_BAD_CONN_PTR.
 */
int mesh_cancel_connection(struct MeshConnection *conn);

/**
 * Reads the counts of a connection.
 *
 * @param conn        Connection.
 * @param stats       Receives the counts.
 * @param stats_size  `sizeof(MeshConnectionStats)`: the structure may grow at its end in later versions.
 *
 * @return 0, or one of -MESH_ERR_BAD_CONN_PTR, -MESH_ERR_BAD_BUF_PTR.
 */
int mesh_get_connection_stats(struct MeshConnection *conn,
                              struct MeshConnectionStats *stats,
                              size_t stats_size);

/**
 * Gives a file descriptor for `poll()`, `select()` or `epoll`.
 *
 * It is readable (`POLLIN`) while `mesh_get_buffer_timeout()` with MESH_TIMEOUT_ZERO may succeed, and when
 * the connection is closed. It stays readable until a get has returned -MESH_ERR_TIMEOUT, so get until then.
 * It belongs to the connection: neither read, write nor close it. The first call starts a thread that waits
 * in the program's place; programs that do not call this do not pay for it.
 *
 * @param conn  Connection.
 * @param fd    Receives the descriptor, or -1 on failure.
 *
 * @return 0, or one of -MESH_ERR_BAD_CONN_PTR, -MESH_ERR_BAD_BUF_PTR, -MESH_ERR_FORKED, and
 * -MESH_ERR_INTERNAL if the system has no descriptor or thread left.
 */
int mesh_get_connection_fd(struct MeshConnection *conn, int *fd);

/**
 * Gets a buffer with the default timeout: `mesh_get_buffer_timeout()` with MESH_TIMEOUT_DEFAULT.
 */
int mesh_get_buffer(struct MeshConnection *conn, struct MeshBuffer **buf);

/**
 * Gets a buffer. A source gets one to fill, a receiver the next frame.
 *
 * Several buffers may be held at once and put in any order. A receiver gets the frames in order; a frame
 * that it missed is counted in `MeshBufferInfo.missed` of the next one.
 *
 * @param conn        Connection.
 * @param buf         Receives the buffer, or NULL on failure. Give it back with `mesh_put_buffer()`.
 * @param timeout_ms  Milliseconds, or MESH_TIMEOUT_DEFAULT, MESH_TIMEOUT_INFINITE, MESH_TIMEOUT_ZERO.
 *
 * @return 0, or one of -MESH_ERR_BAD_CONN_PTR, -MESH_ERR_BAD_BUF_PTR, -MESH_ERR_TIMEOUT,
 * -MESH_ERR_CONN_CLOSED, -MESH_ERR_CANCELLED, -MESH_ERR_INTERRUPTED, -MESH_ERR_FORKED, and -MESH_ERR_NOT_IMPLEMENTED for a
 * negative timeout without a meaning.
 */
int mesh_get_buffer_timeout(struct MeshConnection *conn,
                            struct MeshBuffer **buf,
                            int timeout_ms);

/**
 * Puts a buffer with the default timeout: `mesh_put_buffer_timeout()` with MESH_TIMEOUT_DEFAULT.
 */
int mesh_put_buffer(struct MeshBuffer **buf);

/**
 * Puts a buffer. A source publishes the frame, a receiver gives it back.
 *
 * On success the pointer is set to NULL. On -MESH_ERR_TIMEOUT, -MESH_ERR_CANCELLED, -MESH_ERR_INTERRUPTED and all errors not named
 * here, the buffer stays with the program, which puts it again. On -MESH_ERR_CONN_CLOSED and
 * -MESH_ERR_INTERNAL the buffer is released without being published, and the pointer is set to NULL.
 *
 * @param buf         The buffer.
 * @param timeout_ms  Milliseconds, or MESH_TIMEOUT_DEFAULT, MESH_TIMEOUT_INFINITE, MESH_TIMEOUT_ZERO.
 *
 * @return 0, or one of -MESH_ERR_BAD_BUF_PTR, -MESH_ERR_TIMEOUT, -MESH_ERR_CONN_CLOSED,
 * -MESH_ERR_CANCELLED, -MESH_ERR_INTERRUPTED, -MESH_ERR_FORKED, and -MESH_ERR_NOT_IMPLEMENTED for a negative
 * timeout without a meaning.
 */
int mesh_put_buffer_timeout(struct MeshBuffer **buf,
                            int timeout_ms);

/**
 * Gives a buffer back without publishing it, and sets the pointer to NULL. Never blocks.
 *
 * For a source that has nothing to say after all, or that fails while it fills the buffer. For a receiver it is the same
 * as `mesh_put_buffer()`.
 *
 * @return 0 or -MESH_ERR_BAD_BUF_PTR.
 */
int mesh_discard_buffer(struct MeshBuffer **buf);

/**
 * Sets how many bytes of the payload are valid; `payload_len` follows. For buffers of a source.
 *
 * @return 0, -MESH_ERR_BAD_BUF_PTR (also for a receiver's buffer), or -MESH_ERR_BAD_BUF_LEN if `len` is larger
 * than the payload partition (`payload_size` of the connection).
 */
int mesh_buffer_set_payload_len(struct MeshBuffer *buf,
                                size_t len);

/**
 * Sets how many bytes of the metadata are valid; `metadata_len` follows. For buffers of a source.
 *
 * @return 0, -MESH_ERR_BAD_BUF_PTR (also for a receiver's buffer), or -MESH_ERR_BAD_BUF_LEN if `len` is larger
 * than the metadata partition (`metadata_size` of the connection).
 */
int mesh_buffer_set_metadata_len(struct MeshBuffer *buf,
                                 size_t len);

/**
 * Sets the TAI time of the frame, in nanoseconds since 1970-01-01T00:00:00 TAI. For buffers of a source.
 *
 * Without it a frame carries the time at which it was put.
 *
 * @return 0 or -MESH_ERR_BAD_BUF_PTR (also for a receiver's buffer).
 */
int mesh_buffer_set_timestamp(struct MeshBuffer *buf, uint64_t tai_ns);

/**
 * Reads number and times of a frame. For a source's buffer only what has been set is known.
 *
 * @param buf        Buffer.
 * @param info       Receives the information.
 * @param info_size  `sizeof(MeshBufferInfo)`: the structure may grow at its end in later versions.
 *
 * @return 0 or -MESH_ERR_BAD_BUF_PTR.
 */
int mesh_get_buffer_info(struct MeshBuffer *buf, struct MeshBufferInfo *info, size_t info_size);

/**
 * Tells which regions of an incomplete frame's payload are missing, in the order of the payload. For buffers of a receiver.
 *
 * The bytes there are those of another frame, or zero. There are none in a frame without MESH_BUFFER_INCOMPLETE.
 *
 * @param buf       Buffer.
 * @param regions   Receives the first `capacity` regions; may be NULL if `capacity` is 0.
 * @param capacity  Regions that there is room for.
 * @param count     Receives how many regions there are, which may be more than `capacity`.
 *
 * @return 0 or -MESH_ERR_BAD_BUF_PTR.
 */
int mesh_get_missing_regions(struct MeshBuffer *buf,
                             struct MeshRegion *regions,
                             size_t capacity,
                             size_t *count);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MESH_DP_H */
