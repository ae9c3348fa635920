/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the process, and the functions that lead to it: what is not supported. */
#include "adapters/gomp/gomp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void filch__omp_die(const char *function, const char *why)
{
    fprintf(stderr, "filch: libgomp.so.1: %s: %s\n", function, why);
    abort();
}

void *filch__omp_alloc(size_t align, size_t size)
{
    void *p = NULL;
    if (posix_memalign(&p, align < sizeof p ? sizeof p : align, size))
        filch__omp_die("no memory", "the program cannot go on without it");
    return memset(p, 0, size);
}

/* length: SIZE_MAX: up to its zero. */
void GOMP_warning(const char *message, size_t length)
{
    int shown = !message ? 0 : length == SIZE_MAX ? (int)strlen(message) : (int)length;
    fprintf(stderr, "filch: libgomp.so.1: `error` directive: %.*s\n", shown,
            message ? message : "");
}

_Noreturn void GOMP_error(const char *message, size_t length)
{
    GOMP_warning(message, length);
    exit(EXIT_FAILURE);
}
