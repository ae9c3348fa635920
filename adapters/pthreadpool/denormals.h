/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Denormal numbers taken as zero, by the thread or fiber that runs, in operands and results, where
 * the CPU has that. Fibers keep their control words over every wait, so what is set at a chunk's
 * begin is still there at its end, on whichever thread that is.
 */
#ifndef FILCH_ADAPTERS_PTHREADPOOL_DENORMALS_H
#define FILCH_ADAPTERS_PTHREADPOOL_DENORMALS_H

#include <stdint.h>

#if defined(__x86_64__)

#include <xmmintrin.h>

#define DENORMALS_ZERO UINT64_C(0x8040) /* of results (bit 15) and of operands (bit 6) */

static inline uint64_t fp_control(void)
{
    return _mm_getcsr();
}

static inline void fp_control_set(uint64_t control)
{
    _mm_setcsr((unsigned)control);
}

#elif defined(__aarch64__)

#define DENORMALS_ZERO UINT64_C(0x1080000) /* FZ (bit 24), and FZ16 (19) for half precision */

static inline uint64_t fp_control(void)
{
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return control;
}

static inline void fp_control_set(uint64_t control)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(control) : "memory");
}

#else

#define DENORMALS_ZERO UINT64_C(0)

static inline uint64_t fp_control(void)
{
    return 0;
}

static inline void fp_control_set(uint64_t control)
{
    (void)control;
}

#endif

/* Returns what denormals_restore needs. */
static inline uint64_t denormals_disable(void)
{
    uint64_t before = fp_control();
    fp_control_set(before | DENORMALS_ZERO);
    return before;
}

static inline void denormals_restore(uint64_t before)
{
    fp_control_set(before);
}

#endif
