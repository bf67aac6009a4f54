/* Sends ten messages to a multipoint group, as soon as one receiver is there. */
#include <mesh_dp.h>
#include <stdio.h>
#include <stdlib.h>

static const char config[] = "{ \"connection\": { \"multipointGroup\": { \"urn\": \"hello\" } },"
                             "  \"payload\": { \"blob\": {} }, \"maxPayloadSize\": 64,"
                             "  \"options\": { \"waitForReceivers\": 1, \"endOfStream\": \"close\" } }";

static void check(int err)
{
    if (err) {
        fprintf(stderr, "%s\n", mesh_get_last_error());
        exit(EXIT_FAILURE);
    }
}

int main(void)
{
    MeshClient *client;
    MeshConnection *conn;
    MeshBuffer *buf;

    check(mesh_create_client(&client, "{}"));
    check(mesh_create_tx_connection(client, &conn, config));
    for (int i = 1; i <= 10; i++) {
        check(mesh_get_buffer_timeout(conn, &buf, MESH_TIMEOUT_INFINITE));
        int length = snprintf(buf->payload_ptr, buf->payload_len, "message %d", i);
        check(mesh_buffer_set_payload_len(buf, (size_t)length));
        check(mesh_put_buffer_timeout(&buf, MESH_TIMEOUT_INFINITE));
    }
    check(mesh_delete_connection(&conn));
    check(mesh_delete_client(&client));
    return EXIT_SUCCESS;
}
