/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/thread.h"

#include "sched/os/die.h"
#include "sched/os/fault.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *start(void *p)
{
    filch__thread *t = p;
    if (t->name[0] != '\0')
        pthread_setname_np(pthread_self(), t->name);
    t->fn(t->arg);
    return NULL;
}

static int set_stack_size(pthread_attr_t *attr, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    if (size < least)
        size = least;
    if (size > PTRDIFF_MAX - page)
        return EINVAL;
    return pthread_attr_setstacksize(attr, (size + page - 1) & ~(page - 1));
}

/* A thread inherits the mask of its creator: the creator wears the mask for the moment. */
static int create_masked(filch__thread *t, const pthread_attr_t *attr)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        sigdelset(&blocked, kept[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int error = pthread_create(&t->id, attr, start, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int filch__thread_create(filch__thread *t, void *(*fn)(void *), void *arg, size_t stack_size,
                         const char *name)
{
    if (filch__fault_thread())
        return -EAGAIN;
    pthread_attr_t attr;
    int error = pthread_attr_init(&attr);
    if (error != 0)
        return -error;
    if (stack_size != 0)
        error = set_stack_size(&attr, stack_size);
    if (error == 0) {
        filch__thread before = *t;
        t->fn = fn;
        t->arg = arg;
        memset(t->name, 0, sizeof t->name);
        if (name != NULL)
            strncpy(t->name, name, sizeof t->name - 1);
        error = create_masked(t, &attr);
        if (error != 0)
            *t = before;
    }
    pthread_attr_destroy(&attr);
    return -error;
}

void filch__thread_join(filch__thread *t)
{
    if (pthread_join(t->id, NULL) != 0)
        filch__die("join of a thread that cannot be joined");
}

int filch__thread_number(void)
{
    return (int)syscall(SYS_gettid);
}

int filch__thread_pin(filch__thread *t, int cpu)
{
    if (cpu < 0)
        return -EINVAL;
    cpu_set_t *set = filch__fault_alloc() ? NULL : CPU_ALLOC(cpu + 1);
    if (set == NULL)
        return -ENOMEM;
    size_t size = CPU_ALLOC_SIZE(cpu + 1);
    CPU_ZERO_S(size, set);
    CPU_SET_S(cpu, size, set);
    int error = pthread_setaffinity_np(t != NULL ? t->id : pthread_self(), size, set);
    CPU_FREE(set);
    return -error;
}

void filch__thread_be_punctual(void)
{
    (void)prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* ns; 0 would mean the default */
}
