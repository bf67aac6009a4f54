/* Receives raw video, audio or blobs: writes them to a file, checks and measures them. */
#include "options.h"

int main(int argc, char **argv)
{
    AppOptions options = app_options(RECEIVER, argc, argv);
    AppLatencies latencies = {0};
    MeshConnectionStats stats;
    MeshClient *client;
    MeshConnection *conn;
    FILE *output = NULL;
    uint64_t start = 0, last = 0, received = 0;
    uintptr_t lowest = UINTPTR_MAX, highest = 0;
    AppProgress progress = app_progress("receiver");
    int err = 0;

    if (options.file && !(output = fopen(options.file, "wb")))
        app_fail("%s: %s", options.file, strerror(errno));
    setvbuf(stdout, NULL, _IOLBF, 0); /* whole lines at once, also into a pipe */
    app_check(mesh_create_client(&client, options.client_config), "client");
    app_check(mesh_create_rx_connection(client, &conn, options.conn_config), "connection");
    app_catch_signals(conn);

    while (received < options.number && !app_stopped()) {
        MeshBufferInfo info;
        MeshBuffer *buf;

        err = app_get(conn, &buf, options.timeout_ms, &progress);
        if (err)
            break;
        last = app_now_ns();
        if (received++ == 0)
            start = last;
        app_check(mesh_get_buffer_info(buf, &info, sizeof(info)), "frame information");
        if (options.latency)
            app_add_latency(&latencies, last - info.published_ns);
        if (options.age)
            app_add_latency(&latencies, app_tai_ns() - info.tai_ns);
        if ((uintptr_t)buf->payload_ptr < lowest)
            lowest = (uintptr_t)buf->payload_ptr;
        if ((uintptr_t)buf->payload_ptr > highest)
            highest = (uintptr_t)buf->payload_ptr;
        if (options.pause_ms)
            app_sleep_until(last + (uint64_t)options.pause_ms * 1000000);
        if (info.missed)
            fprintf(stderr, "missed %" PRIu64 " frames before frame %" PRIu64 "\n", info.missed, info.sequence);
        if (options.checksum)
            printf("%" PRIu64 " %016" PRIx64 "\n", info.sequence, app_checksum(buf->payload_ptr, buf->payload_len));
        if (output && fwrite(buf->payload_ptr, 1, buf->payload_len, output) != buf->payload_len)
            app_fail("%s: %s", options.file, strerror(errno));
        if (options.snapshot && received == options.number)
            app_write_file(options.snapshot, buf->payload_ptr, buf->payload_len);
        app_check(mesh_put_buffer(&buf), "put");
        app_progress_frame(&progress);
    }
    app_progress_end(&progress);
    if (err == -MESH_ERR_TIMEOUT)
        fprintf(stderr, "no frame for %d ms\n", options.timeout_ms);
    else if (err != -MESH_ERR_CANCELLED && err != -MESH_ERR_CONN_CLOSED)
        app_check(err, "receive");

    app_check(mesh_get_connection_stats(conn, &stats, sizeof(stats)), "counts");
    const bool stopped = app_stopped();
    app_release_signals();
    app_check(mesh_delete_connection(&conn), "delete connection");
    app_check(mesh_delete_client(&client), "delete client");
    if (output && fclose(output))
        app_fail("%s: %s", options.file, strerror(errno));

    const AppResult result = {.role = "receiver", .frames = received, .bytes = stats.bytes, .missed = stats.missed,
                              .waits = stats.waits, .seconds = (double)(last - start) / 1e9,
                              .cpu_seconds = app_cpu_seconds(), .lowest = lowest, .highest = highest,
                              .latencies = options.latency || options.age ? &latencies : NULL};

    app_print_result(&result);
    if (options.stats)
        app_write_result(&result, options.stats);
    free(latencies.values);
    const bool complete = stopped || options.number == UINT64_MAX || received == options.number;
    if (!complete)
        fprintf(stderr, "ended after %" PRIu64 " of %" PRIu64 " frames\n", received, options.number);
    app_free_options(&options);
    return complete && (received > 0 || stopped) ? EXIT_SUCCESS : EXIT_FAILURE;
}
