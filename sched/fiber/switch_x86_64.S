/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a new context is resumed, by the switch of switch_x86_64.h with the save area in %rsi: the
 * outermost frame. An unwinder looks one byte before a return address, hence the nop.
 */
#include "sched/fiber/switch_layout.h"

    .text
    .type filch__switch_trampoline, @function
    .p2align 4
    .cfi_startproc
    .cfi_undefined %rip
    nop
    .globl filch__switch_trampoline
    .hidden filch__switch_trampoline
filch__switch_trampoline:
    endbr64
    movq    FILCH__FRAME_CONTEXT(%rsi), %rdi
    movq    FILCH__FRAME_ARG(%rsi), %rdx
    movq    FILCH__FRAME_ENTRY(%rsi), %rsi
    call    filch__context_enter
    ud2
    .cfi_endproc
    .size filch__switch_trampoline, . - filch__switch_trampoline

    .section .note.GNU-stack, "", @progbits
