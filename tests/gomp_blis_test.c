/* SPDX-License-Identifier: Apache-2.0 */
/* The system's BLIS, built with OpenMP, on the drop-in libgomp.so.1. It aborts when it gets fewer threads
 * than it asked for. */
#define _GNU_SOURCE 1
#include "tests/gomp_library.h"

static void (*set_threads)(long n);

static void the_dropin_is_loaded(void)
{
    CHECK(dropin_is_loaded());
}

static const int threads[] = {1, 2, 4, 8};

static void products_from_the_main_thread(void)
{
    for (size_t i = 0; i < COUNT(threads); i++) {
        set_threads(threads[i]);
        multiply_some();
    }
}

static void products_from_two_threads(void)
{
    set_threads(2);
    on_two_threads(multiply_some);
    set_threads(4);
    on_two_threads(multiply_some);
}

static void products_from_tasks(void)
{
    set_threads(2);
    in_task_of_each(multiply_tasks);
}

static void products_nested_in_loops(void)
{
    set_threads(2);
    nested_on(2);
    nested_on(8);
}

static void in_cancelled_tasks(void)
{
    set_threads(3);
    in_cancelled_task_of_each(multiply_some);
}

int main(int argc, char **argv)
{
    (void)argc;
    start_with_dropin(argv);
    void *library = dlopen(FILCH_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(library);
    dgemm = (dgemm_fn *)symbol(library, "cblas_dgemm");
    set_threads = (void (*)(long))symbol(library, "bli_thread_set_num_threads");
    RUN(the_dropin_is_loaded);
    RUN(products_from_the_main_thread);
    RUN(products_from_two_threads);
    RUN(products_from_tasks);
    RUN(products_nested_in_loops);
    RUN(in_cancelled_tasks);
    return summary();
}
