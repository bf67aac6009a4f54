/* Layout and constants of mesh_dp.h, as programs were compiled with. Compiles as C11 and as C++17. */
#include "mesh_dp.h"

#ifdef __cplusplus
#define CHECK(condition) static_assert(condition, #condition)
#else
#define CHECK(condition) _Static_assert(condition, #condition)
#endif

CHECK(sizeof(MeshConnection) == 24);
CHECK(offsetof(MeshConnection, client) == 0);
CHECK(offsetof(MeshConnection, payload_size) == 8);
CHECK(offsetof(MeshConnection, metadata_size) == 16);

CHECK(sizeof(MeshBuffer) == 40);
CHECK(offsetof(MeshBuffer, conn) == 0);
CHECK(offsetof(MeshBuffer, payload_ptr) == 8);
CHECK(offsetof(MeshBuffer, payload_len) == 16);
CHECK(offsetof(MeshBuffer, metadata_ptr) == 24);
CHECK(offsetof(MeshBuffer, metadata_len) == 32);

/* Structures that came later may grow at the end only. */
CHECK(sizeof(MeshBufferInfo) == 40);
CHECK(offsetof(MeshBufferInfo, flags) == 32);
CHECK(sizeof(MeshRegion) == 8);
CHECK(offsetof(MeshBufferInfo, sequence) == 0);
CHECK(offsetof(MeshBufferInfo, tai_ns) == 8);
CHECK(offsetof(MeshBufferInfo, published_ns) == 16);
CHECK(offsetof(MeshBufferInfo, missed) == 24);
CHECK(sizeof(MeshConnectionStats) == 56);
CHECK(offsetof(MeshConnectionStats, frames) == 0);
CHECK(offsetof(MeshConnectionStats, bytes) == 8);
CHECK(offsetof(MeshConnectionStats, missed) == 16);
CHECK(offsetof(MeshConnectionStats, waits) == 24);
CHECK(offsetof(MeshConnectionStats, held) == 32);
CHECK(offsetof(MeshConnectionStats, peers) == 36);
CHECK(offsetof(MeshConnectionStats, hold_limit) == 40);
CHECK(offsetof(MeshConnectionStats, ended) == 48);

CHECK(sizeof(MESH_VERSION) == sizeof("25.09"));
CHECK(MESH_VERSION_MAJOR == 25 && MESH_VERSION_MINOR == 9 && MESH_VERSION_HOTFIX == 0);
CHECK(MESH_TIMEOUT_DEFAULT == -2 && MESH_TIMEOUT_INFINITE == -1 && MESH_TIMEOUT_ZERO == 0);

CHECK(MESH_ERR_BAD_CLIENT_PTR == 1000);
CHECK(MESH_ERR_BAD_CONN_PTR == 1001);
CHECK(MESH_ERR_BAD_CONFIG_PTR == 1002);
CHECK(MESH_ERR_BAD_BUF_PTR == 1003);
CHECK(MESH_ERR_BAD_BUF_LEN == 1004);
CHECK(MESH_ERR_CLIENT_CONFIG_INVAL == 1005);
CHECK(MESH_ERR_MAX_CONN == 1006);
CHECK(MESH_ERR_FOUND_ALLOCATED == 1007);
CHECK(MESH_ERR_CONN_FAILED == 1008);
CHECK(MESH_ERR_CONN_CONFIG_INVAL == 1009);
CHECK(MESH_ERR_CONN_CONFIG_INCOMPAT == 1010);
CHECK(MESH_ERR_CONN_CLOSED == 1011);
CHECK(MESH_ERR_TIMEOUT == 1012);
CHECK(MESH_ERR_NOT_IMPLEMENTED == 1013);
CHECK(MESH_ERR_CANCELLED == 1014);
CHECK(MESH_ERR_FORKED == 1015);
CHECK(MESH_ERR_INTERNAL == 1016);
CHECK(MESH_ERR_INTERRUPTED == 1017);

/* Existing programs include nothing else for these. */
bool header_is_enough(size_t size, uint64_t number);

bool header_is_enough(size_t size, uint64_t number)
{
    bool both = size != 0 && number != 0;

    return both == true;
}
