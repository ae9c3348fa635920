/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch by swapcontext(3), for CPUs that have no assembly here. The save area is a ucontext_t
 * on the suspended stack. A signal mask belongs to the thread, as with the other switches: since
 * swapcontext sets the one that the context wears, it is dressed in the thread's first. That makes
 * two system calls for a switch.
 */
#include "sched/fiber/context.h"

#include <fenv.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

/* What a new context starts with, at the top of its stack. */
struct start {
    ucontext_t save;
    struct filch__context *context;
    void (*entry)(void *);
    void *arg;
    bool adopted;
    fenv_t fp;
};

static _Thread_local fenv_t initial_fp;
static _Thread_local bool adopted;

/* makecontext passes ints only: the address of the start comes in two halves. */
static void trampoline(unsigned high, unsigned low)
{
    struct start *start = (struct start *)(uintptr_t)((uint64_t)high << 32 | low);

    fesetenv(start->adopted ? &start->fp : FE_DFL_ENV);
    filch__context_enter(start->context, start->entry, start->arg);
}

void filch__switch(void **from, void *to)
{
    ucontext_t save;
    ucontext_t *next = to;

    *from = &save;
    pthread_sigmask(SIG_SETMASK, NULL, &next->uc_sigmask);
    swapcontext(&save, next);
}

void filch__switch_adopt(void)
{
    fegetenv(&initial_fp);
    adopted = true;
}

void *filch__switch_prepare(struct filch__context *c, const struct filch__stack *s,
                            void (*entry)(void *), void *arg)
{
    uintptr_t top = (uintptr_t)filch__stack_top(s);
    struct start *start = (struct start *)((top - sizeof(*start)) & ~(uintptr_t)63);
    uint64_t address = (uintptr_t)start;

    start->context = c;
    start->entry = entry;
    start->arg = arg;
    start->adopted = adopted;
    start->fp = initial_fp;
    getcontext(&start->save);
    start->save.uc_stack.ss_sp = s->base;
    start->save.uc_stack.ss_size = (size_t)((char *)start - s->base);
    start->save.uc_link = NULL;
    makecontext(&start->save, (void (*)(void))trampoline, 2, (unsigned)(address >> 32),
                (unsigned)address);
    return &start->save;
}
