/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of this process, as the system lists them. */
#ifndef FILCH_TESTS_THREADS_H
#define FILCH_TESTS_THREADS_H

#include "tests/check.h"

#include <dirent.h>
#include <string.h>

/* Threads of this process with that name. The list may lack some while others end, and have those
 * that were just joined. */
static inline int threads_named(const char *name)
{
    DIR *dir = opendir("/proc/self/task");
    REQUIRE(dir);
    int n = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        char path[300], line[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", d->d_name);
        FILE *f = fopen(path, "re");
        if (!f)
            continue;
        if (fgets(line, sizeof line, f))
            n += strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == '\n';
        fclose(f);
    }
    closedir(dir);
    return n;
}

#endif
