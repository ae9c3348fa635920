/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floating-point control words (rounding mode, exception masks, flush to zero): what a task may
 * change, and what the next one on the same stack must not find changed. A switch keeps them by
 * itself (context.h); this is for tasks that end without one.
 */
#ifndef FILCH_SCHED_FIBER_FP_CONTROL_H
#define FILCH_SCHED_FIBER_FP_CONTROL_H

#include "sched/fiber/switch_layout.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <fenv.h>

struct filch__fp_control {
    int rounding;
};

static inline struct filch__fp_control filch__fp_control_read(void)
{
    return (struct filch__fp_control){fegetround()};
}
#endif

/* Sets the calling thread's words to *fp; costs two reads where they are that already. */
static inline void filch__fp_control_restore(const struct filch__fp_control *fp)
{
    struct filch__fp_control now = filch__fp_control_read();
#if defined(__x86_64__)
    if (__builtin_expect(((now.mxcsr ^ fp->mxcsr) & FILCH__MXCSR_CONTROL) | (now.x87 ^ fp->x87), 0))
        __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(fp->mxcsr), "m"(fp->x87));
#elif defined(__aarch64__)
    if (__builtin_expect(now.fpcr != fp->fpcr, 0))
        __asm__ volatile("msr fpcr, %0" : : "r"(fp->fpcr));
#else
    if (now.rounding != fp->rounding)
        fesetround(fp->rounding);
#endif
}

#endif
