/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks, contexts and the diagnosis of overflows, below the scheduler.
 * With --bench: the time of a switch and of a stack.
 */
#define _GNU_SOURCE
#include "sched/fiber/context.h"
#include "sched/fiber/overflow.h"
#include "sched/os/fault.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Sanitizers keep a shadow of each stack, in mappings of their own. */
#if defined(FILCH__ASAN) || defined(FILCH__TSAN)
enum { MANY_STACKS = 10000, FIBERS = 100, SANITIZED = 1 };
#else
enum { MANY_STACKS = 200000, FIBERS = 1000, SANITIZED = 0 };
#endif

static int passed, failed;
static bool case_ok;

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            case_ok = false;                                                \
        }                                                                   \
    } while (0)

/* One fiber and whoever drives it. */
struct pair {
    struct filch__context driver;
    struct filch__context fiber;
    struct filch__stack stack;
    void *seen;
    long count;
    bool ok;
    bool done;
};

static void pair_open(struct pair *p, size_t size, void (*entry)(void *))
{
    memset(p, 0, sizeof(*p));
    if (filch__stack_create(&p->stack, size) != 0) {
        fprintf(stderr, "no stack\n");
        exit(1);
    }
    filch__context_adopt(&p->driver);
    filch__context_init(&p->fiber, &p->stack, entry, p);
}

static void pair_resume(struct pair *p)
{
    filch__context_switch(&p->driver, &p->fiber);
}

static void pair_suspend(struct pair *p)
{
    filch__context_switch(&p->fiber, &p->driver);
}

static void pair_end(struct pair *p)
{
    p->done = true;
    filch__context_switch_final(&p->fiber, &p->driver);
}

static void pair_close(struct pair *p)
{
    filch__context_release(&p->fiber);
    filch__context_release(&p->driver);
    filch__stack_destroy(&p->stack);
}

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

static void test_entry_gets_its_argument(void)
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

static void test_switch_preserves_registers(void)
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

/* --- floating-point control --- */

static void round_upward(void *arg)
{
    struct pair *p = arg;

    p->ok = fegetround() == FE_TONEAREST;
    fesetround(FE_UPWARD);
    pair_suspend(p);
    p->ok = p->ok && fegetround() == FE_UPWARD;
    pair_end(p);
}

static void test_rounding_mode_belongs_to_the_context(void)
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

static void test_new_context_takes_no_rounding_mode_from_a_task(void)
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

static void test_new_context_takes_the_threads_rounding_mode(void)
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

static void test_x87_control_word_belongs_to_the_context(void)
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

/* --- depth, unwinding, many, threads --- */

static long deep(long n)
{
    volatile char frame[512];

    frame[0] = (char)n;
    return n == 0 ? 0 : 1 + deep(n - 1) + (frame[0] - (char)n);
}

static void go_deep(void *arg)
{
    struct pair *p = arg;

    p->count = deep(500);
    pair_end(p);
}

static void test_deep_call(void)
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

static void test_unwinding_ends_at_the_fibers_bottom(void)
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

static void test_ring_of_fibers(void)
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

static void test_fiber_moves_between_threads(void)
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
static void test_stack_is_used_again(void)
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

/* --- stacks --- */

static void test_bad_sizes(void)
{
    struct filch__stack s = {.size = 12345};

    CHECK(filch__stack_create(&s, 0) == -EINVAL);
    CHECK(filch__stack_create(&s, FILCH__STACK_MIN - 1) == -EINVAL);
    CHECK(filch__stack_create(&s, SIZE_MAX) == -EINVAL);
    CHECK(filch__stack_create(&s, SIZE_MAX - FILCH__STACK_GUARD) == -EINVAL);
    CHECK(filch__stack_create(&s, (size_t)1 << 55) == -ENOMEM);
    CHECK(s.size == 12345);
}

static void test_size_is_rounded_up_to_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct filch__stack s;

    CHECK(filch__stack_create(&s, 100001) == 0);
    CHECK(s.size >= 100001 && s.size < 100001 + page && s.size % page == 0);
    CHECK(s.base == s.map + FILCH__STACK_GUARD && s.map_size == s.size + FILCH__STACK_GUARD);
    memset(s.base, 1, s.size);
    CHECK(filch__stack_guard_hit(&s, s.base - 1) && filch__stack_guard_hit(&s, s.map));
    CHECK(!filch__stack_guard_hit(&s, s.base) && !filch__stack_guard_hit(&s, s.map - 1));
    filch__stack_destroy(&s);
}

static long resident(const struct filch__stack *s)
{
    size_t pages = s->size / (size_t)sysconf(_SC_PAGESIZE);
    unsigned char in_core[1024];
    long n = 0;

    if (pages > sizeof(in_core) || mincore(s->base, s->size, in_core) != 0)
        return -1;
    for (size_t i = 0; i < pages; i++)
        n += in_core[i] & 1;
    return n;
}

/* The kernel is asked, so that no handler comes in. */
static bool writable(char *p)
{
    return getrandom(p, 1, 0) == 1 || errno != EFAULT;
}

static void test_touch_costs_one_page_and_trim_gives_back(void)
{
    long page = sysconf(_SC_PAGESIZE);
    struct filch__stack s;

    CHECK(filch__stack_create(&s, (size_t)page * 1024) == 0);
    s.base[s.size - 1] = 7;
    CHECK(resident(&s) == 1);
    memset(s.base, 7, s.size);
    CHECK(resident(&s) == 1024);
    filch__stack_trim(&s, (size_t)page + 1);
    CHECK(resident(&s) == 2 && s.base[s.size - 1] == 7);
    CHECK(!writable(s.base - 1) && !writable(s.map));
    filch__stack_trim(&s, SIZE_MAX);
    CHECK(resident(&s) == 2);
    filch__stack_trim(&s, 0);
    CHECK(resident(&s) == 0);
    CHECK(writable(s.base) && !writable(s.base - 1));
    filch__stack_destroy(&s);
}

static long mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    long n = 0;
    int c;

    if (maps == NULL)
        return -1;
    while ((c = getc(maps)) != EOF)
        n += c == '\n';
    fclose(maps);
    return n;
}

static void destroy_in_odd_order(struct filch__stack *s, int n)
{
    /* 7919 is prime and n is not a multiple of it: every one is met once. */
    for (long i = 0; i < n; i++)
        filch__stack_destroy(&s[i * 7919 % n]);
}

static void test_many_stacks(void)
{
    const int many = RUNNING_ON_VALGRIND ? 1000 : MANY_STACKS;
    struct filch__stack *s = malloc((size_t)many * sizeof(*s));
    long before = mappings();
    int n = 0;

    while (n < many && filch__stack_create(&s[n], FILCH__STACK_MIN) == 0) {
        s[n].base[s[n].size - 1] = 1;
        n++;
    }
    if (filch__stack_guards_are_cheap()) {
        CHECK(n == many);
        CHECK(SANITIZED || mappings() - before < 100);
    } else {
        CHECK(n == many || n > 15000);
    }
    destroy_in_odd_order(s, n);
    CHECK(SANITIZED || mappings() - before < 200); /* a spare slab has up to 64 mapped guards */
    free(s);
}

/* Each writes its stacks full of its own mark: two that got the same one would see it. */
static void *come_and_go(void *arg)
{
    enum { HELD = 70 }; /* more than a slab has */
    struct filch__stack s[HELD];
    int mark = *(int *)arg;
    long wrong = 0;

    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < HELD; i++) {
            wrong += filch__stack_create(&s[i], FILCH__STACK_MIN << (i % 2)) != 0;
            memset(s[i].base, mark, s[i].size);
        }
        for (int i = 0; i < HELD; i++) {
            wrong += s[i].base[0] != mark || s[i].base[s[i].size - 1] != mark;
            filch__stack_destroy(&s[i]);
        }
    }
    *(int *)arg = wrong != 0;
    return NULL;
}

static void test_stacks_come_and_go_on_all_threads(void)
{
    pthread_t thread[4];
    int mark[4];

    for (int i = 0; i < 4; i++) {
        mark[i] = i + 1;
        CHECK(pthread_create(&thread[i], NULL, come_and_go, &mark[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        CHECK(mark[i] == 0);
    }
}

#ifdef FILCH_FAULTS
static void test_refused_mapping(void)
{
    struct filch__stack s = {.size = 12345};

    filch__fault_arm(FILCH__FAULT_MMAP, 0, false);
    CHECK(filch__stack_create(&s, 64 * 1024) == -ENOMEM);
    CHECK(s.size == 12345);
    filch__fault_arm(FILCH__FAULT_MMAP, -1, false);
    CHECK(filch__stack_create(&s, 64 * 1024) == 0);
    filch__stack_destroy(&s);
}
#endif

/* --- overflow --- */

static struct pair *running;

static bool describe(const void *addr, char *name, size_t cap)
{
    if (running == NULL || !filch__stack_guard_hit(&running->stack, addr))
        return false;
    snprintf(name, cap, "digger\n%d", 7);
    return true;
}

/* Runs body in a child; returns its wait status, and what it wrote to standard error. */
static int in_child(void (*body)(void), char *said, size_t cap)
{
    int fds[2], status = 0;
    size_t got = 0;
    ssize_t n;
    pid_t pid;

    if (pipe(fds) != 0 || (pid = fork()) < 0)
        return -1;
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        body();
        _exit(0);
    }
    close(fds[1]);
    while ((n = read(fds[0], said + got, got < cap - 1 ? cap - 1 - got : 0)) > 0)
        got += (size_t)n;
    said[got] = '\0';
    close(fds[0]);
    waitpid(pid, &status, 0);
    return status;
}

static void dig(void *arg)
{
    deep(1L << 40);
    pair_end(arg);
}

static void overflow(void)
{
    struct pair p;

    filch__overflow_set_describe(describe);
    if (filch__overflow_attach() != 0)
        _exit(3);
    pair_open(&p, 64 * 1024, dig);
    running = &p;
    pair_resume(&p);
}

static void test_overflow_names_the_task(void)
{
    char said[4096];
    int status = in_child(overflow, said, sizeof(said));

    CHECK(strstr(said, "filch: stack overflow in task \"digger?7\" at 0x") != NULL);
    CHECK(strstr(said, " (stack_size can be raised in filch_spawn_options)\n") != NULL);
    /* A sanitizer's own handler comes after ours, and exits. */
    CHECK(SANITIZED ? status != 0 : WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void exit_42(int sig)
{
    (void)sig;
    _exit(42);
}

static void exit_43(int sig, siginfo_t *info, void *ucontext)
{
    (void)sig;
    (void)ucontext;
    _exit(info->si_code > 0 ? 43 : 44);
}

static void touch_null(void)
{
    volatile char *volatile null = NULL;

    *null = 1;
}

static void attach_over(struct sigaction *previous)
{
    sigaction(SIGSEGV, previous, NULL);
    filch__overflow_set_describe(describe);
    if (filch__overflow_attach() != 0 || filch__overflow_attach() != 0)
        _exit(3);
}

static void miss_with_handler(void)
{
    attach_over(&(struct sigaction){.sa_handler = exit_42});
    touch_null();
}

static void miss_with_siginfo_handler(void)
{
    attach_over(&(struct sigaction){.sa_sigaction = exit_43, .sa_flags = SA_SIGINFO});
    touch_null();
}

static void miss_with_one_shot_handler(void)
{
    attach_over(&(struct sigaction){.sa_handler = exit_42, .sa_flags = (int)SA_RESETHAND});
    touch_null();
}

static void miss_with_default(void)
{
    attach_over(&(struct sigaction){.sa_handler = SIG_DFL});
    touch_null();
}

static void sent_with_default(void)
{
    attach_over(&(struct sigaction){.sa_handler = SIG_DFL});
    kill(getpid(), SIGSEGV);
}

static void sent_with_ignore(void)
{
    attach_over(&(struct sigaction){.sa_handler = SIG_IGN});
    kill(getpid(), SIGSEGV);
    _exit(45);
}

static void overflow_after_detach(void)
{
    stack_t now;

    attach_over(&(struct sigaction){.sa_handler = SIG_DFL});
    filch__overflow_detach();
    filch__overflow_detach();
    sigaltstack(NULL, &now);
    _exit(now.ss_flags & SS_DISABLE || SANITIZED ? 46 : 1);
}

static void test_other_faults_are_handed_on(void)
{
    static const struct {
        void (*body)(void);
        int exit_status; /* 0: dies of SIGSEGV */
    } table[] = {
        {miss_with_handler, 42},          {miss_with_siginfo_handler, 43},
        {miss_with_one_shot_handler, 42}, {miss_with_default, 0},
        {sent_with_default, 0},           {sent_with_ignore, 45},
        {overflow_after_detach, 46},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        char said[4096];
        int status = in_child(table[i].body, said, sizeof(said));

        CHECK(strstr(said, "filch:") == NULL);
        if (table[i].exit_status != 0)
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == table[i].exit_status);
        else
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
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

#define RUN(test)                                            \
    do {                                                     \
        case_ok = true;                                      \
        test();                                              \
        printf("%s %s\n", case_ok ? "ok  " : "FAIL", #test); \
        fflush(stdout);                                      \
        passed += case_ok;                                   \
        failed += !case_ok;                                  \
    } while (0)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench();
        return 0;
    }
    RUN(test_entry_gets_its_argument);
    RUN(test_switch_preserves_registers);
    RUN(test_rounding_mode_belongs_to_the_context);
    RUN(test_new_context_takes_no_rounding_mode_from_a_task);
    RUN(test_new_context_takes_the_threads_rounding_mode);
#if defined(__x86_64__)
    RUN(test_x87_control_word_belongs_to_the_context);
#endif
    RUN(test_deep_call);
    RUN(test_unwinding_ends_at_the_fibers_bottom);
    RUN(test_ring_of_fibers);
    RUN(test_fiber_moves_between_threads);
    RUN(test_stack_is_used_again);
    RUN(test_bad_sizes);
    RUN(test_size_is_rounded_up_to_pages);
    RUN(test_touch_costs_one_page_and_trim_gives_back);
    RUN(test_many_stacks);
    RUN(test_stacks_come_and_go_on_all_threads);
#ifdef FILCH_FAULTS
    RUN(test_refused_mapping);
#endif
    RUN(test_overflow_names_the_task);
    RUN(test_other_faults_are_handed_on);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
