#include "app.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void app_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

void app_misuse(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

void app_check(int err, const char *what)
{
    if (err)
        app_fail("%s: %s (%s, %d)", what, mesh_get_last_error(), mesh_err2str(err), err);
}

char *app_read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0, got;

    if (!file)
        app_fail("%s: %s", path, strerror(errno));
    do {
        text = realloc(text, size + 4097);
        if (!text)
            app_fail("%s: out of memory", path);
        got = fread(text + size, 1, 4096, file);
        size += got;
    } while (got > 0);
    if (ferror(file))
        app_fail("%s: %s", path, strerror(errno));
    fclose(file);
    text[size] = 0;
    return text;
}

void app_write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(data, 1, size, file) != size || fclose(file))
        app_fail("%s: %s", path, strerror(errno));
}

long app_number(const char *option, const char *text, long min, long max)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < min || number > max)
        app_misuse("%s: \"%s\" is no whole number from %ld to %ld", option, text, min, max);
    return number;
}

bool app_parse_rate(const char *text, AppRate *rate)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || !(value > 0) || value > 1e9)
        return false;
    if (*end == '/') {
        const char *second = end + 1;
        double den = strtod(second, &end);

        if (end == second || *end || !(den >= 1) || den > 1e9 || den != floor(den) || value != floor(value))
            return false;
        *rate = (AppRate){(uint64_t)value, (uint64_t)den};
        return true;
    }
    if (*end)
        return false;
    double whole = round(value), ntsc = round(value * 1.001);

    if (fabs(value - whole) < 1e-6 * value)
        *rate = (AppRate){(uint64_t)whole, 1};
    else if (fabs(value * 1.001 - ntsc) < 3e-4 * value) /* 23.98, 29.97, 59.94 */
        *rate = (AppRate){(uint64_t)ntsc * 1000, 1001};
    else
        *rate = (AppRate){(uint64_t)round(value * 1e6), 1000000};
    return rate->num > 0;
}

/*
 * Copies the value of a key, a number or a text, from a configuration that the library has accepted. Only the
 * keys asked for here matter, and they stand in one place each, so there is no need to follow the nesting.
 */
static bool config_value(const char *config, const char *key, char *value, size_t size)
{
    for (const char *at = config; (at = strchr(at, '"'));) {
        const char *name = ++at;

        while (*at && *at != '"')
            at += at[0] == '\\' && at[1] ? 2 : 1;
        if (!*at)
            break;
        size_t length = (size_t)(at++ - name);
        const char *next = at + strspn(at, " \t\r\n");

        if (*next != ':' || length != strlen(key) || memcmp(name, key, length))
            continue;
        next += 1 + strspn(next + 1, " \t\r\n\"");
        length = strcspn(next, " \t\r\n\",}");
        if (length >= size)
            return false;
        memcpy(value, next, length);
        value[length] = 0;
        return true;
    }
    return false;
}

AppRate app_config_rate(const char *config, size_t payload_size)
{
    char text[32];
    AppRate rate = {0, 1};

    if (strstr(config, "\"audio\"")) {
        uint64_t channels = 2, sample_size = 3, sample_rate = 48000;

        if (config_value(config, "channels", text, sizeof(text)))
            channels = strtoull(text, NULL, 10);
        if (config_value(config, "sampleRate", text, sizeof(text)))
            sample_rate = strtoull(text, NULL, 10);
        if (config_value(config, "format", text, sizeof(text)))
            sample_size = !strcmp(text, "pcm_s8") ? 1 : !strcmp(text, "pcm_s16be") ? 2 : 3;
        if (channels && payload_size >= channels * sample_size)
            rate = (AppRate){sample_rate, payload_size / (channels * sample_size)};
    } else if (strstr(config, "\"video\"")) {
        if (!config_value(config, "fps", text, sizeof(text)) || !app_parse_rate(text, &rate))
            rate = (AppRate){60, 1};
    }
    return rate;
}

uint64_t app_frame_ns(AppRate rate, uint64_t n)
{
    return n / rate.num * rate.den * 1000000000 + n % rate.num * rate.den * 1000000000 / rate.num;
}

uint64_t app_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t app_tai_ns(void)
{
    struct timespec tai, utc;

    clock_gettime(CLOCK_TAI, &tai);
    clock_gettime(CLOCK_REALTIME, &utc);
    if (tai.tv_sec - utc.tv_sec < 5)
        tai.tv_sec += 37;
    return (uint64_t)tai.tv_sec * 1000000000 + (uint64_t)tai.tv_nsec;
}

void app_sleep_until(uint64_t ns)
{
    struct timespec at = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

double app_cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

uint64_t app_checksum(const void *data, size_t size)
{
    const uint64_t prime = 0x100000001b3, basis = 0xcbf29ce484222325;
    const unsigned char *bytes = data;
    uint64_t lanes[4] = {basis, basis + 1, basis + 2, basis + 3}, words[4], sum = basis ^ size;

    for (; size >= sizeof(words); size -= sizeof(words), bytes += sizeof(words)) {
        memcpy(words, bytes, sizeof(words));
        for (int i = 0; i < 4; i++) {
            lanes[i] = (lanes[i] ^ words[i]) * prime;
            lanes[i] ^= lanes[i] >> 32; /* a product carries upwards only: bring the high bits down */
        }
    }
    for (; size > 0; size--)
        lanes[0] = (lanes[0] ^ *bytes++) * prime;
    for (int i = 0; i < 4; i++) {
        sum = (sum ^ lanes[i]) * prime;
        sum ^= sum >> 32;
    }
    return sum;
}

static atomic_bool stopped, released;
static pthread_t signal_thread;

static void *wait_for_signals(void *conn)
{
    sigset_t set;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    for (;;) {
        sigwait(&set, &number);
        if (released)
            return NULL;
        if (stopped)
            _Exit(128 + number); /* a second Ctrl-C: at once */
        stopped = true;
        mesh_cancel_connection(conn);
    }
}

void app_catch_signals(MeshConnection *conn)
{
    sigset_t set;
    int err;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    err = pthread_create(&signal_thread, NULL, wait_for_signals, conn);
    if (err)
        app_fail("signal thread: %s", strerror(err));
}

bool app_stopped(void)
{
    return stopped;
}

void app_release_signals(void)
{
    released = true;
    pthread_kill(signal_thread, SIGTERM);
    pthread_join(signal_thread, NULL);
}

void app_add_latency(AppLatencies *latencies, uint64_t ns)
{
    if (latencies->count == latencies->capacity) {
        latencies->capacity = latencies->capacity ? 2 * latencies->capacity : 1024;
        latencies->values = realloc(latencies->values, latencies->capacity * sizeof(uint64_t));
        if (!latencies->values)
            app_fail("out of memory for %zu latencies", latencies->capacity);
    }
    latencies->values[latencies->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

double app_percentile_us(AppLatencies *latencies, double share)
{
    if (!latencies->count)
        return 0;
    qsort(latencies->values, latencies->count, sizeof(uint64_t), compare);
    return (double)latencies->values[(size_t)(share * (double)(latencies->count - 1) + 0.5)] / 1e3;
}

AppProgress app_progress(const char *role)
{
    return (AppProgress){.role = role, .terminal = isatty(STDERR_FILENO), .shown_at = app_now_ns()};
}

static void show(AppProgress *progress, uint64_t now)
{
    const uint64_t passed = now - progress->shown_at;

    /* Before the first frame the library tells what is waited for. */
    if (!progress->terminal || !progress->frames || passed < 1000000000)
        return;
    fprintf(stderr, "\r%s: %" PRIu64 " frames, %.2f a second \033[K", progress->role, progress->frames,
            (double)(progress->frames - progress->shown_frames) * 1e9 / (double)passed);
    progress->shown_at = now;
    progress->shown_frames = progress->frames;
}

void app_progress_frame(AppProgress *progress)
{
    progress->frames++;
    show(progress, app_now_ns());
}

int app_get(MeshConnection *conn, MeshBuffer **buf, int timeout_ms, AppProgress *progress)
{
    enum { LOOK_MS = 200 };
    const uint64_t start = app_now_ns();

    for (;;) {
        const uint64_t now = app_now_ns();
        const int passed_ms = (int)((now - start) / 1000000);
        const int left_ms = timeout_ms < 0 || timeout_ms - passed_ms > LOOK_MS ? LOOK_MS : timeout_ms - passed_ms;
        const int err = mesh_get_buffer_timeout(conn, buf, left_ms > 0 ? left_ms : 0);

        if (err != -MESH_ERR_TIMEOUT || (timeout_ms >= 0 && passed_ms >= timeout_ms))
            return err;
        show(progress, app_now_ns());
    }
}

void app_progress_end(const AppProgress *progress)
{
    if (progress->terminal && progress->shown_frames)
        fputs("\r\033[K", stderr);
}

static double per_second(const AppResult *result)
{
    return result->frames > 1 && result->seconds > 0 ? (double)(result->frames - 1) / result->seconds : 0;
}

void app_print_result(const AppResult *result)
{
    fprintf(stderr, "%s: %" PRIu64 " frames, %" PRIu64 " bytes in %.3f s, %.2f a second, %" PRIu64 " missed, CPU %.3f s\n",
            result->role, result->frames, result->bytes, result->seconds, per_second(result), result->missed,
            result->cpu_seconds);
    if (result->latencies && !result->latencies->count)
        fprintf(stderr, "%s: no frame, so no latency\n", result->role);
    else if (result->latencies)
        fprintf(stderr, "%s: latency from put to get p50 %.1f us, p99 %.1f us, max %.1f us\n", result->role,
                app_percentile_us(result->latencies, 0.5), app_percentile_us(result->latencies, 0.99),
                app_percentile_us(result->latencies, 1));
}

void app_write_result(const AppResult *result, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        app_fail("%s: %s", path, strerror(errno));
    fprintf(file,
            "{\n  \"role\": \"%s\",\n  \"frames\": %" PRIu64 ",\n  \"bytes\": %" PRIu64 ",\n  \"missed\": %" PRIu64
            ",\n  \"waits\": %" PRIu64 ",\n  \"seconds\": %.6f,\n  \"fps\": %.3f,\n  \"cpuSeconds\": %.6f",
            result->role, result->frames, result->bytes, result->missed, result->waits, result->seconds,
            per_second(result), result->cpu_seconds);
    if (result->latencies)
        fprintf(file, ",\n  \"latencyMicroseconds\": { \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f }",
                app_percentile_us(result->latencies, 0.5), app_percentile_us(result->latencies, 0.99),
                app_percentile_us(result->latencies, 1));
    if (result->highest)
        fprintf(file, ",\n  \"payloadAddresses\": [%" PRIuPTR ", %" PRIuPTR "]", result->lowest, result->highest);
    fputs("\n}\n", file);
    if (ferror(file) | fclose(file))
        app_fail("%s: cannot write", path);
}
