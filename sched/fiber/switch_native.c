/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the switch in assembly that C can say. */
#include "sched/fiber/context.h"
#include "sched/fiber/switch_layout.h"

static _Thread_local struct filch__fp_control initial_fp;
static _Thread_local bool adopted;

void filch__switch_trampoline(void);

#if defined(__x86_64__)
void filch__switch(void **from, void *to)
{
    filch__switch_inline(from, to);
}
#endif

void filch__switch_adopt(void)
{
    initial_fp = filch__fp_control_read();
    adopted = true;
}

void *filch__switch_prepare(struct filch__context *c, const struct filch__stack *s,
                            void (*entry)(void *), void *arg)
{
    struct filch__switch_frame *frame = (struct filch__switch_frame *)filch__stack_top(s) - 1;

    *frame = (struct filch__switch_frame){
        .fp = adopted ? initial_fp : FILCH__FP_CONTROL_DEFAULT,
        .context = c,
        .entry = entry,
        .arg = arg,
        .stack_pointer = frame,
        .resume = filch__switch_trampoline,
    };
    return frame;
}
