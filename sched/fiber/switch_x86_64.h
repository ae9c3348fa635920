/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch on x86-64, inline.
 *
 * Inline because of the return predictor. A switch by `call` and `ret` returns to where the other
 * context called, which the predictor cannot know; one by `call` and `jmp` leaves an entry too
 * many, so that every return after it misses. In line there is neither: a fiber that waits and is
 * resumed where it waited finds the predictor as it left it, if what ran meanwhile returned from
 * all that it called. Measured with four tasks that yield in turn: 39 ns a yield with `jmp`, 19
 * with `ret`, 13 in line.
 *
 * The compiler saves what it needs of the registers that the asm names; it cannot save the stack
 * and frame pointers, which go into the save area with the resume address and the control words.
 * These are loaded only where they differ, for loading them waits for all that runs. Between the
 * new stack pointer and the jump, two instructions, an unwinder is misled; nowhere else.
 */
#ifndef FILCH_SCHED_FIBER_SWITCH_X86_64_H
#define FILCH_SCHED_FIBER_SWITCH_X86_64_H

#include "sched/fiber/switch_layout.h"

#ifdef __AVX512F__
#define FILCH__AVX512_REGISTERS                                                                   \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",     \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", \
        "k7",
#else
#define FILCH__AVX512_REGISTERS
#endif

__attribute__((always_inline)) static inline void filch__switch_inline(void **from, void *to)
{
    struct filch__switch_frame save;
    void *here = &save;
    __asm__ volatile("movq %0, (%2)\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rax, %c[resume](%0)\n\t"
                     "movq %%rsp, %c[rsp](%0)\n\t"
                     "movq %%rbp, %c[rbp](%0)\n\t"
                     "stmxcsr %c[mxcsr](%0)\n\t"
                     "fnstcw %c[x87](%0)\n\t"
                     "movl %c[mxcsr](%0), %%eax\n\t"
                     "movzwl %c[x87](%0), %%ecx\n\t"
                     "xorl %c[mxcsr](%1), %%eax\n\t"
                     "xorw %c[x87](%1), %%cx\n\t"
                     "andl %[control], %%eax\n\t"
                     "orl %%ecx, %%eax\n\t"
                     "jz 2f\n\t"
                     "ldmxcsr %c[mxcsr](%1)\n\t"
                     "fldcw %c[x87](%1)\n"
                     "2:\n\t"
                     "movq %c[resume](%1), %%rax\n\t"
                     "movq %c[rbp](%1), %%rbp\n\t"
                     "movq %c[rsp](%1), %%rsp\n\t"
                     "notrack jmp *%%rax\n"
                     "1:\n\t"
                     : "+D"(here), "+S"(to), "+d"(from)
                     : [resume] "i"(FILCH__FRAME_RESUME), [rsp] "i"(FILCH__FRAME_RSP),
                       [rbp] "i"(FILCH__FRAME_RBP), [mxcsr] "i"(FILCH__FRAME_MXCSR),
                       [x87] "i"(FILCH__FRAME_X87), [control] "i"(FILCH__MXCSR_CONTROL)
                     : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       FILCH__AVX512_REGISTERS "cc", "memory");
}

#endif
