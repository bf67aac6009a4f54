/* Sends ten messages to the group "hello" as soon as a receiver is there, and ends the stream. */
#include <mesh_dp.h>
#include <stdio.h>

static const char config[] = "{ \"connection\": { \"multipointGroup\": { \"urn\": \"hello\" } },"
                             "  \"payload\": { \"blob\": {} }, \"maxPayloadSize\": 64,"
                             "  \"options\": { \"waitForReceivers\": 1, \"endOfStream\": \"close\" } }";

int main(void)
{
    MeshClient *client = NULL;
    MeshConnection *conn = NULL;
    MeshBuffer *buf;
    int err = mesh_create_client(&client, "{}");
    if (!err)
        err = mesh_create_tx_connection(client, &conn, config);
    for (int i = 1; !err && i <= 10; i++) {
        err = mesh_get_buffer_timeout(conn, &buf, MESH_TIMEOUT_INFINITE); /* a free frame */
        if (err)
            break;
        int length = snprintf(buf->payload_ptr, buf->payload_len, "message %d", i);
        mesh_buffer_set_payload_len(buf, (size_t)length);
        err = mesh_put_buffer_timeout(&buf, MESH_TIMEOUT_INFINITE); /* publishes it to all receivers */
    }
    if (err)
        fprintf(stderr, "%s\n", mesh_get_last_error());
    mesh_delete_connection(&conn);
    mesh_delete_client(&client);
    return err ? 1 : 0;
}
