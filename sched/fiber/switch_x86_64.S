/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void filch__switch(void **from, void *to), System V x86-64.
 *
 * It ends in a jump, not in `ret`: the return predictor expects the caller of this call, and a miss
 * at every switch costs four times the rest (11.5 ns a switch against 2.5 ns where this was
 * measured). The control words are loaded only where they differ, for loading them waits for all
 * that runs. Until the first load from the new save area the unwinder sees the context that leaves,
 * from there on the one that is resumed.
 */
#include "sched/fiber/switch_layout.h"

    .text
    .globl filch__switch
    .hidden filch__switch
    .type filch__switch, @function
    .p2align 6
filch__switch:
    .cfi_startproc
    endbr64
    leaq    -FILCH__FRAME_RESUME(%rsp), %rsp
    .cfi_def_cfa_offset FILCH__FRAME_SIZE
    movq    %r12, FILCH__FRAME_R12(%rsp)
    movq    %r13, FILCH__FRAME_R13(%rsp)
    movq    %r14, FILCH__FRAME_R14(%rsp)
    movq    %r15, FILCH__FRAME_R15(%rsp)
    movq    %rbx, FILCH__FRAME_RBX(%rsp)
    movq    %rbp, FILCH__FRAME_RBP(%rsp)
    stmxcsr FILCH__FRAME_MXCSR(%rsp)
    fnstcw  FILCH__FRAME_X87(%rsp)
    movq    %rsp, (%rdi)
    movl    FILCH__FRAME_MXCSR(%rsp), %eax
    movzwl  FILCH__FRAME_X87(%rsp), %ecx

    .cfi_def_cfa %rsi, FILCH__FRAME_SIZE
    .cfi_offset %r12, FILCH__FRAME_R12 - FILCH__FRAME_SIZE
    .cfi_offset %r13, FILCH__FRAME_R13 - FILCH__FRAME_SIZE
    .cfi_offset %r14, FILCH__FRAME_R14 - FILCH__FRAME_SIZE
    .cfi_offset %r15, FILCH__FRAME_R15 - FILCH__FRAME_SIZE
    .cfi_offset %rbx, FILCH__FRAME_RBX - FILCH__FRAME_SIZE
    .cfi_offset %rbp, FILCH__FRAME_RBP - FILCH__FRAME_SIZE
    movq    FILCH__FRAME_RESUME(%rsi), %rdx
    movq    FILCH__FRAME_R12(%rsi), %r12
    movq    FILCH__FRAME_R13(%rsi), %r13
    movq    FILCH__FRAME_R14(%rsi), %r14
    movq    FILCH__FRAME_R15(%rsi), %r15
    movq    FILCH__FRAME_RBX(%rsi), %rbx
    movq    FILCH__FRAME_RBP(%rsi), %rbp
    xorl    FILCH__FRAME_MXCSR(%rsi), %eax
    xorw    FILCH__FRAME_X87(%rsi), %cx
    andl    $FILCH__MXCSR_CONTROL, %eax
    orl     %ecx, %eax
    jnz     .Lload_control
.Lresume:
    /* All registers of the resumed context are in place, and stay in its save area until here. */
    leaq    FILCH__FRAME_SIZE(%rsi), %rsp
    .cfi_def_cfa %rsp, 0
    .cfi_register %rip, %rdx
    .cfi_same_value %r12
    .cfi_same_value %r13
    .cfi_same_value %r14
    .cfi_same_value %r15
    .cfi_same_value %rbx
    .cfi_same_value %rbp
    notrack jmp *%rdx

.Lload_control:
    .cfi_def_cfa %rsi, FILCH__FRAME_SIZE
    .cfi_offset %rip, FILCH__FRAME_RESUME - FILCH__FRAME_SIZE
    ldmxcsr FILCH__FRAME_MXCSR(%rsi)
    fldcw   FILCH__FRAME_X87(%rsi)
    jmp     .Lresume
    .cfi_endproc
    .size filch__switch, . - filch__switch

/*
 * Where a new context is resumed: the outermost frame. An unwinder looks one byte before a return
 * address, hence the nop.
 */
    .type filch__switch_trampoline, @function
    .p2align 4
    .cfi_startproc
    .cfi_undefined %rip
    nop
    .globl filch__switch_trampoline
    .hidden filch__switch_trampoline
filch__switch_trampoline:
    endbr64
    movq    %r12, %rdi
    movq    %r13, %rsi
    movq    %r14, %rdx
    call    filch__context_enter
    ud2
    .cfi_endproc
    .size filch__switch_trampoline, . - filch__switch_trampoline

    .section .note.GNU-stack, "", @progbits
