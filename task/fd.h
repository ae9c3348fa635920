/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILCH_TASK_FD_H
#define FILCH_TASK_FD_H

#include <filch/fd.h>

/* As filch_fd_wait without a deadline, but that it does not look at the file: for who has just
 * tried, after a glance (sched/fds.h), and tries again. events: READABLE or WRITABLE. */
int filch__fd_wait_blindly(int fd, uint32_t events);

#endif
