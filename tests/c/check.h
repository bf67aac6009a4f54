/* A few lines of test framework: checks that name the place, tests that are counted. */
#ifndef CHECK_H
#define CHECK_H

#include <mesh_dp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tests_passed, tests_failed;
static bool test_ok;

/* Notes a failure and goes on: later checks may tell more. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("  %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                        \
            test_ok = false;                                                                                           \
        }                                                                                                              \
    } while (0)

/* The call must return exactly this. */
#define RETURNS(expected, call)                                                                                        \
    do {                                                                                                               \
        const int wanted_ = (expected), got_ = (call);                                                                 \
        if (got_ != wanted_) {                                                                                         \
            printf("  %s:%d: %s returned %d (%s), expected %d\n", __FILE__, __LINE__, #call, got_,                     \
                   got_ ? mesh_get_last_error() : "success", wanted_);                                                 \
            test_ok = false;                                                                                           \
        }                                                                                                              \
    } while (0)

/* As RETURNS(0, call), but the rest of the test makes no sense without it. */
#define REQUIRE(call)                                                                                                  \
    do {                                                                                                               \
        const int got_ = (call);                                                                                       \
        if (got_) {                                                                                                    \
            printf("  %s:%d: %s returned %d (%s)\n", __FILE__, __LINE__, #call, got_, mesh_get_last_error());          \
            test_ok = false;                                                                                           \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

#define RUN(test)                                                                                                      \
    do {                                                                                                               \
        test_ok = true;                                                                                                \
        test();                                                                                                        \
        printf("%s %s\n", test_ok ? "ok    " : "FAILED", #test);                                                       \
        fflush(stdout);                                                                                                \
        *(test_ok ? &tests_passed : &tests_failed) += 1;                                                               \
    } while (0)

static int report(void)
{
    printf("%d passed, %d failed\n", tests_passed, tests_failed);
    return tests_failed > 0;
}

#endif
