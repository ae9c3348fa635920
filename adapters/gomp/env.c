/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment: OMP_NUM_THREADS, OMP_DYNAMIC, OMP_SCHEDULE, OMP_NESTED, OMP_MAX_ACTIVE_LEVELS,
 * OMP_THREAD_LIMIT, OMP_DISPLAY_ENV. What is malformed counts as absent, and is named on standard
 * error. OMP_WAIT_POLICY has no meaning here, nor have places: filch never touches an affinity.
 */
#include "adapters/gomp/gomp.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct filch__omp_environment filch__omp_environment = {
    .icv = {.max_levels = 1, .schedule = FILCH__OMP_DYNAMIC, .dynamic = true, .teams = 1},
    .thread_limit = INT_MAX,
};

static void complain(const char *name, const char *value)
{
    fprintf(stderr, "filch: libgomp.so.1: %s=%s is not understood\n", name, value);
}

static const char *skip_blanks(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    return s;
}

/* A number from least on, and what follows it; NULL: there is none. */
static const char *read_number(const char *s, long least, int *out)
{
    char *end;
    errno = 0;
    long n = strtol(s, &end, 10);
    if (end == s || errno || n < least || n > INT_MAX)
        return NULL;
    *out = (int)n;
    return skip_blanks(end);
}

static void read_int(const char *name, int least, int *out)
{
    const char *value = getenv(name), *end;
    int n;
    if (!value)
        return;
    end = read_number(value, least, &n);
    if (end && !*end)
        *out = n;
    else
        complain(name, value);
}

static bool read_bool(const char *name, bool *out)
{
    const char *value = getenv(name);
    if (!value)
        return false;
    bool on = strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (!on && strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0) {
        complain(name, value);
        return false;
    }
    *out = on;
    return true;
}

/* A list: one for each level of regions. */
static void read_threads(void)
{
    struct filch__omp_environment *env = &filch__omp_environment;
    const char *value = getenv("OMP_NUM_THREADS"), *s = value;
    int n[sizeof env->threads / sizeof *env->threads] = {0};
    for (size_t i = 0; s && i < sizeof n / sizeof *n; i++) {
        s = read_number(s, 1, &n[i]);
        if (!s || (*s && *s != ',')) {
            complain("OMP_NUM_THREADS", value);
            return;
        }
        if (!*s)
            break;
        s++;
    }
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        env->threads[i] = n[i];
    env->icv.threads = n[0];
}

static void read_schedule(void)
{
    static const char *const names[] = {
        [FILCH__OMP_STATIC] = "static",
        [FILCH__OMP_DYNAMIC] = "dynamic",
        [FILCH__OMP_GUIDED] = "guided",
        [FILCH__OMP_AUTO] = "auto",
    };
    struct filch__omp_icv *icv = &filch__omp_environment.icv;
    const char *value = getenv("OMP_SCHEDULE"), *s = value;
    if (!s)
        return;
    if (strncasecmp(s, "monotonic:", 10) == 0)
        s += 10;
    else if (strncasecmp(s, "nonmonotonic:", 13) == 0)
        s += 13;
    for (int kind = FILCH__OMP_STATIC; kind <= FILCH__OMP_AUTO; kind++) {
        size_t length = strlen(names[kind]);
        const char *rest = s + length;
        int chunk = 0;
        if (strncasecmp(s, names[kind], length) != 0)
            continue;
        rest = skip_blanks(rest);
        if (*rest == ',')
            rest = read_number(rest + 1, 1, &chunk);
        if (!rest || *rest)
            break;
        icv->schedule = kind;
        icv->chunk = chunk;
        return;
    }
    complain("OMP_SCHEDULE", value);
}

__attribute__((constructor)) static void read_environment(void)
{
    struct filch__omp_icv *icv = &filch__omp_environment.icv;
    bool on;
    read_threads();
    read_schedule();
    read_int("OMP_THREAD_LIMIT", 1, &filch__omp_environment.thread_limit);
    (void)read_bool("OMP_DYNAMIC", &icv->dynamic);
    if (read_bool("OMP_NESTED", &on))
        icv->max_levels = on ? INT_MAX : 1;
    read_int("OMP_MAX_ACTIVE_LEVELS", 0, &icv->max_levels);
    if (read_bool("OMP_DISPLAY_ENV", &on) && on)
        omp_display_env(0);
}

void omp_display_env(int verbose)
{
    const struct filch__omp_icv *icv = &filch__omp_environment.icv;
    (void)verbose;
    fprintf(stderr,
            "OPENMP DISPLAY ENVIRONMENT BEGIN\n"
            "  _OPENMP = '201511'\n"
            "  OMP_NUM_THREADS = '%d'\n"
            "  OMP_DYNAMIC = '%s'\n"
            "  OMP_MAX_ACTIVE_LEVELS = '%d'\n"
            "  OMP_THREAD_LIMIT = '%d'\n"
            "OPENMP DISPLAY ENVIRONMENT END\n",
            icv->threads, icv->dynamic ? "TRUE" : "FALSE", icv->max_levels,
            filch__omp_environment.thread_limit);
}
