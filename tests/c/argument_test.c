/* What the library says to wrong arguments and configurations. No media proxy is needed. */
#include "check.h"

#include <limits.h>
#include <pthread.h>

static const char somewhere[] = "{ \"connection\": { \"multipointGroup\": { \"urn\": \"a\" } }, \"maxPayloadSize\": 8 }";

static void null_arguments_are_refused(void)
{
    MeshClient *client = NULL;
    MeshConnection *conn = NULL;
    MeshBuffer *buf = NULL;
    MeshBufferInfo info;
    MeshConnectionStats stats;
    char text[16];
    int fd;

    RETURNS(-MESH_ERR_BAD_CLIENT_PTR, mesh_create_client(NULL, "{}"));
    RETURNS(-MESH_ERR_BAD_CONFIG_PTR, mesh_create_client(&client, NULL));
    RETURNS(-MESH_ERR_BAD_CLIENT_PTR, mesh_delete_client(NULL));
    RETURNS(-MESH_ERR_BAD_CLIENT_PTR, mesh_delete_client(&client));
    RETURNS(-MESH_ERR_BAD_CLIENT_PTR, mesh_create_tx_connection(NULL, &conn, somewhere));
    RETURNS(-MESH_ERR_BAD_CLIENT_PTR, mesh_create_rx_connection(NULL, &conn, somewhere));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_shutdown_connection(NULL));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_delete_connection(NULL));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_delete_connection(&conn));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_cancel_connection(NULL));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_get_connection_stats(NULL, &stats, sizeof(stats)));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_get_connection_fd(NULL, &fd));
    RETURNS(-MESH_ERR_BAD_CLIENT_PTR, mesh_get_group_config(NULL, "x", text, sizeof(text), 0));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_get_buffer(NULL, &buf));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_get_buffer_timeout(NULL, &buf, 0));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_put_buffer(NULL));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_put_buffer(&buf));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_discard_buffer(NULL));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_discard_buffer(&buf));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_put_buffer_timeout(NULL, 0));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_put_buffer_timeout(&buf, 0));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_buffer_set_payload_len(NULL, 0));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_buffer_set_metadata_len(NULL, 0));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_buffer_set_timestamp(NULL, 0));
    RETURNS(-MESH_ERR_BAD_BUF_PTR, mesh_get_buffer_info(NULL, &info, sizeof(info)));
}

static void null_arguments_of_connections_are_refused(void)
{
    MeshClient *client;
    MeshConnection *conn;

    REQUIRE(mesh_create_client(&client, "{}"));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_create_tx_connection(client, NULL, somewhere));
    RETURNS(-MESH_ERR_BAD_CONN_PTR, mesh_create_rx_connection(client, NULL, somewhere));
    RETURNS(-MESH_ERR_BAD_CONFIG_PTR, mesh_create_tx_connection(client, &conn, NULL));
    RETURNS(-MESH_ERR_BAD_CONFIG_PTR, mesh_create_rx_connection(client, &conn, NULL));
    RETURNS(-MESH_ERR_BAD_CONFIG_PTR, mesh_create_rx_connection(client, &conn, "{ \"\xff\": 1 }"));
    CHECK(conn == NULL);
    RETURNS(0, mesh_delete_client(&client));
    CHECK(client == NULL);
}

static void every_error_has_its_text(void)
{
    static const char *const texts[] = {
        "Bad client pointer", "Bad connection pointer", "Bad configuration pointer", "Bad buffer pointer",
        "Bad buffer length", "Invalid parameters in client configuration", "Reached max number of connections",
        "Found allocated resources", "Connection creation failed", "Invalid parameters in connection configuration",
        "Incompatible parameters in connection configuration", "Connection is closed", "Timeout occurred",
        "Feature not implemented yet", "Call was cancelled", "Client belongs to the parent process", "Internal error",
        "Interrupted by a signal",
    };
    const int unknown[] = {1, -1, 999, -999, 1018, -1018, INT_MAX, INT_MIN};

    for (int i = 0; i < (int)(sizeof(texts) / sizeof(texts[0])); i++) {
        CHECK(!strcmp(mesh_err2str(1000 + i), texts[i]));
        CHECK(!strcmp(mesh_err2str(-1000 - i), texts[i]));
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        CHECK(!strcmp(mesh_err2str(unknown[i]), "Unknown error code"));
    CHECK(!strcmp(mesh_err2str(0), "Success"));
}

static void the_version_agrees_with_its_numbers(void)
{
    char text[32];

    snprintf(text, sizeof(text), "%d.%02d", MESH_VERSION_MAJOR, MESH_VERSION_MINOR);
    CHECK(!strcmp(text, MESH_VERSION));
    CHECK(!strcmp(text, mesh_get_api_version()));
    CHECK(strchr(mesh_get_library_version(), '.'));
}

static void bad_client_configurations_are_refused(void)
{
    static const char *const bad[] = {
        "", " ", "{", "[]", "1", "{ \"maxMediaConnections\": }", "{ \"maxMediaConnections\": \"many\" }",
        "{ \"maxMediaConnections\": -1 }", "{ \"apiVersion\": \"v9\" }", "{ \"apiVersion\": 1 }",
        "{ \"apiDefaultTimeoutMicroseconds\": -5 }", "{ \"apiDefaultTimeoutMicroseconds\": \"1s\" }",
        "{ \"apiConnectionString\": 7 }", "{ \"apiConnectionString\": \"Server\" }",
        "{ \"apiConnectionString\": \"Server=127.0.0.1; Port=123456\" }",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        MeshClient *client = (MeshClient *)&client;
        const int err = mesh_create_client(&client, bad[i]);

        if (err != -MESH_ERR_CLIENT_CONFIG_INVAL || client != NULL) {
            printf("  %s: returned %d (%s)\n", bad[i], err, err ? mesh_get_last_error() : "success");
            test_ok = false;
        }
        if (!err)
            mesh_delete_client(&client);
    }
}

static void good_client_configurations_are_accepted(void)
{
    static const char *const good[] = {
        "{}", " { } ", "{ \"apiVersion\": \"v1\", }", "{ \"maxMediaConnections\": 1 }",
        "{ \"apiConnectionString\": \"Server=; Port=\" }", /* which existing programs have built in */
        "{ \"apiConnectionString\": \" Server = 127.0.0.1 ;Port=8002; \" }",
        "{ \"apiConnectionString\": \"Unix=/run/mcm/media_proxy.sock\", \"apiDefaultTimeoutMicroseconds\": 1000, }",
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        MeshClient *client;

        REQUIRE(mesh_create_client(&client, good[i]));
        RETURNS(0, mesh_delete_client(&client));
    }
}

static void the_last_error_says_what_was_found(void)
{
    MeshClient *client;

    RETURNS(-MESH_ERR_CLIENT_CONFIG_INVAL, mesh_create_client(&client, "{ \"maxMediaConnections\": \"many\" }"));
    CHECK(strstr(mesh_get_last_error(), "maxMediaConnections"));
    CHECK(strstr(mesh_get_last_error(), "many"));
    CHECK(mesh_get_last_error() == mesh_get_last_error());
}

static void *last_error_of_a_new_thread(void *unused)
{
    (void)unused;
    return (void *)(mesh_get_last_error()[0] == 0 ? "empty" : NULL);
}

static void each_thread_has_its_own_last_error(void)
{
    pthread_t thread;
    void *result = NULL;

    RETURNS(-MESH_ERR_BAD_CLIENT_PTR, mesh_delete_client(NULL));
    CHECK(!pthread_create(&thread, NULL, last_error_of_a_new_thread, NULL));
    CHECK(!pthread_join(thread, &result));
    CHECK(result != NULL);
    CHECK(strstr(mesh_get_last_error(), "client"));
}

static void a_proxy_that_is_not_there_is_named(void)
{
    MeshClient *client;
    MeshConnection *conn = (MeshConnection *)&conn;

    REQUIRE(mesh_create_client(&client, "{ \"apiConnectionString\": \"Unix=/nonexistent/proxy.sock\" }"));
    RETURNS(-MESH_ERR_CONN_FAILED, mesh_create_tx_connection(client, &conn, somewhere));
    CHECK(conn == NULL);
    CHECK(strstr(mesh_get_last_error(), "/nonexistent/proxy.sock"));
    RETURNS(-MESH_ERR_CONN_FAILED, mesh_create_rx_connection(client, &conn, somewhere));
    RETURNS(0, mesh_delete_client(&client));
}

int main(void)
{
    RUN(null_arguments_are_refused);
    RUN(null_arguments_of_connections_are_refused);
    RUN(every_error_has_its_text);
    RUN(the_version_agrees_with_its_numbers);
    RUN(bad_client_configurations_are_refused);
    RUN(good_client_configurations_are_accepted);
    RUN(the_last_error_says_what_was_found);
    RUN(each_thread_has_its_own_last_error);
    RUN(a_proxy_that_is_not_there_is_named);
    return report();
}
