/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end, for states that cannot be reported: a promise on which memory safety rests is broken.
 */
#ifndef FILCH_SCHED_OS_DIE_H
#define FILCH_SCHED_OS_DIE_H

/* Writes "filch: <what>" as one line to standard error and aborts. Any thread; allocates nothing.
 */
_Noreturn void filch__die(const char *what);

#endif
