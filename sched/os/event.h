/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file descriptor that becomes readable once: an eventfd.
 */
#ifndef FILCH_SCHED_OS_EVENT_H
#define FILCH_SCHED_OS_EVENT_H

/* Any thread. A descriptor that is not readable so far, for filch__event_close; closed on exec.
 * -EMFILE, -ENFILE, -ENOMEM. */
int filch__event_open(void);
/* Any thread. Readable from now on. */
void filch__event_raise(int event);
void filch__event_close(int event);

#endif
