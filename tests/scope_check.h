/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of scopes share. */
#ifndef FILCH_TESTS_SCOPE_CHECK_H
#define FILCH_TESTS_SCOPE_CHECK_H

#include "tests/support.h"

static inline int return_number(void *n)
{
    return (int)(intptr_t)n;
}

/* fn(rt) in a task of runtimes of each size; nothing is left. */
static inline void on_each(filch_fn *fn)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        CHECK(filch_run(rt, fn, rt) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

static inline filch_report report_of(filch_scope *s)
{
    filch_report r;
    REQUIRE(filch_scope_report(s, &r) == 0);
    return r;
}

#endif
