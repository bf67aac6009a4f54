/* Prints the messages of the group "hello" until its source ends the stream. */
#include <mesh_dp.h>
#include <stdio.h>

static const char config[] = "{ \"connection\": { \"multipointGroup\": { \"urn\": \"hello\" } },"
                             "  \"payload\": { \"blob\": {} }, \"maxPayloadSize\": 64 }";

int main(void)
{
    MeshClient *client = NULL;
    MeshConnection *conn = NULL;
    MeshBuffer *buf;
    int err = mesh_create_client(&client, "{}");
    if (!err)
        err = mesh_create_rx_connection(client, &conn, config);
    while (!err && !(err = mesh_get_buffer_timeout(conn, &buf, MESH_TIMEOUT_INFINITE))) {
        printf("%.*s\n", (int)buf->payload_len, (const char *)buf->payload_ptr);
        err = mesh_put_buffer(&buf); /* gives it back to the source */
    }
    if (err != -MESH_ERR_CONN_CLOSED) /* which is how a stream ends */
        fprintf(stderr, "%s\n", mesh_get_last_error());
    mesh_delete_connection(&conn);
    mesh_delete_client(&client);
    return err == -MESH_ERR_CONN_CLOSED ? 0 : 1;
}
