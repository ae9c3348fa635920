/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the drop-in libgomp.so.1 share: where they call from, and which one is loaded. */
#ifndef FILCH_TESTS_GOMP_CHECK_H
#define FILCH_TESTS_GOMP_CHECK_H

#include "tests/adapter_check.h"

#include <omp.h>

static const int team_sizes[] = {1, 2, 4, 8};

/* work(threads), which asks for so many in its regions: from the main thread, from two others at
 * once, and from two tasks at once of runtimes of each size. */
static void (*gomp__work)(int threads);
static int gomp__threads;

static inline void gomp__call(void)
{
    gomp__work(gomp__threads);
}

static inline int gomp__task(void *arg)
{
    (void)arg;
    gomp__call();
    return 0;
}

static inline int gomp__tasks(void *arg)
{
    filch_handle *other;
    REQUIRE(filch_spawn(&other, gomp__task, arg) == 0);
    gomp__call();
    return join(other);
}

static inline void everywhere(void (*work)(int threads))
{
    gomp__work = work;
    for (size_t i = 0; i < COUNT(team_sizes); i++) {
        gomp__threads = team_sizes[i];
        gomp__call();
        on_two_threads(gomp__call);
        in_task_of_each(gomp__tasks);
    }
}

/* The process's map has just one library of that name, which is in that folder. */
static inline void only_library(const char *name, const char *folder)
{
    char line[4096], wanted[4096];
    FILE *maps = fopen("/proc/self/maps", "re");
    REQUIRE(maps);
    char *real = realpath(folder, NULL);
    snprintf(wanted, sizeof wanted, "%s/", real ? real : folder);
    free(real);
    int ours = 0, others = 0;
    while (fgets(line, sizeof line, maps))
        if (strstr(line, name))
            *(strstr(line, wanted) ? &ours : &others) += 1;
    fclose(maps);
    CHECK(ours > 0 && others == 0);
}

#endif
