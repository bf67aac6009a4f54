/*
 * The API against a running media proxy, which is found through MCM_RUN_DIR.
 * LOOPS says how often connections are created and deleted when leaks are looked for (100).
 */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000 }; /* for what must happen, but nobody knows when */

/* A source and a receiver of one group. */
typedef struct {
    MeshClient *client;
    MeshConnection *tx, *rx;
} Pair;

static char *blob_config(const char *group, const char *more)
{
    static _Thread_local char text[512];

    snprintf(text, sizeof(text),
             "{ \"connection\": { \"multipointGroup\": { \"urn\": \"%s\" } }, \"payload\": { \"blob\": {} },"
             " \"maxPayloadSize\": 1000, \"maxMetadataSize\": 100 %s }",
             group, more);
    return text;
}

static int open_pair(Pair *pair, const char *group, const char *more)
{
    int err;

    memset(pair, 0, sizeof(*pair));
    err = mesh_create_client(&pair->client, "{ \"apiDefaultTimeoutMicroseconds\": 20000000 }");
    if (!err)
        err = mesh_create_rx_connection(pair->client, &pair->rx, blob_config(group, more));
    if (!err)
        err = mesh_create_tx_connection(pair->client, &pair->tx, blob_config(group, more));
    return err;
}

static void close_pair(Pair *pair)
{
    if (pair->tx)
        RETURNS(0, mesh_delete_connection(&pair->tx));
    if (pair->rx)
        RETURNS(0, mesh_delete_connection(&pair->rx));
    RETURNS(0, mesh_delete_client(&pair->client));
    CHECK(!pair->tx && !pair->rx && !pair->client);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int send_text(MeshConnection *tx, const char *text)
{
    MeshBuffer *buf;
    int err = mesh_get_buffer(tx, &buf);

    if (err)
        return err;
    memcpy(buf->payload_ptr, text, strlen(text));
    err = mesh_buffer_set_payload_len(buf, strlen(text));
    return err ? err : mesh_put_buffer(&buf);
}

static bool holds_text(const MeshBuffer *buf, const char *text)
{
    return buf->payload_len == strlen(text) && !memcmp(buf->payload_ptr, text, buf->payload_len);
}

static int receive_text(MeshConnection *rx, const char *text)
{
    MeshBuffer *buf;
    int err = mesh_get_buffer_timeout(rx, &buf, DEADLINE_MS);

    if (err)
        return err;
    CHECK(holds_text(buf, text));
    return mesh_put_buffer(&buf);
}

static void a_frame_arrives_with_all_that_was_set(void)
{
    Pair pair;
    MeshBuffer *buf;
    MeshBufferInfo info;

    REQUIRE(open_pair(&pair, "frame", ""));
    CHECK(pair.tx->client == pair.client && pair.rx->client == pair.client);
    CHECK(pair.tx->payload_size == 1000 && pair.tx->metadata_size == 100);
    CHECK(pair.rx->payload_size == 1000 && pair.rx->metadata_size == 100);

    REQUIRE(mesh_get_buffer(pair.tx, &buf));
    CHECK(buf->conn == pair.tx);
    CHECK((uintptr_t)buf->payload_ptr % 64 == 0);
    CHECK(buf->payload_len == 1000 && buf->metadata_len == 0);
    RETURNS(-MESH_ERR_BAD_BUF_LEN, mesh_buffer_set_payload_len(buf, 1001));
    RETURNS(-MESH_ERR_BAD_BUF_LEN, mesh_buffer_set_metadata_len(buf, 101));
    RETURNS(-MESH_ERR_BAD_BUF_LEN, mesh_buffer_set_payload_len(buf, SIZE_MAX));
    CHECK(buf->payload_len == 1000 && buf->metadata_len == 0);
    memset(buf->payload_ptr, 'p', 1000);
    memset(buf->metadata_ptr, 'm', 100);
    RETURNS(0, mesh_buffer_set_payload_len(buf, 7));
    RETURNS(0, mesh_buffer_set_metadata_len(buf, 100));
    RETURNS(0, mesh_buffer_set_timestamp(buf, 1234567890123456789));
    CHECK(buf->payload_len == 7 && buf->metadata_len == 100);
    const uint64_t before = now_ns();
    RETURNS(0, mesh_put_buffer(&buf));
    const uint64_t after = now_ns();
    CHECK(buf == NULL);

    REQUIRE(mesh_get_buffer(pair.rx, &buf));
    CHECK(buf->conn == pair.rx);
    CHECK((uintptr_t)buf->payload_ptr % 64 == 0);
    CHECK(buf->payload_len == 7 && !memcmp(buf->payload_ptr, "ppppppp", 7));
    CHECK(buf->metadata_len == 100 && ((char *)buf->metadata_ptr)[99] == 'm');
    RETURNS(0, mesh_get_buffer_info(buf, &info, sizeof(info)));
    CHECK(info.sequence == 0 && info.missed == 0 && info.tai_ns == 1234567890123456789);
    CHECK(info.published_ns >= before && info.published_ns <= after);
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_get_buffer_info(buf, NULL, sizeof(info)));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_get_buffer_info(buf, &info, 31));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_buffer_set_payload_len(buf, 1));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_buffer_set_metadata_len(buf, 1));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_buffer_set_timestamp(buf, 1));
    CHECK(buf->payload_len == 7 && buf->metadata_len == 100);
    RETURNS(0, mesh_put_buffer(&buf));
    CHECK(buf == NULL);
    close_pair(&pair);
}

static void a_receiver_learns_what_a_group_carries(void)
{
    Pair pair;
    MeshConnection *rx;
    char config[8192], group[] = "learn \"it\"";
    const uint64_t begun = now_ns();

    REQUIRE(open_pair(&pair, "learn \\\"it\\\"", ""));
    config[0] = 'x';
    RETURNS(-MESH_ERR_TIMEOUT, mesh_get_group_config(pair.client, "nothing", config, sizeof(config), MESH_TIMEOUT_ZERO));
    RETURNS(-MESH_ERR_TIMEOUT, mesh_get_group_config(pair.client, "nothing", config, sizeof(config), 50));
    CHECK(now_ns() - begun >= 50000000);
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_get_group_config(pair.client, group, config, 20, DEADLINE_MS));
    CHECK(config[0] == 'x');
    REQUIRE(mesh_get_group_config(pair.client, group, config, sizeof(config), DEADLINE_MS));
    REQUIRE(mesh_create_rx_connection(pair.client, &rx, config));
    CHECK(rx->payload_size == 1000 && rx->metadata_size == 100);
    RETURNS(0, send_text(pair.tx, "for both"));
    RETURNS(0, receive_text(pair.rx, "for both"));
    RETURNS(0, receive_text(rx, "for both"));
    RETURNS(0, mesh_delete_connection(&rx));
    close_pair(&pair);
}

static void a_discarded_buffer_is_not_published(void)
{
    Pair pair;
    MeshBuffer *buf;

    REQUIRE(open_pair(&pair, "discarded", ""));
    REQUIRE(mesh_get_buffer(pair.tx, &buf));
    RETURNS(0, mesh_discard_buffer(&buf));
    CHECK(buf == NULL);
    RETURNS(0, send_text(pair.tx, "first"));
    REQUIRE(mesh_get_buffer_timeout(pair.rx, &buf, DEADLINE_MS));
    CHECK(holds_text(buf, "first"));
    RETURNS(0, mesh_discard_buffer(&buf));
    CHECK(buf == NULL);
    close_pair(&pair);
}

static void several_buffers_are_out_at_once(void)
{
    static const char *const texts[] = {"three", "two", "one", "zero"};
    Pair pair;
    MeshBuffer *out[4], *in[4];

    REQUIRE(open_pair(&pair, "several", ""));
    for (int i = 0; i < 4; i++) {
        REQUIRE(mesh_get_buffer(pair.tx, &out[i]));
        for (int j = 0; j < i; j++)
            CHECK(out[i]->payload_ptr != out[j]->payload_ptr);
        memcpy(out[i]->payload_ptr, texts[i], strlen(texts[i]));
        RETURNS(0, mesh_buffer_set_payload_len(out[i], strlen(texts[i])));
    }
    /* The order of the frames is the order of put. */
    for (int i = 3; i >= 0; i--)
        RETURNS(0, mesh_put_buffer(&out[i]));
    for (int i = 0; i < 4; i++) {
        MeshBufferInfo info;

        REQUIRE(mesh_get_buffer(pair.rx, &in[i]));
        RETURNS(0, mesh_get_buffer_info(in[i], &info, sizeof(info)));
        CHECK(info.sequence == (uint64_t)i && info.missed == 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK(holds_text(in[i], texts[3 - i]));
    RETURNS(0, mesh_put_buffer(&in[2]));
    RETURNS(0, mesh_put_buffer(&in[0]));
    RETURNS(0, mesh_put_buffer(&in[3]));
    CHECK(holds_text(in[1], "one"));
    RETURNS(0, mesh_put_buffer(&in[1]));
    close_pair(&pair);
}

static void timeouts_are_kept(void)
{
    Pair pair;
    MeshClient *client;
    MeshConnection *rx;
    MeshBuffer *buf = (MeshBuffer *)&buf;
    uint64_t start;

    REQUIRE(open_pair(&pair, "timeouts", ""));
    RETURNS(-MESH_ERR_TIMEOUT, mesh_get_buffer_timeout(pair.rx, &buf, MESH_TIMEOUT_ZERO));
    CHECK(buf == NULL);
    start = now_ns();
    RETURNS(-MESH_ERR_TIMEOUT, mesh_get_buffer_timeout(pair.rx, &buf, 30));
    CHECK(now_ns() - start >= 30000000);
    RETURNS(-MESH_ERR_NOT_IMPLEMENTED, mesh_get_buffer_timeout(pair.rx, &buf, -3));
    CHECK(strstr(mesh_get_last_error(), "-3"));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_get_buffer_timeout(pair.rx, NULL, 0));

    REQUIRE(mesh_get_buffer(pair.tx, &buf));
    RETURNS(-MESH_ERR_NOT_IMPLEMENTED, mesh_put_buffer_timeout(&buf, -3));
    CHECK(buf != NULL);
    RETURNS(0, mesh_put_buffer_timeout(&buf, MESH_TIMEOUT_ZERO));
    CHECK(buf == NULL);
    RETURNS(0, mesh_get_buffer_timeout(pair.rx, &buf, MESH_TIMEOUT_INFINITE));
    RETURNS(0, mesh_put_buffer_timeout(&buf, MESH_TIMEOUT_ZERO));
    close_pair(&pair);

    /* The default is given in microseconds. */
    REQUIRE(mesh_create_client(&client, "{ \"apiDefaultTimeoutMicroseconds\": 40000 }"));
    REQUIRE(mesh_create_rx_connection(client, &rx, blob_config("default-timeout", "")));
    start = now_ns();
    RETURNS(-MESH_ERR_TIMEOUT, mesh_get_buffer(rx, &buf));
    CHECK(now_ns() - start >= 40000000);
    RETURNS(-MESH_ERR_TIMEOUT, mesh_get_buffer_timeout(rx, &buf, MESH_TIMEOUT_DEFAULT));
    RETURNS(0, mesh_delete_connection(&rx));
    RETURNS(0, mesh_delete_client(&client));
}

static void a_source_has_as_many_buffers_as_configured(void)
{
    Pair pair;
    MeshBuffer *out[5];
    int got = 0;

    /* The receiver holds nothing, so at least the configured number can be out; then get times out. */
    REQUIRE(open_pair(&pair, "capacity", ", \"bufferQueueCapacity\": 4"));
    while (got < 5 && !mesh_get_buffer_timeout(pair.tx, &out[got], MESH_TIMEOUT_ZERO))
        got++;
    CHECK(got == 4);
    RETURNS(-MESH_ERR_TIMEOUT, mesh_get_buffer_timeout(pair.tx, &out[4], MESH_TIMEOUT_ZERO));
    CHECK(out[4] == NULL);
    while (got > 0)
        RETURNS(0, mesh_put_buffer(&out[--got]));
    close_pair(&pair);
}

typedef struct {
    MeshConnection *conn;
    int (*call)(MeshConnection *);
} Caller;

static void *call_later(void *argument)
{
    const Caller *caller = argument;
    const struct timespec pause = {0, 20000000};

    /* Most likely the main thread is blocked by now; if not, the outcome must be the same. */
    nanosleep(&pause, NULL);
    return caller->call(caller->conn) ? argument : NULL;
}

static void a_blocked_call_is_cancelled_by_another_thread(void)
{
    Pair pair;
    pthread_t thread;
    MeshBuffer *buf;
    void *failed = NULL;

    REQUIRE(open_pair(&pair, "cancel", ""));
    Caller caller = {pair.rx, mesh_cancel_connection};

    for (int i = 0; i < 3; i++) {
        CHECK(!pthread_create(&thread, NULL, call_later, &caller));
        RETURNS(-MESH_ERR_CANCELLED, mesh_get_buffer_timeout(pair.rx, &buf, MESH_TIMEOUT_INFINITE));
        CHECK(buf == NULL);
        CHECK(!pthread_join(thread, &failed) && !failed);
    }
    /* Cancelled beforehand; and the connection goes on. */
    RETURNS(0, mesh_cancel_connection(pair.rx));
    RETURNS(-MESH_ERR_CANCELLED, mesh_get_buffer_timeout(pair.rx, &buf, MESH_TIMEOUT_INFINITE));
    RETURNS(0, send_text(pair.tx, "still here"));
    RETURNS(0, receive_text(pair.rx, "still here"));
    close_pair(&pair);
}

static volatile sig_atomic_t signals_seen;

static void count_signal(int number)
{
    (void)number;
    signals_seen++;
}

/* A signal comes again and again until this is called with 0: one alone might come before the call is blocked. */
static void ring_every(int microseconds)
{
    const struct itimerval timer = {{0, microseconds}, {0, microseconds}};

    setitimer(ITIMER_REAL, &timer, NULL);
}

static void a_signal_that_is_handled_ends_a_wait(void)
{
    Pair pair;
    MeshConnection *alone, *lonely;
    MeshBuffer *buf;
    char text[1000];
    struct sigaction action = {.sa_handler = count_signal}, before;

    REQUIRE(open_pair(&pair, "signals", ""));
    REQUIRE(mesh_create_rx_connection(pair.client, &alone, blob_config("signals without a source", "")));
    REQUIRE(mesh_create_tx_connection(pair.client, &lonely,
                                      blob_config("signals without a receiver", ", \"options\": { \"waitForReceivers\": 1 }")));
    sigaction(SIGALRM, NULL, &before);
    for (int restart = 0; restart < 2; restart++) {
        /* signal() of the C library installs handlers with SA_RESTART. */
        action.sa_flags = restart ? SA_RESTART : 0;
        sigaction(SIGALRM, &action, NULL);
        signals_seen = 0;
        ring_every(20000);
        RETURNS(-MESH_ERR_INTERRUPTED, mesh_get_buffer_timeout(pair.rx, &buf, MESH_TIMEOUT_INFINITE));
        CHECK(buf == NULL && signals_seen > 0);
        RETURNS(-MESH_ERR_INTERRUPTED, mesh_get_buffer_timeout(pair.rx, &buf, 1000000));
        RETURNS(-MESH_ERR_INTERRUPTED, mesh_get_buffer_timeout(alone, &buf, MESH_TIMEOUT_INFINITE));
        RETURNS(-MESH_ERR_INTERRUPTED, mesh_get_buffer_timeout(lonely, &buf, MESH_TIMEOUT_INFINITE));
        RETURNS(-MESH_ERR_INTERRUPTED,
                mesh_get_group_config(pair.client, "no such group", text, sizeof(text), MESH_TIMEOUT_INFINITE));
        ring_every(0);
        CHECK(!strcmp(mesh_err2str(-MESH_ERR_INTERRUPTED), "Interrupted by a signal"));
        CHECK(strstr(mesh_get_last_error(), "signal"));
    }
    sigaction(SIGALRM, &before, NULL);
    /* The connections go on. */
    RETURNS(0, send_text(pair.tx, "still here"));
    RETURNS(0, receive_text(pair.rx, "still here"));
    RETURNS(0, mesh_delete_connection(&alone));
    RETURNS(0, mesh_delete_connection(&lonely));
    close_pair(&pair);
}

static void what_a_configuration_says_in_vain_can_be_read(void)
{
    MeshClient *client;
    MeshConnection *conn;

    REQUIRE(mesh_create_client(&client, "{ \"apiDefaultTimeout\": 1 }"));
    CHECK(strstr(mesh_get_last_warnings(), "apiDefaultTimeout: unknown key"));
    REQUIRE(mesh_create_tx_connection(client, &conn,
                                      blob_config("vain", ", \"bufferQueueCapacity\": 200, \"option\": {}")));
    CHECK(strstr(mesh_get_last_warnings(), "bufferQueueCapacity: 200 is taken as 128"));
    CHECK(strstr(mesh_get_last_warnings(), "\n"));
    CHECK(strstr(mesh_get_last_warnings(), "did you mean \"options\"?"));
    RETURNS(0, mesh_delete_connection(&conn));
    REQUIRE(mesh_create_tx_connection(client, &conn, blob_config("vain", "")));
    CHECK(!strcmp(mesh_get_last_warnings(), ""));
    RETURNS(0, mesh_delete_connection(&conn));
    RETURNS(-MESH_ERR_CONN_CONFIG_INVAL,
            mesh_create_tx_connection(client, &conn, blob_config("vain", ", \"option\": {}, \"strict\": true")));
    CHECK(strstr(mesh_get_last_error(), "option: unknown key"));
    RETURNS(0, mesh_delete_client(&client));
}

static void a_blocked_call_ends_at_shutdown(void)
{
    Pair pair;
    pthread_t thread;
    MeshBuffer *buf, *held;
    void *failed = NULL;

    REQUIRE(open_pair(&pair, "shutdown", ""));
    REQUIRE(mesh_get_buffer(pair.tx, &held));
    Caller caller = {pair.rx, mesh_shutdown_connection};

    CHECK(!pthread_create(&thread, NULL, call_later, &caller));
    RETURNS(-MESH_ERR_CONN_CLOSED, mesh_get_buffer_timeout(pair.rx, &buf, MESH_TIMEOUT_INFINITE));
    CHECK(!pthread_join(thread, &failed) && !failed);
    RETURNS(-MESH_ERR_CONN_CLOSED, mesh_get_buffer_timeout(pair.rx, &buf, MESH_TIMEOUT_ZERO));
    CHECK(buf == NULL);

    /* A source's buffer that can not be published any more is released. */
    RETURNS(0, mesh_shutdown_connection(pair.tx));
    RETURNS(0, mesh_shutdown_connection(pair.tx));
    RETURNS(-MESH_ERR_CONN_CLOSED, mesh_put_buffer(&held));
    CHECK(held == NULL);
    RETURNS(-MESH_ERR_CONN_CLOSED, mesh_get_buffer(pair.tx, &buf));
    close_pair(&pair);
}

static void what_was_put_is_read_after_the_source_has_gone(void)
{
    Pair pair;
    MeshBuffer *buf;
    MeshConnectionStats stats;

    REQUIRE(open_pair(&pair, "drain", ", \"options\": { \"endOfStream\": \"close\" }"));
    RETURNS(0, send_text(pair.tx, "first"));
    RETURNS(0, send_text(pair.tx, "last"));
    RETURNS(0, mesh_delete_connection(&pair.tx));
    RETURNS(0, receive_text(pair.rx, "first"));
    RETURNS(0, receive_text(pair.rx, "last"));
    RETURNS(-MESH_ERR_CONN_CLOSED, mesh_get_buffer_timeout(pair.rx, &buf, DEADLINE_MS));
    RETURNS(0, mesh_get_connection_stats(pair.rx, &stats, sizeof(stats)));
    CHECK(stats.hold_limit == 16 && stats.peers == 0);
    close_pair(&pair);
}

static void a_held_buffer_outlives_its_connection(void)
{
    Pair pair;
    MeshBuffer *in, *out;

    REQUIRE(open_pair(&pair, "outlive", ""));
    RETURNS(0, send_text(pair.tx, "kept"));
    REQUIRE(mesh_get_buffer(pair.rx, &in));
    REQUIRE(mesh_get_buffer(pair.tx, &out));
    RETURNS(0, mesh_delete_connection(&pair.tx));
    RETURNS(0, mesh_delete_connection(&pair.rx));
    CHECK(holds_text(in, "kept"));
    memset(out->payload_ptr, 0, out->payload_len);
    mesh_put_buffer(&in);
    mesh_put_buffer(&out);
    CHECK(in == NULL && out == NULL);
    close_pair(&pair);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd item = {fd, POLLIN, 0};

    return poll(&item, 1, timeout_ms) == 1 && (item.revents & POLLIN);
}

static void the_descriptor_polls_readable_while_a_frame_is_there(void)
{
    Pair pair;
    MeshBuffer *buf;
    int fd = -7;

    REQUIRE(open_pair(&pair, "poll", ""));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_get_connection_fd(pair.rx, NULL));
    REQUIRE(mesh_get_connection_fd(pair.rx, &fd));
    CHECK(fd >= 0);
    for (int i = 0; i < 10; i++) {
        /* Wake-ups may be spurious, so the end of it is what a get says. */
        RETURNS(-MESH_ERR_TIMEOUT, mesh_get_buffer_timeout(pair.rx, &buf, MESH_TIMEOUT_ZERO));
        RETURNS(0, send_text(pair.tx, "a"));
        RETURNS(0, send_text(pair.tx, "b"));
        CHECK(readable(fd, DEADLINE_MS));
        RETURNS(0, receive_text(pair.rx, "a"));
        CHECK(readable(fd, DEADLINE_MS));
        RETURNS(0, receive_text(pair.rx, "b"));
    }
    RETURNS(0, mesh_shutdown_connection(pair.rx));
    CHECK(readable(fd, DEADLINE_MS));
    close_pair(&pair);
}

static void connections_count(void)
{
    Pair pair;
    MeshBuffer *buf;
    MeshConnectionStats stats;

    REQUIRE(open_pair(&pair, "count", ""));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_get_connection_stats(pair.tx, NULL, sizeof(stats)));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_get_connection_stats(pair.tx, &stats, offsetof(MeshConnectionStats, hold_limit) - 1));
    for (int i = 0; i < 3; i++) {
        RETURNS(0, send_text(pair.tx, "12345"));
        RETURNS(0, receive_text(pair.rx, "12345"));
    }
    REQUIRE(mesh_get_buffer(pair.tx, &buf));
    RETURNS(0, mesh_get_connection_stats(pair.tx, &stats, sizeof(stats)));
    CHECK(stats.frames == 3 && stats.bytes == 15 && stats.missed == 0 && stats.held == 1 && stats.peers == 1);
    CHECK(stats.hold_limit == 16);
    RETURNS(0, mesh_put_buffer(&buf));
    RETURNS(0, mesh_get_connection_stats(pair.rx, &stats, sizeof(stats)));
    CHECK(stats.frames == 3 && stats.bytes == 15 && stats.missed == 0 && stats.held == 0 && stats.peers == 1);
    CHECK(stats.hold_limit == 16);
    close_pair(&pair);
}

static void bad_connection_configurations_are_refused(void)
{
#define GROUP "\"connection\": { \"multipointGroup\": { \"urn\": \"bad\" } }"
#define ST2110 "\"connection\": { \"st2110\": { \"ipAddr\": \"239.0.0.1\", \"port\": 9001 } }"
#define AUDIO(fields) "{ " GROUP ", \"payload\": { \"audio\": { " fields " } } }"
#define VIDEO(fields) "{ " GROUP ", \"payload\": { \"video\": { " fields " } } }"
#define OPTIONS(fields) "{ " GROUP ", \"maxPayloadSize\": 8, \"options\": { " fields " } }"
    static const struct {
        int err;
        const char *config, *named; /* what the last error's text must name */
    } bad[] = {
        {MESH_ERR_CONN_CONFIG_INVAL, "", ""},
        {MESH_ERR_CONN_CONFIG_INVAL, "{", ""},
        {MESH_ERR_CONN_CONFIG_INVAL, "{}", "connection"},
        {MESH_ERR_CONN_CONFIG_INVAL, "{ \"connection\": {} }", "connection"},
        {MESH_ERR_CONN_CONFIG_INVAL, "{ " GROUP " }", "maxPayloadSize"},
        {MESH_ERR_CONN_CONFIG_INVAL, "{ " GROUP ", \"maxPayloadSize\": -1 }", "maxPayloadSize"},
        {MESH_ERR_CONN_CONFIG_INVAL, "{ " GROUP ", \"maxPayloadSize\": 8, \"bufferQueueCapacity\": 0 }", "bufferQueueCapacity"},
        {MESH_ERR_CONN_CONFIG_INVAL, "{ " GROUP ", \"maxPayloadSize\": 8, \"bufferQueueCapacity\": 256 }", "bufferQueueCapacity"},
        {MESH_ERR_CONN_CONFIG_INVAL, "{ " GROUP ", \"payload\": { \"video\": {}, \"audio\": {} } }", "payload"},
        {MESH_ERR_CONN_CONFIG_INVAL,
         "{ \"connection\": { \"multipointGroup\": { \"urn\": \"x\" }, \"st2110\": {} }, \"maxPayloadSize\": 8 }", "connection"},
        {MESH_ERR_CONN_CONFIG_INVAL, VIDEO("\"pixelFormat\": \"rgb8\""), "pixelFormat"},
        {MESH_ERR_CONN_CONFIG_INVAL, VIDEO("\"width\": 0"), "width"},
        {MESH_ERR_CONN_CONFIG_INVAL, VIDEO("\"fps\": 0"), "fps"},
        {MESH_ERR_CONN_CONFIG_INVAL, AUDIO("\"format\": \"mp3\""), "format"},
        {MESH_ERR_CONN_CONFIG_INVAL, AUDIO("\"packetTime\": \"2ms\""), "packetTime"},
        {MESH_ERR_CONN_CONFIG_INVAL, OPTIONS("\"delivery\": \"maybe\""), "delivery"},
        {MESH_ERR_CONN_CONFIG_INVAL, OPTIONS("\"endOfStream\": \"never\""), "endOfStream"},
        {MESH_ERR_CONN_CONFIG_INVAL, OPTIONS("\"waitForReceivers\": 1000"), "waitForReceivers"},
        {MESH_ERR_CONN_CONFIG_INVAL, OPTIONS("\"stallTimeoutMilliseconds\": -1"), "stallTimeoutMilliseconds"},
        {MESH_ERR_CONN_CONFIG_INCOMPAT, AUDIO("\"sampleRate\": 44100, \"packetTime\": \"1ms\""), "packetTime"},
        {MESH_ERR_CONN_CONFIG_INCOMPAT, "{ " ST2110 ", \"payload\": { \"blob\": {} }, \"maxPayloadSize\": 8 }", "blob"},
        {MESH_ERR_NOT_IMPLEMENTED, "{ \"connection\": { \"rdma\": {} }, \"payload\": { \"video\": {} } }", "rdma"},
    };
    MeshClient *client;

    REQUIRE(mesh_create_client(&client, "{}"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        MeshConnection *conn = (MeshConnection *)&conn;
        const int err = mesh_create_tx_connection(client, &conn, bad[i].config);

        if (err != -bad[i].err || conn != NULL || !strstr(mesh_get_last_error(), bad[i].named)) {
            printf("  %s: returned %d (%s), expected %d naming \"%s\"\n", bad[i].config, err,
                   err ? mesh_get_last_error() : "success", -bad[i].err, bad[i].named);
            test_ok = false;
        }
        if (!err)
            mesh_delete_connection(&conn);
    }
    RETURNS(0, mesh_delete_client(&client));
}

static void a_group_refuses_what_does_not_fit(void)
{
    Pair pair;
    MeshConnection *conn;

    REQUIRE(open_pair(&pair, "fit", ""));
    RETURNS(-MESH_ERR_CONN_CONFIG_INCOMPAT,
            mesh_create_rx_connection(pair.client, &conn,
                                      "{ \"connection\": { \"multipointGroup\": { \"urn\": \"fit\" } },"
                                      " \"payload\": { \"video\": { \"width\": 320, \"height\": 180 } } }"));
    CHECK(conn == NULL && mesh_get_last_error()[0] != 0);
    /* One source is enough. */
    CHECK(mesh_create_tx_connection(pair.client, &conn, blob_config("fit", "")) < 0);
    CHECK(conn == NULL);
    RETURNS(0, send_text(pair.tx, "unharmed"));
    RETURNS(0, receive_text(pair.rx, "unharmed"));
    close_pair(&pair);
}

static void a_client_has_as_many_connections_as_configured(void)
{
    MeshClient *client;
    MeshConnection *a, *b, *c;

    REQUIRE(mesh_create_client(&client, "{ \"maxMediaConnections\": 2 }"));
    REQUIRE(mesh_create_rx_connection(client, &a, blob_config("max", "")));
    REQUIRE(mesh_create_rx_connection(client, &b, blob_config("max", "")));
    RETURNS(-MESH_ERR_MAX_CONN, mesh_create_rx_connection(client, &c, blob_config("max", "")));
    CHECK(c == NULL);
    RETURNS(-MESH_ERR_FOUND_ALLOCATED, mesh_delete_client(&client));
    CHECK(client != NULL);
    RETURNS(0, mesh_delete_connection(&a));
    RETURNS(0, mesh_create_rx_connection(client, &c, blob_config("max", "")));
    RETURNS(0, mesh_delete_connection(&b));
    RETURNS(0, mesh_delete_connection(&c));
    RETURNS(0, mesh_delete_client(&client));
}

static void a_forked_child_is_told_to_make_its_own_client(void)
{
    Pair pair;
    MeshBuffer *buf;
    int status = 0;

    REQUIRE(open_pair(&pair, "fork", ""));
    fflush(stdout);
    const pid_t child = fork();

    if (child == 0) {
        Pair own;

        test_ok = true;
        RETURNS(-MESH_ERR_FORKED, mesh_get_buffer_timeout(pair.tx, &buf, 0));
        RETURNS(-MESH_ERR_FORKED, mesh_get_buffer_timeout(pair.rx, &buf, 0));
        RETURNS(-MESH_ERR_FORKED, mesh_create_tx_connection(pair.client, &own.tx, blob_config("fork child", "")));
        /* What it inherited it may delete, and that does not touch the parent's. */
        close_pair(&pair);
        RETURNS(0, open_pair(&own, "fork child", ""));
        RETURNS(0, send_text(own.tx, "child"));
        RETURNS(0, receive_text(own.rx, "child"));
        close_pair(&own);
        fflush(stdout);
        /* Becoming another program is the usual end of a child; and the parent's memory is no leak of the child then. */
        if (test_ok)
            execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    RETURNS(0, send_text(pair.tx, "parent"));
    RETURNS(0, receive_text(pair.rx, "parent"));
    close_pair(&pair);
}

static int entries(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;

    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

/* Mappings of shared memory. (Others come and go with malloc.) */
static int shared_mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    char line[512];
    int count = 0;

    while (file && fgets(line, sizeof(line), file))
        count += strstr(line, "memfd:") != NULL;
    if (file)
        fclose(file);
    return count;
}

static void a_limit_on_files_is_an_error_and_no_signal(void)
{
    int status;
    const pid_t child = fork();

    if (child == 0) {
        const struct rlimit limit = {1 << 20, 1 << 20};
        MeshClient *client;
        MeshConnection *conn;

        setrlimit(RLIMIT_FSIZE, &limit);
        if (mesh_create_client(&client, "{}"))
            _exit(2);
        if (mesh_create_tx_connection(client, &conn, blob_config("limit", ", \"bufferQueueCapacity\": 2")))
            _exit(3);
        if (mesh_delete_connection(&conn))
            _exit(4);
        if (mesh_create_tx_connection(client, &conn,
                                      "{ \"connection\": { \"multipointGroup\": { \"urn\": \"limit\" } },"
                                      "  \"payload\": { \"video\": {} } }") != -MESH_ERR_CONN_FAILED)
            _exit(5);
        _exit(strstr(mesh_get_last_error(), "ulimit -f") ? 0 : 6);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (WIFSIGNALED(status))
        printf("  ended by signal %d\n", WTERMSIG(status));
}

/* With so many descriptors left, a connection is there, or the reason is told at once. */
static int create_with_few_descriptors(int left, bool source)
{
    const struct rlimit limit = {64, 64};
    int last = -1;
    MeshClient *client;
    MeshConnection *conn;
    int err;

    setrlimit(RLIMIT_NOFILE, &limit);
    if (mesh_create_client(&client, "{}"))
        return 2;
    for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;)
        last = fd;
    for (int i = 0; i < left; i++)
        close(last - i);
    err = source ? mesh_create_tx_connection(client, &conn, blob_config("few", ""))
                 : mesh_create_rx_connection(client, &conn, blob_config("few with a source", ""));
    if (err && !strstr(mesh_get_last_error(), "Too many open files")) {
        printf("  %d descriptors left: %s\n", left, mesh_get_last_error());
        fflush(stdout);
        return 3;
    }
    if (!err && mesh_delete_connection(&conn))
        return 4;
    return mesh_delete_client(&client) ? 5 : 0;
}

/* A process of its own has the source, so that this one has no threads whose memory its children would lack. */
static pid_t hold_source(int *end)
{
    int ready[2], done[2];
    char byte = 0;

    if (pipe(ready) || pipe(done))
        return -1;
    const pid_t holder = fork();
    if (holder == 0) {
        MeshClient *client;
        MeshConnection *conn;

        close(done[1]);
        if (!mesh_create_client(&client, "{}") &&
            !mesh_create_tx_connection(client, &conn, blob_config("few with a source", ""))) {
            if (write(ready[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 0)
                mesh_delete_connection(&conn);
            mesh_delete_client(&client);
        }
        _exit(0);
    }
    close(ready[1]);
    close(done[0]);
    const bool there = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    *end = done[1];
    return there ? holder : -1;
}

static void a_lack_of_descriptors_is_told(void)
{
    int status, end;
    const pid_t holder = hold_source(&end);

    CHECK(holder > 0);
    for (int left = 0; left < 9; left++) {
        for (int source = 0; source < 2; source++) {
            const pid_t child = fork();

            if (child == 0)
                _exit(create_with_few_descriptors(left, source));
            CHECK(child > 0 && waitpid(child, &status, 0) == child);
            if (status)
                printf("  %d descriptors left: status %x\n", left, (unsigned)status);
            CHECK(status == 0);
        }
    }
    close(end);
    CHECK(waitpid(holder, &status, 0) == holder && status == 0);
}

static void created_and_deleted_leaves_nothing(void)
{
    const char *text = getenv("LOOPS");
    const int loops = text ? atoi(text) : 100;
    MeshClient *client;
    int fds = 0, mappings = 0, threads = 0;

    REQUIRE(mesh_create_client(&client, "{}"));
    for (int i = 0; i < loops; i++) {
        MeshConnection *tx, *rx;
        MeshBuffer *buf;

        REQUIRE(mesh_create_tx_connection(client, &tx, blob_config("loop", "")));
        REQUIRE(mesh_create_rx_connection(client, &rx, blob_config("loop", "")));
        RETURNS(0, send_text(tx, "x"));
        REQUIRE(mesh_get_buffer(rx, &buf));
        RETURNS(0, mesh_put_buffer(&buf));
        RETURNS(0, mesh_delete_connection(&tx));
        RETURNS(0, mesh_delete_connection(&rx));
        if (i == loops / 4) { /* by now everything that is made once is there */
            fds = entries("/proc/self/fd");
            mappings = shared_mappings();
            threads = entries("/proc/self/task");
        }
    }
    /* What belongs to the proxy's last messages may take a moment to go. */
    const uint64_t deadline = now_ns() + (uint64_t)DEADLINE_MS * 1000000;
    const struct timespec pause = {0, 1000000};

    while ((entries("/proc/self/fd") > fds || shared_mappings() > mappings) && now_ns() < deadline)
        nanosleep(&pause, NULL);
    CHECK(entries("/proc/self/fd") <= fds);
    CHECK(shared_mappings() <= mappings);
    CHECK(entries("/proc/self/task") <= threads);
    RETURNS(0, mesh_delete_client(&client));
}

static void *exchange(void *group)
{
    MeshClient *client;
    int err = mesh_create_client(&client, "{ \"apiDefaultTimeoutMicroseconds\": 20000000 }");

    for (int i = 0; !err && i < 5; i++) {
        MeshConnection *tx = NULL, *rx = NULL;
        MeshBuffer *buf;

        err = mesh_create_rx_connection(client, &rx, blob_config(group, ""));
        if (!err)
            err = mesh_create_tx_connection(client, &tx, blob_config(group, ""));
        for (int j = 0; !err && j < 20; j++) {
            err = send_text(tx, group);
            if (!err)
                err = mesh_get_buffer(rx, &buf);
            if (!err && !holds_text(buf, group))
                err = 1;
            if (!err)
                err = mesh_put_buffer(&buf);
        }
        if (err)
            printf("  %s: %d (%s)\n", (const char *)group, err, mesh_get_last_error());
        if (tx)
            mesh_delete_connection(&tx);
        if (rx)
            mesh_delete_connection(&rx);
    }
    if (mesh_delete_client(&client))
        err = 1;
    return err ? group : NULL;
}

static void threads_do_not_disturb_each_other(void)
{
    static char *groups[] = {"thread 1", "thread 2", "thread 3", "thread 4"};
    pthread_t threads[4];
    void *failed;

    for (int i = 0; i < 4; i++)
        CHECK(!pthread_create(&threads[i], NULL, exchange, groups[i]));
    for (int i = 0; i < 4; i++)
        CHECK(!pthread_join(threads[i], &failed) && !failed);
}

int main(void)
{
    RUN(a_frame_arrives_with_all_that_was_set);
    RUN(a_receiver_learns_what_a_group_carries);
    RUN(a_discarded_buffer_is_not_published);
    RUN(several_buffers_are_out_at_once);
    RUN(timeouts_are_kept);
    RUN(a_source_has_as_many_buffers_as_configured);
    RUN(a_blocked_call_is_cancelled_by_another_thread);
    RUN(a_signal_that_is_handled_ends_a_wait);
    RUN(what_a_configuration_says_in_vain_can_be_read);
    RUN(a_blocked_call_ends_at_shutdown);
    RUN(what_was_put_is_read_after_the_source_has_gone);
    RUN(a_held_buffer_outlives_its_connection);
    RUN(the_descriptor_polls_readable_while_a_frame_is_there);
    RUN(connections_count);
    RUN(bad_connection_configurations_are_refused);
    RUN(a_group_refuses_what_does_not_fit);
    RUN(a_client_has_as_many_connections_as_configured);
    RUN(a_forked_child_is_told_to_make_its_own_client);
    RUN(a_limit_on_files_is_an_error_and_no_signal);
    RUN(a_lack_of_descriptors_is_told);
    RUN(created_and_deleted_leaves_nothing);
    RUN(threads_do_not_disturb_each_other);
    return report();
}
