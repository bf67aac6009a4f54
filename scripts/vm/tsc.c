/* Prints the frequency of the time stamp counter in kHz. A guest that is emulated on a busy machine measures it wrongly, and its clock
 * then runs several times too fast. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(void)
{
    uint64_t ticks = __rdtsc(), start = now_ns(), end;
    do {
        end = now_ns();
    } while (end - start < 500000000u);
    ticks = __rdtsc() - ticks;
    printf("%.0f\n", (double)ticks * 1e6 / (double)(end - start));
    return 0;
}
