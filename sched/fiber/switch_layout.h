/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The save area of a suspended context, as C and the assembly see it.
 *
 * It is on the context's stack; filch__context.sp points at it. A context that has not started yet
 * has one that resumes in filch__switch_trampoline, with what filch__context_enter takes.
 */
#ifndef FILCH_SCHED_FIBER_SWITCH_LAYOUT_H
#define FILCH_SCHED_FIBER_SWITCH_LAYOUT_H

#if defined(__x86_64__)

#define FILCH__FRAME_MXCSR   0
#define FILCH__FRAME_X87     4
#define FILCH__FRAME_RSP     8
#define FILCH__FRAME_RBP     16
#define FILCH__FRAME_RESUME  24
#define FILCH__FRAME_CONTEXT 32
#define FILCH__FRAME_ENTRY   40
#define FILCH__FRAME_ARG     48
#define FILCH__FRAME_SIZE    64

/* The control half of mxcsr; the rest are the status flags, which a call need not preserve. */
#define FILCH__MXCSR_CONTROL 0xffc0

#elif defined(__aarch64__)

#define FILCH__FRAME_X19    0
#define FILCH__FRAME_X20    8
#define FILCH__FRAME_X21    16
#define FILCH__FRAME_X23    32
#define FILCH__FRAME_X25    48
#define FILCH__FRAME_X27    64
#define FILCH__FRAME_X29    80
#define FILCH__FRAME_RESUME 88
#define FILCH__FRAME_D8     96
#define FILCH__FRAME_D10    112
#define FILCH__FRAME_D12    128
#define FILCH__FRAME_D14    144
#define FILCH__FRAME_FPCR   160
#define FILCH__FRAME_SIZE   176

#endif

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

struct filch__fp_control {
    uint32_t mxcsr;
    uint16_t x87;
};

struct filch__switch_frame {
    struct filch__fp_control fp;
    void *stack_pointer; /* rsp */
    void *frame_pointer; /* rbp */
    void (*resume)(void);
    /* Of a context that has not started. */
    void *context;
    void (*entry)(void *);
    void *arg;
    void *unused; /* the stack pointer is a multiple of 16 */
};

_Static_assert(offsetof(struct filch__switch_frame, fp.mxcsr) == FILCH__FRAME_MXCSR, "layout");
_Static_assert(offsetof(struct filch__switch_frame, fp.x87) == FILCH__FRAME_X87, "layout");
_Static_assert(offsetof(struct filch__switch_frame, stack_pointer) == FILCH__FRAME_RSP, "layout");
_Static_assert(offsetof(struct filch__switch_frame, frame_pointer) == FILCH__FRAME_RBP, "layout");
_Static_assert(offsetof(struct filch__switch_frame, resume) == FILCH__FRAME_RESUME, "layout");
_Static_assert(offsetof(struct filch__switch_frame, context) == FILCH__FRAME_CONTEXT, "layout");
_Static_assert(offsetof(struct filch__switch_frame, entry) == FILCH__FRAME_ENTRY, "layout");
_Static_assert(offsetof(struct filch__switch_frame, arg) == FILCH__FRAME_ARG, "layout");
_Static_assert(sizeof(struct filch__switch_frame) == FILCH__FRAME_SIZE, "layout");

/* What the ABI gives a new process. */
#define FILCH__FP_CONTROL_DEFAULT ((struct filch__fp_control){0x1f80, 0x037f})

static inline struct filch__fp_control filch__fp_control_read(void)
{
    struct filch__fp_control fp;

    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(fp.mxcsr), "=m"(fp.x87));
    return fp;
}

#elif defined(__aarch64__)

struct filch__fp_control {
    uint64_t fpcr;
};

struct filch__switch_frame {
    void *context;         /* x19 */
    void (*entry)(void *); /* x20 */
    void *arg;             /* x21 */
    void *x22_x28[7];
    void *frame_pointer;  /* x29 */
    void (*resume)(void); /* x30 */
    uint64_t d8_d15[8];
    struct filch__fp_control fp;
    void *stack_pointer; /* unused: the save area is where the stack begins */
};

_Static_assert(offsetof(struct filch__switch_frame, context) == FILCH__FRAME_X19, "layout");
_Static_assert(offsetof(struct filch__switch_frame, entry) == FILCH__FRAME_X20, "layout");
_Static_assert(offsetof(struct filch__switch_frame, arg) == FILCH__FRAME_X21, "layout");
_Static_assert(offsetof(struct filch__switch_frame, x22_x28[1]) == FILCH__FRAME_X23, "layout");
_Static_assert(offsetof(struct filch__switch_frame, frame_pointer) == FILCH__FRAME_X29, "layout");
_Static_assert(offsetof(struct filch__switch_frame, resume) == FILCH__FRAME_RESUME, "layout");
_Static_assert(offsetof(struct filch__switch_frame, d8_d15) == FILCH__FRAME_D8, "layout");
_Static_assert(offsetof(struct filch__switch_frame, fp) == FILCH__FRAME_FPCR, "layout");
_Static_assert(sizeof(struct filch__switch_frame) == FILCH__FRAME_SIZE, "layout");

#define FILCH__FP_CONTROL_DEFAULT ((struct filch__fp_control){0})

static inline struct filch__fp_control filch__fp_control_read(void)
{
    struct filch__fp_control fp;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fp.fpcr));
    return fp;
}

#endif
#endif

#endif
