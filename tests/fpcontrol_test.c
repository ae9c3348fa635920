/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point control words belong to contexts, not to threads. */
#define _GNU_SOURCE 1
#include "tests/fiber_check.h"

#include <fenv.h>

static void round_upward(void *arg)
{
    struct pair *p = arg;

    p->ok = fegetround() == FE_TONEAREST;
    fesetround(FE_UPWARD);
    pair_suspend(p);
    p->ok = p->ok && fegetround() == FE_UPWARD;
    pair_end(p);
}

static void rounding_mode_belongs_to_the_context(void)
{
    volatile double one = 1, three = 3;
    double nearest = one / three;
    struct pair p;

    pair_open(&p, 64 * 1024, round_upward);
    pair_resume(&p);
    CHECK(fegetround() == FE_TONEAREST && one / three == nearest);
    fesetround(FE_DOWNWARD);
    pair_resume(&p);
    CHECK(fegetround() == FE_DOWNWARD);
    fesetround(FE_TONEAREST);
    CHECK(p.ok && p.done);
    pair_close(&p);
}

static void new_context_takes_no_rounding_mode_from_a_task(void)
{
    struct pair p;

    pair_open(&p, 64 * 1024, round_upward);
    fesetround(FE_DOWNWARD);
    filch__context_init(&p.fiber, &p.stack, round_upward, &p);
    pair_resume(&p);
    CHECK(p.ok);
    CHECK(fegetround() == FE_DOWNWARD);
    fesetround(FE_TONEAREST);
    pair_close(&p);
}

static void new_context_takes_the_threads_rounding_mode(void)
{
    struct pair p;

    fesetround(FE_DOWNWARD);
    pair_open(&p, 64 * 1024, round_upward);
    fesetround(FE_TONEAREST);
    pair_resume(&p);
    CHECK(!p.ok); /* it did not start with FE_TONEAREST */
    filch__context_adopt(&p.driver);
    pair_close(&p);
}

#if defined(__x86_64__)
static unsigned x87_control(void)
{
    uint16_t word;

    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}

static void set_x87_control(unsigned control)
{
    uint16_t word = (uint16_t)control;

    __asm__ volatile("fldcw %0" : : "m"(word));
}

static void narrow_x87(void *arg)
{
    struct pair *p = arg;

    set_x87_control(0x077f); /* rounds down; mxcsr stays as it is */
    pair_suspend(p);
    p->ok = x87_control() == 0x077f;
    pair_end(p);
}

static void x87_control_word_belongs_to_the_context(void)
{
    unsigned before = x87_control();
    struct pair p;

    pair_open(&p, 64 * 1024, narrow_x87);
    pair_resume(&p);
    CHECK(x87_control() == before);
    pair_resume(&p);
    CHECK(x87_control() == before && p.ok);
    pair_close(&p);
}
#endif

int main(void)
{
    RUN(rounding_mode_belongs_to_the_context);
    RUN(new_context_takes_no_rounding_mode_from_a_task);
    RUN(new_context_takes_the_threads_rounding_mode);
#if defined(__x86_64__)
    RUN(x87_control_word_belongs_to_the_context);
#endif
    return summary();
}
