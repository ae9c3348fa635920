/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks: sizes, guards, memory given back, many of them. */
#define _GNU_SOURCE 1
#include "sched/os/fault.h"
#include "tests/fiber_check.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { MANY_STACKS = SANITIZED ? 10000 : 200000 };

static void bad_sizes(void)
{
    struct filch__stack s = {.size = 12345};

    CHECK(filch__stack_create(&s, 0) == -EINVAL);
    CHECK(filch__stack_create(&s, FILCH__STACK_MIN - 1) == -EINVAL);
    CHECK(filch__stack_create(&s, SIZE_MAX) == -EINVAL);
    CHECK(filch__stack_create(&s, SIZE_MAX - FILCH__STACK_GUARD) == -EINVAL);
    CHECK(filch__stack_create(&s, (size_t)1 << 55) == -ENOMEM);
    CHECK(s.size == 12345);
}

static void size_is_rounded_up_to_pages(void)
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

static void touch_costs_one_page_and_trim_gives_back(void)
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

static void many_stacks(void)
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

static void stacks_come_and_go_on_all_threads(void)
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
static void refused_mapping(void)
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

int main(void)
{
    RUN(bad_sizes);
    RUN(size_is_rounded_up_to_pages);
    RUN(touch_costs_one_page_and_trim_gives_back);
    RUN(many_stacks);
    RUN(stacks_come_and_go_on_all_threads);
#ifdef FILCH_FAULTS
    RUN(refused_mapping);
#endif
    return summary();
}
