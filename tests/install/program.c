/* Compiles as C and as C++, links against the installed library, and shows that it is there and working. */
#include <mesh_dp.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    MeshClient *client = NULL;

    if (mesh_create_client(&client, "{ \"maxMediaConnections\": [] }") != -MESH_ERR_CLIENT_CONFIG_INVAL)
        return 1;
    if (!strstr(mesh_get_last_error(), "maxMediaConnections"))
        return 2;
    if (mesh_create_client(&client, "{}") || mesh_delete_client(&client))
        return 3;
    if (strcmp(MESH_VERSION, mesh_get_api_version()))
        return 4;
    puts(MESH_VERSION);
    return 0;
}
