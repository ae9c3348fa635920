/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts and switches, below the scheduler. With --bench: the time of a switch and of a stack.
 */
#define _GNU_SOURCE 1
#include "tests/fiber_check.h"

#include <unwind.h>

enum { FIBERS = SANITIZED ? 100 : 1000 };

/* --- entry and values --- */

static void note_entry(void *arg)
{
    struct pair *p = arg;

    p->seen = arg;
    p->ok = (uintptr_t)__builtin_frame_address(0) > (uintptr_t)p->stack.base &&
            (uintptr_t)__builtin_frame_address(0) < (uintptr_t)(p->stack.base + p->stack.size);
    /* An aligned spill of a vector register faults where the stack starts off by 8. */
    p->ok = p->ok && ((uintptr_t)__builtin_frame_address(0) & 15) == 0;
    pair_end(p);
}

static void entry_gets_its_argument(void)
{
    struct pair p;

    pair_open(&p, 64 * 1024, note_entry);
    pair_resume(&p);
    CHECK(p.seen == &p && p.done && p.ok);
    pair_close(&p);
}

/*
 * Fills every callee-saved register with a value made of `seed`, switches, and returns whether all
 * of them are as they were. int switch_with_registers(void **from, void *to, uint64_t seed).
 */
#if defined(__x86_64__)
int switch_with_registers(void **from, void *to, uint64_t seed);
__asm__(".text\n"
        ".globl switch_with_registers\n"
        "switch_with_registers:\n"
        "  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
        "  pushq %rdx\n"
        "  leaq 1(%rdx), %rbp; leaq 2(%rdx), %rbx; leaq 3(%rdx), %r12\n"
        "  leaq 4(%rdx), %r13; leaq 5(%rdx), %r14; leaq 6(%rdx), %r15\n"
        "  call filch__switch\n"
        "  popq %rdx\n"
        "  subq %rdx, %rbp; subq %rdx, %rbx; subq %rdx, %r12\n"
        "  subq %rdx, %r13; subq %rdx, %r14; subq %rdx, %r15\n"
        "  decq %rbp; subq $2, %rbx; subq $3, %r12\n"
        "  subq $4, %r13; subq $5, %r14; subq $6, %r15\n"
        "  orq %rbp, %rbx; orq %r12, %rbx; orq %r13, %rbx; orq %r14, %rbx; orq %r15, %rbx\n"
        "  xorl %eax, %eax; testq %rbx, %rbx; sete %al\n"
        "  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp\n"
        "  ret\n");
#elif defined(__aarch64__)
int switch_with_registers(void **from, void *to, uint64_t seed);
__asm__(".text\n"
        ".globl switch_with_registers\n"
        "switch_with_registers:\n"
        "  stp x29, x30, [sp, #-176]!\n"
        "  stp x19, x20, [sp, #16]; stp x21, x22, [sp, #32]; stp x23, x24, [sp, #48]\n"
        "  stp x25, x26, [sp, #64]; stp x27, x28, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]; stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]; stp d14, d15, [sp, #144]; str x2, [sp, #160]\n"
        ".macro each op\n"
        "  .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29\n"
        "  \\op x\\n, \\n\n"
        "  .endr\n"
        ".endm\n"
        ".macro fill r, n\n  add \\r, x2, #\\n\n.endm\n"
        ".macro test r, n\n  add x3, x2, #\\n; eor x3, x3, \\r; orr x0, x0, x3\n.endm\n"
        "  each fill\n"
        ".irp n, 8, 9, 10, 11, 12, 13, 14, 15\n  add x3, x2, #\\n; fmov d\\n, x3\n.endr\n"
        "  bl filch__switch\n"
        "  ldr x2, [sp, #160]; mov x0, xzr\n"
        "  each test\n"
        ".irp n, 8, 9, 10, 11, 12, 13, 14, 15\n"
        "  fmov x4, d\\n; add x3, x2, #\\n; eor x3, x3, x4; orr x0, x0, x3\n"
        ".endr\n"
        "  cmp x0, #0; cset w0, eq\n"
        "  ldp d8, d9, [sp, #96]; ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]; ldp d14, d15, [sp, #144]\n"
        "  ldp x19, x20, [sp, #16]; ldp x21, x22, [sp, #32]; ldp x23, x24, [sp, #48]\n"
        "  ldp x25, x26, [sp, #64]; ldp x27, x28, [sp, #80]\n"
        "  ldp x29, x30, [sp], #176\n"
        "  ret\n");
#else
/* The compiler's own use of the registers has to do. */
static int switch_with_registers(void **from, void *to, uint64_t seed)
{
    uint64_t v[12];
    uint64_t wrong = 0;

    for (uint64_t i = 0; i < COUNT(v); i++)
        v[i] = seed + i;
    filch__switch(from, to);
    for (uint64_t i = 0; i < COUNT(v); i++)
        wrong |= v[i] ^ (seed + i);
    return wrong == 0;
}
#endif

FILCH__UNINSTRUMENTED static bool checked_switch(struct filch__context *from,
                                                 struct filch__context *to, uint64_t seed)
{
    int ok;

    filch__sanitizer_leave(&from->sanitizer, &to->sanitizer, false);
    ok = switch_with_registers(&from->sp, to->sp, seed);
    filch__sanitizer_arrive(&from->sanitizer);
    return ok != 0;
}

static void count_with_registers(void *arg)
{
    struct pair *p = arg;

    for (;;) {
        p->count++;
        p->ok = p->ok && checked_switch(&p->fiber, &p->driver, 0x5555555500000000u + p->count);
    }
}

static void switch_preserves_registers(void)
{
    struct pair p;

    pair_open(&p, 64 * 1024, count_with_registers);
    p.ok = true;
    for (long i = 1; i <= 1000; i++) {
        CHECK(checked_switch(&p.driver, &p.fiber, 0xaaaaaaaa00000000u - (uint64_t)i));
        CHECK(p.count == i);
    }
    CHECK(p.ok);
    pair_close(&p);
}

/* --- depth, unwinding, many, threads --- */

static void go_deep(void *arg)
{
    struct pair *p = arg;

    p->count = deep(500);
    pair_end(p);
}

static void deep_call(void)
{
    struct pair p;

    pair_open(&p, 1024 * 1024, go_deep);
    pair_resume(&p);
    CHECK(p.count == 500);
    pair_close(&p);
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *context, void *count)
{
    (void)context;
    ++*(long *)count;
    return *(long *)count < 100 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void unwind(void *arg)
{
    struct pair *p = arg;

    _Unwind_Backtrace(count_frame, &p->count);
    pair_end(p);
}

static void unwinding_ends_at_the_fibers_bottom(void)
{
    struct pair p;

    pair_open(&p, 256 * 1024, unwind);
    pair_resume(&p);
    CHECK(p.count >= 1 && p.count < 10);
    pair_close(&p);
}

/* Each fiber passes on to its neighbour, so that no two switches in a row are a pair. */
struct ring {
    struct filch__context driver;
    struct pair fiber[FIBERS];
    long steps;
};

static struct ring ring;

static void pass_on(void *arg)
{
    struct pair *p = arg;
    struct pair *next = p == &ring.fiber[FIBERS - 1] ? &ring.fiber[0] : p + 1;

    for (;;) {
        p->count++;
        filch__context_switch(&p->fiber, --ring.steps == 0 ? &ring.driver : &next->fiber);
    }
}

static void ring_open(void)
{
    for (int i = 0; i < FIBERS; i++)
        pair_open(&ring.fiber[i], FILCH__STACK_MIN, pass_on);
    filch__context_adopt(&ring.driver);
}

static void ring_turn(long rounds)
{
    ring.steps = rounds * FIBERS;
    filch__context_switch(&ring.driver, &ring.fiber[0].fiber);
}

static void ring_close(void)
{
    for (int i = 0; i < FIBERS; i++)
        pair_close(&ring.fiber[i]);
    filch__context_release(&ring.driver);
}

static void ring_of_fibers(void)
{
    long wrong = 0;

    ring_open();
    ring_turn(10);
    ring_turn(7);
    for (int i = 0; i < FIBERS; i++)
        wrong += ring.fiber[i].count != 17;
    CHECK(wrong == 0);
    ring_close();
}

static void count_for_ever(void *arg)
{
    struct pair *p = arg;

    for (;;) {
        p->count++;
        pair_suspend(p);
    }
}

static void *resume_elsewhere(void *arg)
{
    struct pair *p = arg;

    filch__context_adopt(&p->driver);
    pair_resume(p);
    filch__context_release(&p->driver);
    return NULL;
}

static void fiber_moves_between_threads(void)
{
    struct pair p;

    pair_open(&p, 64 * 1024, count_for_ever);
    pair_resume(&p);
    for (int i = 0; i < 4; i++) {
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, resume_elsewhere, &p) == 0);
        pthread_join(thread, NULL);
    }
    filch__context_adopt(&p.driver);
    pair_resume(&p);
    CHECK(p.count == 6);
    pair_close(&p);
}

/* Frames that never return leave the sanitizers' marks on the stack. */
static void stack_is_used_again(void)
{
    struct pair p;

    pair_open(&p, 1024 * 1024, count_for_ever);
    pair_resume(&p);
    filch__context_release(&p.fiber);
    filch__context_init(&p.fiber, &p.stack, go_deep, &p);
    pair_resume(&p);
    CHECK(p.count == 500 && p.done);
    pair_close(&p);
}

/* --- bench --- */

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void bench(void)
{
    const long switches = 20000000, stacks = 20000;
    double best_pair = 1e9, best_ring = 1e9, t;
    struct filch__stack s;
    struct pair p;

    pair_open(&p, 64 * 1024, count_for_ever);
    ring_open();
    for (int run = 0; run < 5; run++) {
        t = now_ns();
        for (long i = 0; i < switches / 2; i++)
            pair_resume(&p);
        t = (now_ns() - t) / (double)switches;
        best_pair = t < best_pair ? t : best_pair;

        t = now_ns();
        ring_turn(switches / FIBERS);
        t = (now_ns() - t) / (double)switches;
        best_ring = t < best_ring ? t : best_ring;
    }
    printf("switch, two contexts: %.2f ns\nswitch, ring of %d: %.2f ns\n", best_pair, FIBERS,
           best_ring);
    ring_close();
    pair_close(&p);

    t = now_ns();
    for (long i = 0; i < stacks; i++) {
        if (filch__stack_create(&s, 1024 * 1024) != 0)
            exit(1);
        s.base[s.size - 1] = 1;
        filch__stack_destroy(&s);
    }
    printf("stack create, touch, destroy: %.0f ns\n", (now_ns() - t) / (double)stacks);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench();
        return 0;
    }
    RUN(entry_gets_its_argument);
    RUN(switch_preserves_registers);
    RUN(deep_call);
    RUN(unwinding_ends_at_the_fibers_bottom);
    RUN(ring_of_fibers);
    RUN(fiber_moves_between_threads);
    RUN(stack_is_used_again);
    return summary();
}
