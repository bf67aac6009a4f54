/*
 * Prints number and checksum of each frame in a raw file, as recver_app --checksum prints them of the frames that it gets.
 * It reads the file itself and has nothing to do with the mesh: what both print can be compared.
 *
 *     frame_sums FILE BYTES-OF-A-FRAME
 */
#include "app.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        app_fail("usage: frame_sums FILE BYTES-OF-A-FRAME");

    const size_t size = (size_t)app_number("BYTES-OF-A-FRAME", argv[2], 1, INT32_MAX);
    FILE *file = fopen(argv[1], "rb");
    void *frame = malloc(size);
    size_t got;

    if (!file)
        app_fail("%s: %s", argv[1], strerror(errno));
    if (!frame)
        app_fail("out of memory for a frame of %zu bytes", size);
    for (uint64_t n = 0; (got = fread(frame, 1, size, file)) == size; n++)
        printf("%" PRIu64 " %016" PRIx64 "\n", n, app_checksum(frame, size));
    if (ferror(file))
        app_fail("%s: %s", argv[1], strerror(errno));
    if (got)
        app_fail("%s: the last %zu bytes are no whole frame", argv[1], got);
    fclose(file);
    free(frame);
    return EXIT_SUCCESS;
}
