/* The command lines of sender_app and recver_app. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "app.h"

typedef enum { SENDER = 1, RECEIVER = 2 } AppRole;

typedef struct {
    char *client_config;   /* JSON text; free */
    char *conn_config;     /* JSON text; free */
    const char *file;      /* raw video in or out; NULL if not asked for */
    const char *stats;     /* file for the result as JSON; NULL if not asked for */
    const char *snapshot;  /* receiver: file for the last of the frames; NULL if not asked for */
    uint64_t number;       /* frames, UINT64_MAX if not limited */
    uint64_t loop;         /* how often the file is played, UINT64_MAX for ever */
    int timeout_ms;        /* how long to wait for a frame, or for a buffer to fill */
    int pause_ms;          /* receiver: between a get and what is done with the frame */
    bool fast, checksum, latency, age;
} AppOptions;

/* Reads the command line. Ends the program on -h and on mistakes. */
AppOptions app_options(AppRole role, int argc, char **argv);

void app_free_options(AppOptions *options);

#endif
