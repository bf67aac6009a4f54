#include "options.h"

#include <getopt.h>

enum { OPT_LOOP = 256, OPT_FAST, OPT_CHECKSUM, OPT_LATENCY, OPT_AGE, OPT_STATS, OPT_SNAPSHOT, OPT_PAUSE, OPT_URN, OPT_PROTOCOL, OPT_VERSION, OPT_LATER };

static const struct {
    AppRole roles; /* who understands it; 0 for both */
    struct option option;
    const char *argument, *help; /* help is NULL for what is accepted only to say that it cannot work */
} table[] = {
    {0, {"json", 1, NULL, 'j'}, "FILE", "connection configuration, JSON (default: video of the size of --width and --height)"},
    {0, {"client", 1, NULL, 'c'}, "FILE", "client configuration, JSON (default: {})"},
    {SENDER, {"input", 1, NULL, 'i'}, "FILE", "raw frames to send (default: a generated pattern)"},
    {RECEIVER, {"output", 1, NULL, 'o'}, "FILE", "write the raw frames there"},
    {SENDER, {"file", 1, NULL, 'f'}, "FILE", "the same as --input"},
    {RECEIVER, {"file", 1, NULL, 'f'}, "FILE", "the same as --output"},
    {0, {"number", 1, NULL, 'n'}, "N", "end after N frames"},
    {SENDER, {"loop", 1, NULL, OPT_LOOP}, "N", "play the file N times, 0 for ever (default: 1)"},
    {SENDER, {NULL, 0, NULL, 'l'}, NULL, "play the file for ever"},
    {SENDER, {"fast", 0, NULL, OPT_FAST}, NULL, "do not wait for the frame rate's clock"},
    {RECEIVER, {"timeout", 1, NULL, 't'}, "MS", "end when no frame comes for so many milliseconds; with status 1 if none came at all"},
    {SENDER, {"timeout", 1, NULL, 'T'}, "MS", "fail when no buffer gets free for so many milliseconds, as where receivers are waited for"},
    {0, {"checksum", 0, NULL, OPT_CHECKSUM}, NULL, "print number and checksum of each frame"},
    {RECEIVER, {"latency", 0, NULL, OPT_LATENCY}, NULL, "measure from the source's put to our get"},
    {RECEIVER, {"age", 0, NULL, OPT_AGE}, NULL, "measure from the frame's TAI time to our get, also between hosts with one time"},
    {RECEIVER, {"pause", 1, NULL, OPT_PAUSE}, "MS", "rest after each get, so that others get their frame before we compute"},
    {0, {"stats-json", 1, NULL, OPT_STATS}, "FILE", "write the result there, as JSON"},
    {RECEIVER, {"snapshot", 1, NULL, OPT_SNAPSHOT}, "FILE", "write the last of the --number frames there, raw"},
    {0, {"urn", 1, NULL, OPT_URN}, "URN", "multipoint group, without --json (default: 192.168.97.1)"},
    {0, {"width", 1, NULL, 'w'}, "N", "width of the video, without --json (default: 1920)"},
    {0, {"height", 1, NULL, 'H'}, "N", "height of the video, without --json (default: 1080)"},
    {0, {"fps", 1, NULL, 'F'}, "RATE", "frame rate, without --json (default: 60)"},
    {0, {"pix_fmt", 1, NULL, 'p'}, "FORMAT", "pixel format, without --json (default: yuv422p10le)"},
    {0, {"help", 0, NULL, 'h'}, NULL, "show this"},
    {0, {"version", 0, NULL, OPT_VERSION}, NULL, "show the versions of library and API"},
    {0, {"protocol", 1, NULL, OPT_PROTOCOL}, NULL, NULL},
    {0, {"ip", 1, NULL, OPT_LATER}, NULL, NULL},
    {0, {"port", 1, NULL, OPT_LATER}, NULL, NULL},
    {0, {"socketpath", 1, NULL, OPT_LATER}, NULL, NULL},
    {0, {"master", 1, NULL, OPT_LATER}, NULL, NULL},
    {0, {"interfaceid", 1, NULL, OPT_LATER}, NULL, NULL},
};

enum { ROWS = sizeof(table) / sizeof(table[0]) };

static void print_help(AppRole role, const char *program)
{
    printf("usage: %s [OPTION]...\n\n%s\n\n", program,
           role == SENDER ? "Sends raw frames to a multipoint group." : "Receives raw frames of a multipoint group.");
    for (int i = 0; i < ROWS; i++) {
        const struct option *option = &table[i].option;
        char text[64], letter[4] = "  ";

        if (!table[i].help || (table[i].roles && table[i].roles != role))
            continue;
        if (option->val < 128)
            snprintf(letter, sizeof(letter), "-%c", option->val);
        snprintf(text, sizeof(text), "%s%s%s%s%s", letter, !option->name ? "" : option->val < 128 ? ", --" : "  --",
                 option->name ? option->name : "", table[i].argument ? " " : "",
                 table[i].argument ? table[i].argument : "");
        printf("  %-24s  %s\n", text, table[i].help);
    }
    puts("\nStatus: 0, 1 if it failed or did not get what it was to get, 2 for a mistake on the command line.");
}

/* The configuration of a video group as the options of 24.09 describe it. */
static char *video_config(const char *urn, long width, long height, AppRate fps, const char *pixel_format)
{
    size_t size = strlen(urn) + strlen(pixel_format) + 256;
    char *text = malloc(size);

    if (!text)
        app_fail("out of memory");
    if (strpbrk(urn, "\"\\") || strpbrk(pixel_format, "\"\\"))
        app_misuse("--urn and --pix_fmt must be without quotation marks and backslashes");
    snprintf(text, size,
             "{ \"connection\": { \"multipointGroup\": { \"urn\": \"%s\" } }, \"payload\": { \"video\": { \"width\": %ld,"
             " \"height\": %ld, \"fps\": %.9g, \"pixelFormat\": \"%s\" } } }",
             urn, width, height, (double)fps.num / (double)fps.den, pixel_format);
    return text;
}

AppOptions app_options(AppRole role, int argc, char **argv)
{
    AppOptions result = {.number = UINT64_MAX, .loop = 1, .timeout_ms = MESH_TIMEOUT_INFINITE};
    const char *json = NULL, *client = NULL, *described_by = NULL, *urn = "192.168.97.1", *pixel_format = "yuv422p10le";
    long width = 1920, height = 1080;
    AppRate fps = {60, 1};
    struct option options[ROWS + 1] = {0};
    char letters[3 * ROWS] = "";
    int count = 0, value, index;

    for (int i = 0; i < ROWS; i++) {
        const struct option *option = &table[i].option;

        if (table[i].roles && table[i].roles != role)
            continue;
        if (option->name)
            options[count++] = *option;
        if (option->val < 128) {
            const char letter[3] = {(char)option->val, option->has_arg ? ':' : 0, 0};

            strcat(letters, letter);
        }
    }
    while (index = -1, (value = getopt_long(argc, argv, letters, options, &index)) != -1) {
        switch (value) {
        case 'j': json = optarg; break;
        case 'c': client = optarg; break;
        case 'i': case 'o': case 'f': result.file = optarg; break;
        case 'n': result.number = (uint64_t)app_number("--number", optarg, 1, INT64_MAX); break;
        case 't': case 'T': result.timeout_ms = (int)app_number("--timeout", optarg, 0, INT32_MAX); break;
        case 'l': result.loop = UINT64_MAX; break;
        case OPT_LOOP:
            result.loop = (uint64_t)app_number("--loop", optarg, 0, INT32_MAX);
            if (result.loop == 0)
                result.loop = UINT64_MAX;
            break;
        case OPT_FAST: result.fast = true; break;
        case OPT_CHECKSUM: result.checksum = true; break;
        case OPT_LATENCY: result.latency = true; break;
        case OPT_AGE: result.age = true; break;
        case OPT_STATS: result.stats = optarg; break;
        case OPT_PAUSE: result.pause_ms = (int)app_number("--pause", optarg, 0, 10000); break;
        case OPT_SNAPSHOT: result.snapshot = optarg; break;
        case OPT_URN: urn = optarg; described_by = "--urn"; break;
        case 'w': width = app_number("--width", optarg, 1, 65536); described_by = "--width"; break;
        case 'H': height = app_number("--height", optarg, 1, 65536); described_by = "--height"; break;
        case 'F':
            if (!app_parse_rate(optarg, &fps))
                app_misuse("--fps: \"%s\" is no rate such as 60, 59.94 or 60000/1001", optarg);
            described_by = "--fps";
            break;
        case 'p': pixel_format = optarg; described_by = "--pix_fmt"; break;
        case OPT_PROTOCOL:
            if (strcmp(optarg, "auto"))
                app_misuse("--protocol: \"%s\" is not supported by this version; \"auto\" is", optarg);
            break;
        case OPT_LATER:
            app_misuse("--%s: direct memif, UDP and ST 2110 connections are not supported by this version; programs of one"
                     " host meet in a multipoint group: use --json FILE or --urn URN",
                     options[index].name);
        case OPT_VERSION:
            printf("%s %s, API %s\n", role == SENDER ? "sender_app" : "recver_app", mesh_get_library_version(),
                   mesh_get_api_version());
            exit(EXIT_SUCCESS);
        case 'h':
            /* In release 24.09, and scripts that call it, this is the height. */
            if (optind < argc && argv[optind][0] >= '0' && argv[optind][0] <= '9') {
                height = app_number("-h (height)", argv[optind++], 1, 65536);
                described_by = "-h";
                break;
            }
            print_help(role, argv[0]);
            exit(EXIT_SUCCESS);
        default: /* getopt_long has said what was wrong */
            app_misuse("Direct connections and some letters of release 24.09 (-s, -p PORT, -o, -t TYPE, -b, ...) are not supported by this"
                       " version. Try '%s --help'.",
                       argv[0]);
        }
    }
    if (optind < argc)
        app_misuse("\"%s\" is no option. Try '%s --help'.", argv[optind], argv[0]);
    if (json && described_by)
        app_misuse("%s: the configuration file says that already", described_by);
    if (result.snapshot && result.number == UINT64_MAX)
        app_misuse("--snapshot needs --number");
    result.client_config = client ? app_read_text(client) : strdup("{}");
    result.conn_config = json ? app_read_text(json) : video_config(urn, width, height, fps, pixel_format);
    return result;
}

void app_free_options(AppOptions *options)
{
    free(options->client_config);
    free(options->conn_config);
}
