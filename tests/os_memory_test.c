/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of sched/os/memory.h, for either allocator. The fault case needs -DFILCH_FAULTS. */
#define _GNU_SOURCE 1
#include "sched/os/clock.h"
#include "sched/os/fault.h"
#include "sched/os/live.h"
#include "sched/os/memory.h"
#include "sched/os/random.h"
#include "sched/os/thread.h"
#include "tests/os_check.h"

#include <errno.h>
#include <stdlib.h>

/* A sanitizer's allocator ends the program at a request too large, unless told. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
/* ThreadSanitizer's search for deadlocks ends at 64 locks held; jemalloc's fork handler holds more.
 */
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1:detect_deadlocks=0";
}

static void fill(void *p, size_t size, unsigned char with)
{
    memset(p, with, size);
}

static bool filled(const void *p, size_t size, unsigned char with)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < size; i++) {
        if (b[i] != with)
            return false;
    }
    return true;
}

static void memory_sizes_and_alignments(void)
{
    static const size_t sizes[] = {1,   7,   16,   24,   64,   100,   128,   192,    576,
                                   640, 961, 4096, 5000, 8192, 30000, 32768, 100000, 3000000};
    enum { SIZES = sizeof sizes / sizeof *sizes, ALIGNS = 14 };
    static unsigned char *block[SIZES][ALIGNS];
    struct filch__arena *a;
    CHECK(filch__arena_create(&a) == 0);
    size_t live = 0;
    for (int s = 0; s < SIZES; s++) {
        for (int l = 0; l < ALIGNS; l++) {
            unsigned char *p = filch__alloc(a, sizes[s], (size_t)1 << l);
            CHECK(p != NULL && (uintptr_t)p % ((size_t)1 << l) == 0);
            fill(p, sizes[s], (unsigned char)(s * ALIGNS + l));
            live += sizes[s];
            CHECK(filch__arena_live(a) == live);
            block[s][l] = p;
        }
    }
    for (int s = SIZES - 1; s >= 0; s--) {
        for (int l = 0; l < ALIGNS; l++) {
            CHECK(filled(block[s][l], sizes[s], (unsigned char)(s * ALIGNS + l)));
            filch__free(a, block[s][l], sizes[s], (size_t)1 << l);
            live -= sizes[s];
            CHECK(filch__arena_live(a) == live);
        }
    }
    filch__free(a, NULL, 100, 8);
    CHECK(filch__arena_live(a) == 0);
    filch__arena_destroy(a);
}

static void memory_cache_and_arena_interchange(void)
{
    struct filch__arena *a;
    struct filch__cache *c[2];
    CHECK(filch__arena_create(&a) == 0);
    CHECK(filch__cache_create(&c[0], a) == 0 && filch__cache_create(&c[1], a) == 0);
    static void *block[2000];
    size_t live = 0;
    for (size_t i = 0; i < 2000; i++) {
        size_t size = i + 1;
        block[i] = i % 3 == 0 ? filch__alloc(a, size, filch__cache_align(size))
                              : filch__cache_alloc(c[i % 3 - 1], size);
        CHECK(block[i] != NULL);
        CHECK((uintptr_t)block[i] % 16 == 0 && (size % 64 != 0 || (uintptr_t)block[i] % 64 == 0));
        fill(block[i], size, (unsigned char)i);
        live += size;
    }
    CHECK(filch__arena_live(a) == live);
    for (size_t i = 0; i < 2000; i++) {
        size_t size = i + 1;
        CHECK(filled(block[i], size, (unsigned char)i));
        if (i % 2 == 0)
            filch__cache_free(c[i / 2 % 2], block[i], size);
        else
            filch__free(a, block[i], size, filch__cache_align(size));
    }
    filch__cache_free(c[0], NULL, 64);
    CHECK(filch__arena_live(a) == 0);
    void *held = filch__cache_alloc(c[1], 128);
    filch__cache_flush(c[0]);
    filch__cache_flush(c[1]);
    filch__cache_destroy(c[1]);
    CHECK(filch__arena_live(a) == 128); /* the count outlives the cache that made it */
    filch__cache_free(c[0], held, 128);
    CHECK(filch__arena_live(a) == 0);
    filch__cache_destroy(c[0]);
    filch__arena_destroy(a);
}

static void memory_too_large(void)
{
    struct filch__arena *a;
    struct filch__cache *c;
    CHECK(filch__arena_create(&a) == 0);
    CHECK(filch__cache_create(&c, a) == 0);
    volatile size_t size = PTRDIFF_MAX;
    CHECK(filch__alloc(a, size, 16) == NULL);
    CHECK(filch__alloc(a, size, 4096) == NULL);
    CHECK(filch__cache_alloc(c, size) == NULL);
    CHECK(filch__cache_alloc(c, size / 64 * 64) == NULL);
    CHECK(filch__arena_live(a) == 0);
    filch__cache_destroy(c);
    filch__arena_destroy(a);
}

/* jemalloc numbers arenas and caches up to 4095: an end must give the number back. */
static void memory_many_arenas_and_caches(void)
{
    for (int i = 0; i < 4500; i++) {
        struct filch__arena *a;
        struct filch__cache *c;
        int error = filch__arena_create(&a);
        CHECK(error == 0);
        if (error != 0)
            return;
        error = filch__cache_create(&c, a);
        CHECK(error == 0);
        void *p = filch__alloc(a, 128, 64), *q = filch__cache_alloc(c, 128);
        filch__cache_free(c, p, 128);
        filch__free(a, q, 128, 64);
        filch__cache_destroy(c);
        filch__arena_destroy(a);
    }
}

/* Threads get shards in turn: of these, HAMMERS share the first and use it at once. */
enum { HAMMERS = 3, HAMMER_THREADS = HAMMERS * FILCH__LIVE_SHARDS, HAMMER_BLOCKS = 32 };

static struct {
    struct filch__arena *arena;
    unsigned arrived, count;
    void *kept[HAMMERS];
} hammered;

/* Random allocs and frees; leaves one block. */
static void *hammer(void *arg)
{
    (void)arg;
    if (filch__live_slot() != 0)
        return NULL;
    unsigned me = filch__add_relaxed(&hammered.count, 1u);
    CHECK(me < HAMMERS);
    uint64_t random = me;
    struct {
        unsigned char *p;
        size_t size;
    } block[HAMMER_BLOCKS] = {{NULL, 0}};
    meet(&hammered.arrived, HAMMERS);
    for (int i = 0; i < 100000; i++) {
        uint32_t k = filch__random_below(&random, HAMMER_BLOCKS);
        if (block[k].p != NULL) {
            CHECK(filled(block[k].p, block[k].size, (unsigned char)me));
            filch__free(hammered.arena, block[k].p, block[k].size, 16);
        }
        block[k].size = 1 + filch__random_below(&random, 100);
        block[k].p = filch__alloc(hammered.arena, block[k].size, 16);
        CHECK(block[k].p != NULL);
        fill(block[k].p, block[k].size, (unsigned char)me);
    }
    for (int k = 0; k < HAMMER_BLOCKS; k++) {
        if (block[k].p != NULL)
            filch__free(hammered.arena, block[k].p, block[k].size, 16);
    }
    hammered.kept[me] = filch__alloc(hammered.arena, 100 + me, 16);
    return NULL;
}

static void memory_arena_from_many_threads(void)
{
    hammered.arrived = hammered.count = 0;
    CHECK(filch__arena_create(&hammered.arena) == 0);
    filch__thread thread[HAMMER_THREADS];
    for (int i = 0; i < HAMMER_THREADS; i++)
        CHECK(filch__thread_create(&thread[i], hammer, NULL, 0, "hammer") == 0);
    for (int i = 0; i < HAMMER_THREADS; i++)
        filch__thread_join(&thread[i]);
    CHECK(hammered.count == HAMMERS);
    size_t live = 0;
    for (unsigned i = 0; i < HAMMERS; i++)
        live += 100 + i;
    CHECK(filch__arena_live(hammered.arena) == live);
    filch__arena_purge(hammered.arena);
    CHECK(filch__arena_live(hammered.arena) == live);
    for (unsigned i = 0; i < HAMMERS; i++)
        filch__free(hammered.arena, hammered.kept[i], 100 + i, 16);
    CHECK(filch__arena_live(hammered.arena) == 0);
    filch__arena_destroy(hammered.arena);
}

/* What a sum sees while calls are in flight: any of the parts may lag behind. */
static void memory_count_of_parts(void)
{
    static struct filch__live live;
    struct filch__live_part part[3];
    filch__live_init(&live);
    for (int i = 0; i < 3; i++)
        filch__live_attach(&live, &part[i]);
    filch__live_part_add(&part[0], -(size_t)5);
    CHECK(filch__live_sum(&live) == 0); /* the free was seen, its alloc not yet */
    filch__live_add(&live, 3, 8);
    CHECK(filch__live_sum(&live) == 3);
    filch__live_part_add(&part[2], 100);
    for (int i = 0; i < 3; i++) {
        filch__live_detach(&live, &part[(i + 1) % 3]);
        CHECK(filch__live_sum(&live) == 103);
    }
    CHECK(live.parts == NULL);
    filch__live_end(&live);
}

enum { PASSED_BLOCKS = 100000, PASS_RING = 256 };

/* One thread allocates from its cache, the other frees into its own. */
static struct {
    struct filch__cache *from, *to;
    unsigned char *ring[PASS_RING];
    _Alignas(64) uint32_t head; /* written by the sender */
    _Alignas(64) uint32_t tail; /* written by the receiver */
} pass;

static size_t pass_size(uint32_t i)
{
    return i % 5 == 0 ? 200 : 128;
}

static void *receive(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < PASSED_BLOCKS; i++) {
        while (filch__load_acquire(&pass.head) == i)
            filch__os_yield();
        unsigned char *p = pass.ring[i % PASS_RING];
        CHECK(filled(p, pass_size(i), (unsigned char)i));
        filch__store_release(&pass.tail, i + 1);
        filch__cache_free(pass.to, p, pass_size(i));
    }
    return NULL;
}

static void memory_blocks_pass_between_caches(void)
{
    struct filch__arena *a;
    CHECK(filch__arena_create(&a) == 0);
    CHECK(filch__cache_create(&pass.from, a) == 0 && filch__cache_create(&pass.to, a) == 0);
    pass.head = pass.tail = 0;
    filch__thread thread;
    CHECK(filch__thread_create(&thread, receive, NULL, 0, "receive") == 0);
    for (uint32_t i = 0; i < PASSED_BLOCKS; i++) {
        while (i - filch__load_acquire(&pass.tail) == PASS_RING)
            filch__os_yield();
        unsigned char *p = filch__cache_alloc(pass.from, pass_size(i));
        CHECK(p != NULL);
        fill(p, pass_size(i), (unsigned char)i);
        pass.ring[i % PASS_RING] = p;
        filch__store_release(&pass.head, i + 1);
        /* In flight at most the ring, the block in each hand; never a wrapped count. */
        if (i % 1000 == 0)
            CHECK(filch__arena_live(a) <= (PASS_RING + 2) * 200);
    }
    filch__thread_join(&thread);
    CHECK(filch__arena_live(a) == 0);
    filch__cache_destroy(pass.from);
    filch__cache_destroy(pass.to);
    filch__arena_destroy(a);
}

static long resident_pages(void)
{
    long size, resident = -1;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL)
        return -1;
    if (fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = -1;
    fclose(f);
    return resident;
}

static void memory_purge_gives_pages_back(void)
{
    enum { BLOCKS = 16384, SIZE = 4096 }; /* 64 MiB */
    static void *block[BLOCKS];
    struct filch__arena *a;
    CHECK(filch__arena_create(&a) == 0);
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = filch__alloc(a, SIZE, 64);
        fill(block[i], SIZE, 1);
    }
    long peak = resident_pages();
    for (int i = 0; i < BLOCKS; i++)
        filch__free(a, block[i], SIZE, 64);
    filch__arena_purge(a);
    /* A sanitizer's allocator keeps freed blocks on purpose. */
    CHECK(WITH_ASAN || WITH_TSAN ||
          resident_pages() < peak - (long)BLOCKS * SIZE / sysconf(_SC_PAGESIZE) / 2);
    filch__arena_destroy(a);
}

static void destroy_with_block(void)
{
    struct filch__arena *a;
    if (filch__arena_create(&a) == 0 && filch__alloc(a, 1, 1) != NULL)
        filch__arena_destroy(a);
}

static void destroy_with_cache(void)
{
    struct filch__arena *a;
    struct filch__cache *c;
    if (filch__arena_create(&a) == 0 && filch__cache_create(&c, a) == 0)
        filch__arena_destroy(a);
}

static void memory_destroy_too_early(void)
{
    CHECK(dies(destroy_with_block, "filch: an arena is destroyed with live blocks\n"));
    CHECK(dies(destroy_with_cache, "filch: an arena is destroyed before its caches\n"));
}

#ifdef FILCH_FAULTS

static void memory_refused(void)
{
    struct filch__arena *a = (void *)&a;
    struct filch__cache *c = (void *)&c;
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, false);
    CHECK(filch__arena_create(&a) == -ENOMEM && a == (void *)&a);
    CHECK(filch__arena_create(&a) == 0);
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, false);
    CHECK(filch__cache_create(&c, a) == -ENOMEM && c == (void *)&c);
    CHECK(filch__cache_create(&c, a) == 0);
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    CHECK(filch__alloc(a, 128, 64) == NULL && filch__cache_alloc(c, 128) == NULL);
    CHECK(filch__fault_seen(FILCH__FAULT_ALLOC) == 2 && filch__arena_live(a) == 0);
    filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
    filch__cache_destroy(c);
    filch__arena_destroy(a);
}

static void fault_cases(void)
{
    run_case("memory: refused", memory_refused);
}

#else

static void fault_cases(void) {}

#endif

int main(void)
{
    run_case("memory: sizes and alignments", memory_sizes_and_alignments);
    run_case("memory: cache and arena interchange", memory_cache_and_arena_interchange);
    run_case("memory: too large", memory_too_large);
    run_case("memory: many arenas and caches", memory_many_arenas_and_caches);
    run_case("memory: arena from many threads", memory_arena_from_many_threads);
    run_case("memory: count of parts", memory_count_of_parts);
    run_case("memory: blocks pass between caches", memory_blocks_pass_between_caches);
    run_case("memory: purge gives pages back", memory_purge_gives_pages_back);
    run_case("memory: destroy too early", memory_destroy_too_early);
    fault_cases();
    return summary();
}
