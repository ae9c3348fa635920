/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no caller can be told: a line on standard error, and the end, for states in which a promise is
 * broken on which memory safety rests. Any thread; nothing is allocated.
 */
#ifndef FILCH_SCHED_OS_DIE_H
#define FILCH_SCHED_OS_DIE_H

/* Writes "filch: <what>" as one line to standard error, with the name of what it is about, unless
 * that is NULL or "". */
void filch__say(const char *what, const char *name);

/* The same, and aborts. */
_Noreturn void filch__die(const char *what);
_Noreturn void filch__die_named(const char *what, const char *name);

#endif
