/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void filch__switch(void **from, void *to), AAPCS64.
 *
 * It ends in `br`, not in `ret`: the return predictor expects the caller of this call. fpcr is
 * written only where it differs, for that waits for all that runs. x18 is the platform's. Until the
 * first load from the new save area the unwinder sees the context that leaves, from there on the one
 * that is resumed.
 */
#include "sched/fiber/switch_layout.h"

    .text
    .globl filch__switch
    .hidden filch__switch
    .type filch__switch, %function
    .p2align 6
filch__switch:
    .cfi_startproc
    hint    #34 /* bti c */
    sub     sp, sp, #FILCH__FRAME_SIZE
    .cfi_def_cfa_offset FILCH__FRAME_SIZE
    stp     x19, x20, [sp, #FILCH__FRAME_X19]
    stp     x21, x22, [sp, #FILCH__FRAME_X21]
    stp     x23, x24, [sp, #FILCH__FRAME_X23]
    stp     x25, x26, [sp, #FILCH__FRAME_X25]
    stp     x27, x28, [sp, #FILCH__FRAME_X27]
    stp     x29, x30, [sp, #FILCH__FRAME_X29]
    stp     d8, d9, [sp, #FILCH__FRAME_D8]
    stp     d10, d11, [sp, #FILCH__FRAME_D10]
    stp     d12, d13, [sp, #FILCH__FRAME_D12]
    stp     d14, d15, [sp, #FILCH__FRAME_D14]
    mrs     x9, fpcr
    str     x9, [sp, #FILCH__FRAME_FPCR]
    mov     x10, sp
    str     x10, [x0]

    .macro saved first, second, offset
    .cfi_offset \first, \offset - FILCH__FRAME_SIZE
    .cfi_offset \second, \offset + 8 - FILCH__FRAME_SIZE
    .endm
    .cfi_def_cfa x1, FILCH__FRAME_SIZE
    saved x19, x20, FILCH__FRAME_X19
    saved x21, x22, FILCH__FRAME_X21
    saved x23, x24, FILCH__FRAME_X23
    saved x25, x26, FILCH__FRAME_X25
    saved x27, x28, FILCH__FRAME_X27
    saved x29, x30, FILCH__FRAME_X29
    saved d8, d9, FILCH__FRAME_D8
    saved d10, d11, FILCH__FRAME_D10
    saved d12, d13, FILCH__FRAME_D12
    saved d14, d15, FILCH__FRAME_D14
    ldp     x29, x30, [x1, #FILCH__FRAME_X29]
    ldr     x11, [x1, #FILCH__FRAME_FPCR]
    ldp     x19, x20, [x1, #FILCH__FRAME_X19]
    ldp     x21, x22, [x1, #FILCH__FRAME_X21]
    ldp     x23, x24, [x1, #FILCH__FRAME_X23]
    ldp     x25, x26, [x1, #FILCH__FRAME_X25]
    ldp     x27, x28, [x1, #FILCH__FRAME_X27]
    ldp     d8, d9, [x1, #FILCH__FRAME_D8]
    ldp     d10, d11, [x1, #FILCH__FRAME_D10]
    ldp     d12, d13, [x1, #FILCH__FRAME_D12]
    ldp     d14, d15, [x1, #FILCH__FRAME_D14]
    cmp     x9, x11
    b.ne    .Lload_control
.Lresume:
    /* All registers of the resumed context are in place, and stay in its save area until here. */
    add     sp, x1, #FILCH__FRAME_SIZE
    .cfi_def_cfa sp, 0
    .irp r, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30
    .cfi_same_value \r
    .endr
    .irp r, d8, d9, d10, d11, d12, d13, d14, d15
    .cfi_same_value \r
    .endr
    br      x30

.Lload_control:
    .cfi_def_cfa x1, FILCH__FRAME_SIZE
    msr     fpcr, x11
    b       .Lresume
    .cfi_endproc
    .size filch__switch, . - filch__switch

/*
 * Where a new context is resumed: the outermost frame. An unwinder looks one byte before a return
 * address, hence the nop.
 */
    .type filch__switch_trampoline, %function
    .p2align 4
    .cfi_startproc
    .cfi_undefined x30
    nop
    .globl filch__switch_trampoline
    .hidden filch__switch_trampoline
filch__switch_trampoline:
    hint    #36 /* bti j */
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    bl      filch__context_enter
    brk     #1
    .cfi_endproc
    .size filch__switch_trampoline, . - filch__switch_trampoline

    .section .note.GNU-stack, "", %progbits
