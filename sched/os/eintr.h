/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending a system call of another thread with EINTR: by a signal whose handler does nothing.
 *
 * The signal is SIGURG, which is ignored by default, so one that goes astray is harmless. A thread
 * of filch has it blocked (thread.h), but for the time in which it allows it; one that was sent
 * before and comes late is taken in by the next allow, which interrupts nothing.
 */
#ifndef FILCH_SCHED_OS_EINTR_H
#define FILCH_SCHED_OS_EINTR_H

#include <pthread.h>

/*
 * On a thread of filch; keep errno. The first allow of the process installs the handler, where the
 * signal has none: one of the program's own is left alone, and does as well if it was installed
 * without SA_RESTART.
 */
void filch__eintr_allow(void);
void filch__eintr_forbid(void);

/* Any thread; does not block. The thread lives. */
void filch__eintr_send(pthread_t thread);

#endif
