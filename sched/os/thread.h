/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of the system.
 *
 * They leave the program's signals alone: all are blocked, so that handlers run on the program's
 * own threads, save those that the thread itself causes (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
 * SIGTRAP, SIGSYS) and SIGPROF, by which profilers sample.
 */
#ifndef FILCH_SCHED_OS_THREAD_H
#define FILCH_SCHED_OS_THREAD_H

#include <pthread.h>
#include <stddef.h>

typedef struct filch__thread {
    pthread_t id;
    /* Written before the thread starts, read by it alone. */
    void *(*fn)(void *);
    void *arg;
    char name[16];
} filch__thread;

/*
 * Any thread. Starts fn(arg) on a new thread. t is the caller's storage and stays in place until
 * the join. stack_size in bytes, rounded up to what the system asks; 0: the system's default. name
 * may be NULL; 15 bytes of it are used. What fn returns is dropped. -EAGAIN: no resources or a
 * limit; -ENOMEM; -EINVAL.
 */
int filch__thread_create(filch__thread *t, void *(*fn)(void *), void *arg, size_t stack_size,
                         const char *name);

/* Any thread but t's own, once. Blocks until fn has returned, whose effects are then visible. */
void filch__thread_join(filch__thread *t);

/* The calling thread's number, by which the system lists it. */
int filch__thread_number(void);

/* Any thread. Binds t, or the caller where t is NULL, to one CPU. -EINVAL: no such CPU here. */
int filch__thread_pin(filch__thread *t, int cpu);

/*
 * The calling thread's timeouts are not put off to be merged with others: by default the kernel
 * takes 50 us for that. Where it refuses, they are as late as they were.
 */
void filch__thread_be_punctual(void);

#endif
