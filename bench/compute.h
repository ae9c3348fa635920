/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_COMPUTE_H
#define BENCH_COMPUTE_H

/* A compute library on filch and on its own pool ("stock"). One program of each library does the
 * same work on both, started as the others are: PROGRAM BENCH THREADS WORKERS, or --version.
 * WORKERS is how many CPUs the harness has left to the process; THREADS is what the library is asked
 * for, by its own functions or, where it has libgomp, by OMP_NUM_THREADS.
 *
 * BENCH_ADAPTER=filch in the environment says that filch is measured. Where that is a drop-in
 * library, LD_LIBRARY_PATH begins with its folder, and it is checked that the program has it.
 *
 * The value is the median of single calls, in milliseconds. A benchmark named with "-neighbour" at
 * its end has a process beside it that keeps one CPU busy. */

#include <stdbool.h>

/* All functions are called by the main thread. */
struct compute_work {
    const char *bench;
    const char *dropin; /* soname of what filch replaces; NULL: the program chooses itself */
    const char *(*version)(void); /* the library's, in a line */
    /* Inputs, plans and a pool, and the result that is right, computed serially; not timed.
     * Nonzero: failed. */
    int (*start)(int threads, bool filch);
    void (*call)(void);
    void (*clear)(void); /* forgets the result of the last call; NULL: nothing to do */
    bool (*right)(void); /* is the result of the last call */
    void (*stop)(void);
};

/* The exit status of the program. */
int compute_main(int argc, char **argv, const struct compute_work *work);

#endif
