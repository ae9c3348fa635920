/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture of everything that lives: every runtime, scope and task as a tree, with what each waits
 * for, who has that, and for how long; then which of them wait for each other in a cycle. For the
 * moment when a program hangs: from any thread, or from one that a signal handler woke.
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
 *           task "request" suspended 3.4 ms: waits for a mutex (0x55e0a0c2f0e0) held by task "b"
 *           task (0x7f1c28e1c080) queued
 *       task "a" suspended 2.1 s: waits for a mutex (0x55e0a0c2f0e0) held by task "b"
 *       task "b" suspended 2.1 s: waits for a mutex (0x55e0a0c2f120) held by task "a"
 *     threads
 *       thread 4711 blocked 3.0 s: waits for the end of task "server"
 *     deadlock: task "a" waits for a mutex (0x55e0a0c2f0e0) held by task "b", which waits for a
 *     mutex (0x55e0a0c2f120) held by task "a"          (one line)
 *
 * The workers go on meanwhile, so the whole is no single moment's picture: what moves may be
 * missing, or shown where it was a moment ago. What stands still is in it once, as it stands. What
 * has no name is shown by its address. Of threads outside, those are shown that block in a wait of
 * filch.
 *
 * Deadlocks: a cycle is told only of those who have all waited at one moment, for each other and for
 * nothing else that could come: who has a mutex, has a rwlock for writing, or runs a once; the end
 * of a task, of a scope's children, of a stolen job; of several futures, any or all. A wait with a
 * deadline of its own is in none. Who has permits or reads is not known, nor who will send or
 * notify: anybody may. So where no task can go on any more, of those that live in all runtimes, it
 * says what they wait for that one of them would have to bring:
 *     no task is left for a channel, to receive (0x7ffd2a3c): task "a" waits; only a thread outside
 *     could help
 * Futures of your own count as coming by themselves, as times and file descriptors do.
 *
 * Debug builds of filch (without NDEBUG) report a cycle also when it closes, in one such line on
 * standard error, and go on, for an abort may still resolve it. These are cycles of tasks and
 * threads that each wait for one lock, once or task, without a deadline.
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
 * suspends its opener for as long as that takes, and a wait that ends lets the look at some wait
 * pass first. Times that tasks have waited are exact to some
 * milliseconds. In the child of a fork(2), what was lost to it is not shown.
 *
 * -ENOMEM: what there was room for is written, and a last line that says so. -EINVAL: the stream is
 * NULL. -EIO or what else the stream says: it did not take all.
 */
FILCH_API int filch_dump(FILE *stream);

FILCH_END_DECLS

#endif
