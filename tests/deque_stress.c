/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deques and fork stacks under two thieves: every item comes out exactly once.
 *
 * The owner and the thieves meet before and after each round. In a round the owner does a random
 * mixture of its operations, now and then computing for a while so that thieves must force their
 * way; then all empty what is left. Each structure starts at a random index, often just below the
 * wrap at 2^24. Every case runs with asymmetric barriers and with fences.
 */
#define _GNU_SOURCE 1
#include "sched/barrier.h"
#include "sched/deque.h"
#include "sched/os/clock.h"
#include "sched/os/memory.h"
#include "sched/os/thread.h"
#include "tests/check.h"
#include <filch/forks.h>

enum { THIEVES = 2, ITEMS = 1 << 13, SLOTS = 96, ROUND = 20000 };

/* ---- the frame of both ---- */

static struct {
    bool (*steal)(uint32_t me); /* one attempt; true if it got something */
    uint32_t arrived, left;     /* threads, over all rounds */
    uint32_t round;             /* written by the owner */
    uint32_t over;              /* the owner has ended this round */
    uint32_t stop;
} meeting;

static void wait_for(uint32_t *word, uint32_t at_least)
{
    for (int looks = 0; (int32_t)(filch__load_acquire(word) - at_least) < 0; looks++)
        if (looks > 200)
            filch__os_yield();
}

static void *thief_main(void *arg)
{
    uint32_t me = (uint32_t)(uintptr_t)arg;
    for (uint32_t round = 1;; round++) {
        wait_for(&meeting.round, round);
        if (filch__load_acquire(&meeting.stop))
            return NULL;
        filch__add_acq_rel(&meeting.arrived, 1u);
        for (int misses = 0; filch__load_acquire(&meeting.over) != round;) {
            misses = meeting.steal(me) ? 0 : misses + 1;
            if (misses > 200)
                filch__os_yield();
        }
        filch__add_acq_rel(&meeting.left, 1u);
    }
}

/* Runs prepare, then own with the thieves at work, then finish, `rounds` times. */
static void run_rounds(long rounds, bool (*steal)(uint32_t), void (*prepare)(void),
                       void (*own)(void), void (*finish)(void))
{
    filch__thread thief[THIEVES];
    memset(&meeting, 0, sizeof meeting);
    meeting.steal = steal;
    for (uintptr_t i = 0; i < THIEVES; i++)
        REQUIRE(filch__thread_create(&thief[i], thief_main, (void *)i, 0, "thief") == 0);
    for (uint32_t round = 1; round <= (uint32_t)rounds; round++) {
        prepare();
        filch__store_release(&meeting.round, round);
        wait_for(&meeting.arrived, THIEVES * round);
        own();
        filch__store_release(&meeting.over, round);
        wait_for(&meeting.left, THIEVES * round);
        finish();
    }
    filch__store_release(&meeting.stop, 1u);
    filch__add_acq_rel(&meeting.round, 1u);
    for (int i = 0; i < THIEVES; i++)
        filch__thread_join(&thief[i]);
}

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    return test_random(&random_state, n);
}

/* The owner does something else for some microseconds, or gives its CPU to a thief. */
static void compute(void)
{
    if (below(4) == 0)
        filch__os_yield();
    int64_t until = filch__now() + below(10000);
    while (filch__now() < until)
        ;
}

/* Half of the rounds cross the wrap of the index. */
static uint32_t random_index(void)
{
    return below(2) ? FILCH__INDEX_MASK + 1 - below(300) : below(FILCH__INDEX_MASK + 1);
}

/* An empty split, at an index of choice. */
static void start_at(struct filch__split *s, uintptr_t base, uint32_t index, uintptr_t tail)
{
    s->base = base;
    s->tail = tail;
    s->word = filch__word_make(index, index, 0, 0);
    s->bound = filch__asymmetric ? tail : FILCH__BOUND_ALL;
}

/* ---- deques ---- */

struct thing {
    struct filch__runnable runnable;
    uint64_t mark; /* plain, written before the push: a race here is one of the deque */
    uint32_t in;   /* 1: pushed and not yet taken */
};

static struct {
    struct filch__arena *arena;
    struct filch__deque deque;
    struct thing thing[ITEMS];
    uint32_t next; /* where the owner looks for a free thing */
    uint64_t pushed, owner_got;
    struct {
        uint64_t got, wrong;
        char pad[48];
    } thief[THIEVES];
    uint64_t wrong, generations, operations;
} dq;

/* Whoever got a runnable: false if it was not in. */
static bool check_out(struct filch__runnable *r)
{
    struct thing *t = (struct thing *)(void *)r;
    bool good = t->mark == (uint64_t)(t - dq.thing);
    t->mark = UINT64_MAX;
    return filch__exchange_acq_rel(&t->in, 0u) == 1 && good;
}

static void owner_out(struct filch__runnable *r)
{
    dq.operations++;
    if (!r)
        return;
    dq.owner_got++;
    dq.wrong += !check_out(r);
}

static bool deque_thief(uint32_t me)
{
    struct filch__runnable *r;
    if (filch__deque_steal(&dq.deque, me, &r) != FILCH__STEAL_TAKEN)
        return false;
    while (r) {
        struct filch__runnable *next = r->next;
        dq.thief[me].got++;
        dq.thief[me].wrong += !check_out(r);
        r = next;
    }
    return true;
}

static void owner_push(void)
{
    struct thing *t = &dq.thing[dq.next++ % ITEMS];
    if (filch__load_acquire(&t->in))
        return;
    t->mark = (uint64_t)(t - dq.thing);
    filch__store_relaxed(&t->in, 1u);
    dq.wrong += !filch__deque_push(&dq.deque, &t->runnable);
    dq.pushed++;
    dq.operations++;
}

static void deque_prepare(void)
{
    REQUIRE(filch__deque_init(&dq.deque, dq.arena, 2) == 0);
    uint32_t index = random_index();
    start_at(&dq.deque.split, 0, index, index);
}

static void deque_own(void)
{
    for (uint32_t done = 0; done < ROUND;) {
        uint32_t kind = below(8), n = 1 + below(below(4) ? 12 : 600);
        done += n;
        if (below(200) == 0)
            compute();
        for (uint32_t i = 0; i < n; i++)
            if (kind < 3)
                owner_push();
            else if (kind < 6)
                owner_out(filch__deque_pop(&dq.deque));
            else if (kind == 6)
                owner_out(filch__deque_take(&dq.deque));
            else if (i & 1)
                owner_out(filch__deque_pop(&dq.deque));
            else
                owner_push();
    }
    for (struct filch__runnable *r;
         (r = below(2) ? filch__deque_pop(&dq.deque) : filch__deque_take(&dq.deque));)
        owner_out(r);
    /* What pops cannot get any more, thieves have taken: the count agrees. */
    dq.wrong += filch__deque_count(&dq.deque) != 0;
}

static void deque_finish(void)
{
    dq.generations += filch__word_generation(dq.deque.split.word);
    filch__deque_destroy(&dq.deque);
}

static void deque_exactly_once(void)
{
    long operations = sized(2000 * 1000, 10 * 1000 * 1000, 100 * 1000 * 1000);
    if (RUNNING_ON_VALGRIND)
        operations /= 20;
    memset(&dq, 0, sizeof dq);
    random_state = test_seed();
    REQUIRE(filch__arena_create(&dq.arena) == 0);
    run_rounds(operations / ROUND, deque_thief, deque_prepare, deque_own, deque_finish);
    uint64_t got = dq.owner_got, wrong = dq.wrong, stolen = 0;
    for (int i = 0; i < THIEVES; i++) {
        stolen += dq.thief[i].got;
        wrong += dq.thief[i].wrong;
    }
    uint32_t still_in = 0;
    for (int i = 0; i < ITEMS; i++)
        still_in += dq.thing[i].in;
    printf("       %" PRIu64 " operations, %" PRIu64 " stolen, %" PRIu64 " generations\n",
           dq.operations, stolen, dq.generations);
    CHECK(dq.operations >= (uint64_t)operations / 2);
    CHECK(got + stolen == dq.pushed);
    CHECK(wrong == 0 && still_in == 0);
    CHECK(stolen > 0 && dq.generations > 0);
    CHECK(filch__arena_live(dq.arena) == 0);
    filch__arena_destroy(dq.arena);
}

/* ---- fork stacks ---- */

struct job {
    uint64_t mark; /* plain, as above */
    uint32_t ran;  /* times */
};

static struct {
    struct filch__split split;
    struct filch__slot slot[SLOTS];
    uint32_t first; /* index of slot[0] */
    uint64_t forked, stolen, wrong;
    long budget; /* forks left in this round */
} fs;

static int done_marker(void *arg)
{
    (void)arg;
    return 0;
}

static bool run_job(struct job *job)
{
    bool good = job->mark == (uint64_t)(uintptr_t)job;
    return filch__add_acq_rel(&job->ran, 1u) == 0 && good;
}

static bool forks_thief(uint32_t me)
{
    uint64_t word;
    uint32_t one;
    if (filch__split_steal(&fs.split, me, FILCH__UNIT_SLOT, 1, &word, &one) != FILCH__STEAL_TAKEN)
        return false;
    struct filch__slot *slot = &fs.slot[(filch__word_head(word) - fs.first) & FILCH__INDEX_MASK];
    bool good = run_job(slot->arg);
    slot->arg = (void *)(uintptr_t)good;
    filch__store_release(&slot->fn, (filch_fn *)1);
    return true;
}

static struct filch__slot *fork_job(struct job *job)
{
    uintptr_t position = fs.split.tail;
    struct filch__slot *slot = (struct filch__slot *)position;
    *job = (struct job){.mark = (uint64_t)(uintptr_t)job};
    if (position < fs.split.end) {
        filch__store_relaxed(&slot->fn, done_marker);
        slot->arg = job;
    }
    filch__store_release(&fs.split.tail, position + sizeof *slot);
    fs.forked++;
    fs.budget--;
    return slot;
}

static void sync_job(struct filch__slot *slot, struct job *job)
{
    uintptr_t position = (uintptr_t)slot;
    filch__store_relaxed(&fs.split.tail, position);
    filch__fence_compiler();
    if (position >= fs.split.end || position >= filch__load_relaxed(&fs.split.bound) ||
        filch__split_settle(&fs.split, position, FILCH__UNIT_SLOT) == FILCH__POP_MINE) {
        fs.wrong += !run_job(job);
    } else {
        filch__store_relaxed(&fs.split.tail, position + sizeof *slot);
        for (int looks = 0; filch__load_acquire(&slot->fn) != (filch_fn *)1; looks++)
            if (looks > 200)
                filch__os_yield();
        fs.stolen++;
        fs.wrong += slot->arg == NULL;
        filch__store_relaxed(&fs.split.tail, position);
        filch__split_rewind(&fs.split, position, FILCH__UNIT_SLOT);
    }
    fs.wrong += filch__load_relaxed(&job->ran) != 1;
}

/* A frame of the owner: forks some, descends, syncs them the newest first. */
static void frame(int depth)
{
    enum { MOST = 8 };
    struct job job[MOST];
    struct filch__slot *slot[MOST];
    uint32_t n = 1 + below(MOST);
    for (uint32_t i = 0; i < n; i++)
        slot[i] = fork_job(&job[i]);
    bool deeper = depth > 0 && fs.budget > 0;
    if (deeper && below(3))
        frame(depth - 1);
    if (below(1000) == 0)
        compute();
    if (below(2000) == 0) /* as a fiber does before it suspends */
        (void)filch__split_expose_all(&fs.split, FILCH__UNIT_SLOT);
    while (n > 0) {
        n--;
        sync_job(slot[n], &job[n]);
        if (deeper && fs.budget > 0 && below(4) == 0)
            frame(depth - 1);
    }
}

static void forks_prepare(void)
{
    memset(&fs.split, 0, sizeof fs.split);
    uint32_t index = random_index();
    uintptr_t at = (uintptr_t)fs.slot;
    filch__split_init(&fs.split, at, at + sizeof fs.slot);
    start_at(&fs.split, at - ((uintptr_t)index << FILCH__UNIT_SLOT), index, at);
    fs.first = index;
    fs.budget = ROUND;
}

static void forks_own(void)
{
    while (fs.budget > 0)
        frame(16);
    fs.wrong += fs.split.tail != (uintptr_t)fs.slot;
}

static void forks_finish(void)
{
    fs.wrong += filch__word_split(fs.split.word) != filch__word_head(fs.split.word);
}

static void forks_exactly_once(void)
{
    long forks = sized(1000 * 1000, 5 * 1000 * 1000, 50 * 1000 * 1000);
    if (RUNNING_ON_VALGRIND)
        forks /= 20;
    memset(&fs, 0, sizeof fs);
    random_state = test_seed();
    run_rounds(forks / ROUND, forks_thief, forks_prepare, forks_own, forks_finish);
    printf("       %" PRIu64 " forks, %" PRIu64 " stolen\n", fs.forked, fs.stolen);
    CHECK(fs.wrong == 0);
    CHECK(fs.stolen > 0);
}

/* ---- */

static void with_fences(void (*test)(void))
{
    filch__asymmetric = false;
    test();
    filch__barrier_init_process();
}

static void deque_fences(void)
{
    with_fences(deque_exactly_once);
}

static void forks_fences(void)
{
    with_fences(forks_exactly_once);
}

int main(void)
{
    filch__barrier_init_process();
    if (filch__asymmetric) {
        run_case_within(300, "deque: exactly once, asymmetric barriers", deque_exactly_once);
        run_case_within(300, "fork stack: exactly once, asymmetric barriers", forks_exactly_once);
    } else {
        printf("       (no asymmetric barriers in this build or on this system: fences only)\n");
    }
    run_case_within(300, "deque: exactly once, fences", deque_fences);
    run_case_within(300, "fork stack: exactly once, fences", forks_fences);
    return summary();
}
