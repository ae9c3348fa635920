/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/compute.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_CALLS = 2, CALLS_MIN = 5, CALLS_MAX = 4096 };

static const int64_t budget_ns = 400 * 1000000LL;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fail(const char *bench, const char *what)
{
    fprintf(stderr, "%s: %s\n", bench, what);
    exit(1);
}

/* ---- whose library is loaded ---- */

struct search {
    const char *soname;
    char path[4096]; /* empty: not found */
};

static int look_at_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct search *search = arg;
    const char *slash = strrchr(info->dlpi_name, '/');
    (void)size;
    if (slash == NULL || strcmp(slash + 1, search->soname) != 0)
        return 0;
    snprintf(search->path, sizeof(search->path), "%s", info->dlpi_name);
    return 1;
}

static bool in_first_folder(const char *path, const char *folders)
{
    size_t length = folders ? strcspn(folders, ":") : 0;
    return length > 0 && strncmp(path, folders, length) == 0 && path[length] == '/';
}

static void check_library(const struct compute_work *work, bool filch)
{
    struct search search = {.soname = work->dropin};
    if (work->dropin == NULL)
        return;
    dl_iterate_phdr(look_at_library, &search);
    if (search.path[0] == '\0')
        fail(work->dropin, "not loaded");
    if (filch && !in_first_folder(search.path, getenv("LD_LIBRARY_PATH")))
        fail(search.path, "loaded in place of filch's");
    if (!filch && dlsym(RTLD_DEFAULT, "filch_run") != NULL)
        fail(search.path, "loaded with filch");
}

/* ---- the neighbour ---- */

struct neighbour {
    pid_t process;
    int signal; /* it begins when a byte comes */
};

/* Before the library has threads. Ends with this process. */
static struct neighbour neighbour_fork(const char *bench)
{
    int ends[2];
    if (pipe(ends) != 0)
        fail(bench, "no pipe");
    pid_t process = fork();
    if (process < 0)
        fail(bench, "no neighbour");
    if (process > 0) {
        close(ends[0]);
        return (struct neighbour){process, ends[1]};
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[1]);
    char byte;
    if (read(ends[0], &byte, 1) != 1)
        _exit(0);
    for (volatile uint64_t n = 0;; n++)
        ;
}

static void neighbour_begin(const struct neighbour *neighbour, const char *bench)
{
    if (write(neighbour->signal, "", 1) != 1)
        fail(bench, "the neighbour does not listen");
}

static void neighbour_end(const struct neighbour *neighbour)
{
    kill(neighbour->process, SIGKILL);
    waitpid(neighbour->process, NULL, 0);
    close(neighbour->signal);
}

/* ---- measuring ---- */

static bool call_checked(const struct compute_work *work)
{
    if (work->clear != NULL)
        work->clear();
    work->call();
    return work->right();
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Nanoseconds. */
static double median_call(const struct compute_work *work)
{
    static int64_t spent[CALLS_MAX];
    int64_t end = now() + budget_ns;
    int n = 0;
    while (n < CALLS_MAX && (n < CALLS_MIN || now() < end)) {
        int64_t start = now();
        work->call();
        spent[n++] = now() - start;
    }
    qsort(spent, (size_t)n, sizeof(*spent), by_value);
    return (double)(spent[(n - 1) / 2] + spent[n / 2]) / 2;
}

static int run(const struct compute_work *work, const char *bench, int threads)
{
    const char *adapter = getenv("BENCH_ADAPTER");
    bool filch = adapter != NULL && strcmp(adapter, "filch") == 0;
    bool neighbour = strcmp(bench, work->bench) != 0;
    struct neighbour beside = {0};
    check_library(work, filch);
    if (neighbour)
        beside = neighbour_fork(bench);
    if (work->start(threads, filch) != 0)
        fail(bench, "cannot be set up");
    if (neighbour)
        neighbour_begin(&beside, bench);
    bool right = true;
    for (int i = 0; i < WARM_CALLS; i++)
        right &= call_checked(work);
    double ns = median_call(work);
    right &= work->right();
    right &= call_checked(work);
    if (neighbour)
        neighbour_end(&beside);
    work->stop();
    printf("{\"value\":%.9g,\"check\":\"%s\"}\n", ns * 1e-6, right ? "right" : "wrong");
    return 0;
}

static bool is_named(const struct compute_work *work, const char *bench)
{
    size_t length = strlen(work->bench);
    return strncmp(bench, work->bench, length) == 0 &&
           (bench[length] == '\0' || strcmp(bench + length, "-neighbour") == 0);
}

int compute_main(int argc, char **argv, const struct compute_work *work)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts(work->version());
        return 0;
    }
    if (argc != 4) {
        fprintf(stderr, "usage: %s BENCH THREADS WORKERS\n", argv[0]);
        return 2;
    }
    if (!is_named(work, argv[1])) {
        fprintf(stderr, "%s: no benchmark %s\n", argv[0], argv[1]);
        return 2;
    }
    long threads = strtol(argv[2], NULL, 10);
    if (threads < 1 || threads > 1024) {
        fprintf(stderr, "%s: THREADS is 1 to 1024\n", argv[0]);
        return 2;
    }
    return run(work, argv[1], (int)threads);
}
