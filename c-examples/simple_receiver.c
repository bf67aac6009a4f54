/* Prints the messages of a multipoint group until its source ends the stream. */
#include <mesh_dp.h>
#include <stdio.h>
#include <stdlib.h>

static const char config[] = "{ \"connection\": { \"multipointGroup\": { \"urn\": \"hello\" } },"
                             "  \"payload\": { \"blob\": {} }, \"maxPayloadSize\": 64 }";

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
    int err;

    check(mesh_create_client(&client, "{}"));
    check(mesh_create_rx_connection(client, &conn, config));
    while (!(err = mesh_get_buffer_timeout(conn, &buf, MESH_TIMEOUT_INFINITE))) {
        printf("%.*s\n", (int)buf->payload_len, (const char *)buf->payload_ptr);
        check(mesh_put_buffer(&buf));
    }
    if (err != -MESH_ERR_CONN_CLOSED)
        check(err);
    check(mesh_delete_connection(&conn));
    check(mesh_delete_client(&client));
    return EXIT_SUCCESS;
}
