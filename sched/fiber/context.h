/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts: what runs on a stack, and the switch from one to another.
 *
 * A context is running on one thread, or suspended with its callee-saved registers in a save area
 * on its own stack. A switch suspends one and resumes another, on whatever thread; it makes no
 * system call. The floating-point control words (rounding mode, exception masks, flush to zero)
 * belong to the context; the exception status flags belong to the thread and may be lost. So are
 * errno and all thread-local storage the thread's. switch_x86_64.S and switch_aarch64.S are the
 * switch; switch_ucontext.c is the same on other CPUs, slowly.
 */
#ifndef FILCH_SCHED_FIBER_CONTEXT_H
#define FILCH_SCHED_FIBER_CONTEXT_H

#include "sched/fiber/sanitizer.h"
#include "sched/fiber/stack.h"

struct filch__context {
    void *sp; /* save area; valid while suspended */
    struct filch__sanitizer sanitizer;
};

/*
 * Any thread. The first switch to c calls entry(arg) on s, from its top; entry never returns. It
 * starts with the floating-point control words that the calling thread had when it adopted its
 * stack (the system's defaults where it never did), whatever the task that runs now has made of
 * them. c and s stay in place until filch__context_release.
 */
void filch__context_init(struct filch__context *c, const struct filch__stack *s,
                         void (*entry)(void *), void *arg);

/* The calling thread's stack becomes c, which is running. Ends with filch__context_release. */
void filch__context_adopt(struct filch__context *c);

/* Any thread. c is suspended for ever, or adopted; nobody switches to it any more. */
void filch__context_release(struct filch__context *c);

/* The switch: saves on the running stack, stores where in *from, resumes what `to` points at. */
void filch__switch(void **from, void *to);

#if defined(FILCH_FIBER_NATIVE) && defined(__x86_64__)
#include "sched/fiber/switch_x86_64.h"
#else
/* Elsewhere the switch is a call. */
static inline void filch__switch_inline(void **from, void *to)
{
    filch__switch(from, to);
}
#endif

/* Makes the save area of a context that has not started: see switch_layout.h. Returns its address.
 */
void *filch__switch_prepare(struct filch__context *c, const struct filch__stack *s,
                            void (*entry)(void *), void *arg);

/* Notes the thread's floating-point control words, for the contexts that it will prepare. */
void filch__switch_adopt(void);

/* Where a context starts. */
_Noreturn void filch__context_enter(struct filch__context *c, void (*entry)(void *), void *arg);

/*
 * On `from`, the running context. Returns when someone switches to it, perhaps on another thread:
 * no address of a thread-local may be kept over it. `to` is suspended, and who suspended it happens
 * before this call. `from` is suspended only once `to` runs: whoever may resume it learns of it
 * there.
 */
FILCH__UNINSTRUMENTED __attribute__((always_inline)) static inline void
filch__context_switch(struct filch__context *from, struct filch__context *to)
{
    filch__sanitizer_leave(&from->sanitizer, &to->sanitizer, false);
    filch__switch_inline(&from->sp, to->sp);
    filch__sanitizer_arrive(&from->sanitizer);
}

/* The same, where `from` never runs again. It stays in place until `to` runs. */
FILCH__UNINSTRUMENTED _Noreturn static inline void
filch__context_switch_final(struct filch__context *from, struct filch__context *to)
{
    filch__sanitizer_leave(&from->sanitizer, &to->sanitizer, true);
    filch__switch_inline(&from->sp, to->sp);
    __builtin_unreachable();
}

#endif
