/* Sends raw video, audio or blobs, from a file or a generated pattern, at the rate of the configuration. */
#include "options.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where frames come from. */
typedef struct {
    const char *path; /* NULL for the pattern */
    int fd;
    uint64_t size;      /* of the file in bytes */
    uint64_t per_round; /* frames in the file */
    uint64_t total;     /* frames to send */
} Input;

static Input open_input(const AppOptions *options, const MeshConnection *conn, bool fixed_size)
{
    Input input = {.path = options->file, .fd = -1, .total = options->number};
    const uint64_t frame = conn->payload_size;
    struct stat status;

    if (!input.path)
        return input;
    input.fd = open(input.path, O_RDONLY | O_CLOEXEC);
    if (input.fd < 0 || fstat(input.fd, &status) < 0)
        app_fail("%s: %s", input.path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        app_fail("%s: must be a regular file", input.path);
    input.size = (uint64_t)status.st_size;
    input.per_round = input.size / frame;
    if (input.size % frame) {
        if (fixed_size)
            fprintf(stderr, "%s: the last %" PRIu64 " bytes are no whole frame of %" PRIu64 " bytes and are not sent\n",
                    input.path, input.size % frame, frame);
        else
            input.per_round++;
    }
    if (input.per_round == 0)
        app_fail("%s: has %" PRIu64 " bytes, one frame has %" PRIu64, input.path, input.size, frame);
    if (options->loop < UINT64_MAX / input.per_round && options->loop * input.per_round < input.total)
        input.total = options->loop * input.per_round;
    return input;
}

/* Fills the payload with frame number n. */
static void fill(const Input *input, MeshBuffer *buf, uint64_t n)
{
    const uint64_t frame = buf->conn->payload_size;

    if (!input->path) {
        unsigned char *bytes = buf->payload_ptr;
        uint64_t word = n;

        for (uint64_t at = 0; at < frame; at += sizeof(word)) {
            word = word * 6364136223846793005 + 1442695040888963407;
            memcpy(bytes + at, &word, frame - at < sizeof(word) ? frame - at : sizeof(word));
        }
        return;
    }
    const uint64_t offset = n % input->per_round * frame;
    const uint64_t length = input->size - offset < frame ? input->size - offset : frame;

    for (uint64_t done = 0; done < length;) {
        ssize_t got = pread(input->fd, (char *)buf->payload_ptr + done, length - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            app_fail("%s: %s", input->path, got ? strerror(errno) : "was cut while it was read");
        done += (uint64_t)got;
    }
    app_check(mesh_buffer_set_payload_len(buf, length), "payload length");
}

int main(int argc, char **argv)
{
    AppOptions options = app_options(SENDER, argc, argv);
    MeshConnectionStats stats;
    MeshClient *client;
    MeshConnection *conn;
    AppProgress progress = app_progress("sender");
    uint64_t start = 0, last = 0, sent = 0;
    int err = 0;

    setvbuf(stdout, NULL, _IOLBF, 0); /* whole lines at once, also into a pipe */
    app_check(mesh_create_client(&client, options.client_config), "client");
    app_check(mesh_create_tx_connection(client, &conn, options.conn_config), "connection");
    app_catch_signals(conn);

    const AppRate rate = app_config_rate(options.conn_config, conn->payload_size);
    Input input = open_input(&options, conn, rate.num > 0);

    if (!input.path && input.total == UINT64_MAX)
        fprintf(stderr, "sender: a test pattern, until Ctrl-C: buffers of %zu bytes, %.2f a second\n", conn->payload_size,
                rate.num ? (double)rate.num / (double)rate.den : 0.0);

    while (sent < input.total && !app_stopped()) {
        MeshBuffer *buf;
        uint64_t sum;

        err = app_get(conn, &buf, options.timeout_ms, &progress);
        if (err)
            break;
        fill(&input, buf, sent);
        sum = options.checksum ? app_checksum(buf->payload_ptr, buf->payload_len) : 0;
        if (!options.fast && rate.num && sent > 0)
            app_sleep_until(start + app_frame_ns(rate, sent));
        err = mesh_put_buffer_timeout(&buf, MESH_TIMEOUT_INFINITE);
        if (err) {
            mesh_shutdown_connection(conn);
            if (buf)
                mesh_put_buffer(&buf); /* gives it back unsent */
            break;
        }
        last = app_now_ns();
        if (sent == 0)
            start = last; /* the first put may have waited for receivers */
        if (options.checksum)
            printf("%" PRIu64 " %016" PRIx64 "\n", sent, sum);
        sent++;
        app_progress_frame(&progress);
    }
    app_progress_end(&progress);
    if (err != -MESH_ERR_CANCELLED && err != -MESH_ERR_CONN_CLOSED)
        app_check(err, "send");

    app_check(mesh_get_connection_stats(conn, &stats, sizeof(stats)), "counts");
    app_release_signals();
    app_check(mesh_delete_connection(&conn), "delete connection");
    app_check(mesh_delete_client(&client), "delete client");

    const AppResult result = {.role = "sender", .frames = stats.frames, .bytes = stats.bytes, .missed = stats.missed,
                              .waits = stats.waits, .seconds = (double)(last - start) / 1e9,
                              .cpu_seconds = app_cpu_seconds()};

    app_print_result(&result);
    if (options.stats)
        app_write_result(&result, options.stats);
    if (input.fd >= 0)
        close(input.fd);
    app_free_options(&options);
    return EXIT_SUCCESS;
}
