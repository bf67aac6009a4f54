/*
 * Waits for frames of several multipoint groups at once, in one thread, with poll().
 *
 *     poll_receiver CONNECTION.json...
 */
#include "app.h"

#include <poll.h>

enum { MAX_GROUPS = 32 };

/* Takes all frames that are there. Returns false at the end of the stream. */
static bool drain(MeshConnection *conn, const char *name)
{
    MeshBuffer *buf;
    int err;

    while (!(err = mesh_get_buffer_timeout(conn, &buf, MESH_TIMEOUT_ZERO))) {
        MeshBufferInfo info;

        app_check(mesh_get_buffer_info(buf, &info, sizeof(info)), "frame information");
        printf("%s: frame %" PRIu64 ", %zu bytes\n", name, info.sequence, buf->payload_len);
        app_check(mesh_put_buffer(&buf), "put");
    }
    if (err != -MESH_ERR_TIMEOUT && err != -MESH_ERR_CONN_CLOSED)
        app_check(err, "get");
    return err == -MESH_ERR_TIMEOUT;
}

int main(int argc, char **argv)
{
    int groups = argc - 1, open_groups = groups;
    struct pollfd polls[MAX_GROUPS];
    MeshConnection *conns[MAX_GROUPS];
    MeshClient *client;

    if (groups < 1 || groups > MAX_GROUPS)
        app_fail("usage: poll_receiver CONNECTION.json... (1 to %d files)", MAX_GROUPS);
    app_check(mesh_create_client(&client, "{}"), "client");
    for (int i = 0; i < groups; i++) {
        char *config = app_read_text(argv[i + 1]);

        app_check(mesh_create_rx_connection(client, &conns[i], config), argv[i + 1]);
        app_check(mesh_get_connection_fd(conns[i], &polls[i].fd), "descriptor");
        polls[i].events = POLLIN;
        free(config);
    }
    while (open_groups > 0) {
        if (poll(polls, (nfds_t)groups, -1) < 0)
            app_fail("poll: %s", strerror(errno));
        for (int i = 0; i < groups; i++) {
            if (polls[i].revents && !drain(conns[i], argv[i + 1])) {
                polls[i].fd = -1; /* poll() skips it from now on */
                open_groups--;
            }
        }
    }
    for (int i = 0; i < groups; i++)
        app_check(mesh_delete_connection(&conns[i]), "delete");
    app_check(mesh_delete_client(&client), "delete client");
    return EXIT_SUCCESS;
}
