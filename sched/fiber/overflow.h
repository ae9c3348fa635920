/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnosis of a stack overflow, with the name of the task.
 *
 * A fault in a guard comes as SIGSEGV or SIGBUS on a stack that has no room left. So each worker
 * has an alternate signal stack, and the process one handler, put before whatever handled these
 * signals: it says in one line which task overflowed and gives way, so that the fault strikes again
 * and ends as it would have (a core dump, a debugger). Faults elsewhere go to the previous handler.
 */
#ifndef FILCH_SCHED_FIBER_OVERFLOW_H
#define FILCH_SCHED_FIBER_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Runs in the signal handler, on the thread that faulted. True: addr is in the guard of the fiber
 * that runs on this thread, and name holds its task's name, terminated, in at most cap bytes.
 */
typedef bool filch__overflow_describe(const void *addr, char *name, size_t cap);

/* Any thread. The process's one; NULL: none. */
void filch__overflow_set_describe(filch__overflow_describe *fn);

/*
 * A worker's thread, before it runs its first fiber. Gives it an alternate signal stack unless it
 * has one; the first call of the process puts the handler there, for good. A second call on the
 * same thread does nothing. -ENOMEM: no memory for the stack.
 */
int filch__overflow_attach(void);

/* The same thread, on its own stack. Takes away what attach gave to it. */
void filch__overflow_detach(void);

#endif
