/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of a plain test program: cases, checks, sizes and seeds.
 *
 * Each case runs under the watchdog. Sizes are small with FILCH_TEST_SIZE=quick, large with
 * FILCH_TEST_SIZE=full. Random cases take their numbers from test_seed(), which prints the seed
 * and takes it from FILCH_TEST_SEED where that is set. The last line is `N passed, N failed`.
 */
#ifndef FILCH_TESTS_CHECK_H
#define FILCH_TESTS_CHECK_H

#include "tests/watchdog.h"

#include <filch/atomic.h>
#include <string.h>
#include <unistd.h>

#if defined(__has_feature)
#define FILCH_TEST_HAS(feature) __has_feature(feature)
#else
#define FILCH_TEST_HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || FILCH_TEST_HAS(address_sanitizer)
enum { WITH_ASAN = 1 };
#else
enum { WITH_ASAN = 0 };
#endif
#if defined(__SANITIZE_THREAD__) || FILCH_TEST_HAS(thread_sanitizer)
enum { WITH_TSAN = 1 };
#else
enum { WITH_TSAN = 0 };
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* Code runs many times slower than what is installed, and memory is not what it seems: under a
 * sanitizer, valgrind or, as FILCH_TEST_EMULATED says, an emulator. */
static inline bool instrumented(void)
{
    return WITH_ASAN || WITH_TSAN || RUNNING_ON_VALGRIND || getenv("FILCH_TEST_EMULATED");
}

static int cases_passed, cases_failed;
static uint32_t case_bad; /* a check of the running case failed; on any thread */

/* On any thread. The case goes on, and has failed. */
#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            filch__store_relaxed(&case_bad, 1u);                            \
        }                                                                   \
    } while (0)

/* The same, where nothing sensible can follow. */
#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* FILCH_TEST_CASE is part of the names of the cases to run, FILCH_TEST_SKIP a list of names, each
 * ended by a '|', not to run. */
static inline bool case_wanted(const char *name)
{
    const char *wanted = getenv("FILCH_TEST_CASE"), *skip = getenv("FILCH_TEST_SKIP");
    size_t length = strlen(name);
    for (const char *end; skip && (end = strchr(skip, '|')); skip = end + 1)
        if ((size_t)(end - skip) == length && strncmp(skip, name, length) == 0)
            return false;
    return !wanted || strstr(name, wanted);
}

/* Runs a case, which may take so many seconds. */
static inline void run_case_within(int seconds, const char *name, void (*fn)(void))
{
    if (!case_wanted(name))
        return;
    watchdog_begin(name, seconds);
    filch__store_relaxed(&case_bad, 0u);
    int64_t start = watchdog_now();
    fn();
    bool good = !filch__load_relaxed(&case_bad);
    printf("%s %s (%.2f s)\n", good ? "ok    " : "FAILED", name,
           (double)(watchdog_now() - start) / 1e9);
    fflush(stdout);
    cases_passed += good;
    cases_failed += !good;
}

static inline void run_case(const char *name, void (*fn)(void))
{
    run_case_within(60, name, fn);
}

/* The last line of the program, and its exit status. */
static inline int summary(void)
{
    watchdog_begin("the end", 60);
    printf("%d passed, %d failed\n", cases_passed, cases_failed);
    return cases_failed != 0;
}

static inline bool test_size_is(const char *size)
{
    const char *wanted = getenv("FILCH_TEST_SIZE");
    return wanted && strcmp(wanted, size) == 0;
}

/* The size for this run: FILCH_TEST_SIZE decides, and instrumented code gets `quick` at most. */
static inline long sized(long quick, long usual, long full)
{
    if (test_size_is("quick") || instrumented())
        return quick;
    return test_size_is("full") ? full : usual;
}

/* One seed for the whole program. */
static inline uint64_t test_seed(void)
{
    static uint64_t seed;
    if (seed)
        return seed;
    const char *wanted = getenv("FILCH_TEST_SEED");
    seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)watchdog_now() * 2 + 1;
    seed += seed == 0;
    printf("seed: FILCH_TEST_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

/* A number below n > 0, from a state that starts at the seed (SplitMix64). */
static inline uint32_t test_random(uint64_t *state, uint32_t n)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32) % n;
}

#endif
