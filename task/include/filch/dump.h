/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture of everything that lives: every runtime, scope and task as a tree, with what each waits
 * for and for how long. For the moment when a program hangs: from any thread, or from one that a
 * signal handler woke.
 *
 *     static void *on_request(void *unused)
 *     {
 *         while (sem_wait(&asked) == 0) // the handler of SIGUSR1 posts it
 *             filch_dump(stderr);
 *         return unused;
 *     }
 *
 *     runtime filch (0x7f1c28e0a000): 2 workers, 3 tasks
 *       task "server" running on worker 0
 *         scope "requests" supervise, 2 alive, 17 succeeded, 1 failed, deadline in 1.2 s
 *           task "request" suspended 3.4 ms: waits for a time
 *           task (0x7f1c28e1c080) queued
 *
 * The workers go on meanwhile, so the whole is no single moment's picture: what moves may be
 * missing, or shown where it was a moment ago. What stands still is in it once, as it stands. What
 * has no name is shown by its address.
 */
#ifndef FILCH_DUMP_H
#define FILCH_DUMP_H

#include <filch/base.h>
#include <stdio.h>

FILCH_BEGIN_DECLS

/*
 * Writes the tree to the stream. Any thread or task, also several at once; not in a signal handler.
 * Does not suspend; writing blocks the caller's thread as the stream does. While it looks (not
 * while it writes) runtimes are not created or destroyed, forks of the process wait, and memory of
 * tasks that end is not used again; a scope or shield that ends at the moment when it is looked at
 * suspends its opener for as long as that takes. Times that tasks have waited are exact to some
 * milliseconds. In the child of a fork(2), what was lost to it is not shown.
 *
 * -ENOMEM: what there was room for is written, and a last line that says so. -EINVAL: the stream is
 * NULL. -EIO or what else the stream says: it did not take all.
 */
FILCH_API int filch_dump(FILE *stream);

FILCH_END_DECLS

#endif
