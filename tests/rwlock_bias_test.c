/* SPDX-License-Identifier: Apache-2.0 */
/* The readers that the reader-writer lock does not count: none is forgotten, whoever unlocks for
 * whom, however their slots collide, and whenever the bias comes and goes. */
#include "tests/support.h"

#include "sync/readers.h"

static bool no_slot_has(const filch_rwlock *l)
{
    for (int i = 0; i < FILCH__READER_SLOTS; i++)
        if (filch__load_acquire(&filch__reader_slots[i]) == (uintptr_t)l)
            return false;
    return true;
}

static void make_biased(filch_rwlock *l)
{
    for (int i = 0; i < 5000 && !filch__load_relaxed(&l->biased); i++)
        CHECK(filch_rwlock_read_lock(l) == 0 && filch_rwlock_read_unlock(l) == 0);
    CHECK(l->biased);
}

static bool is_free(filch_rwlock *l)
{
    return filch_rwlock_try_write_lock(l) == 0 && filch_rwlock_write_unlock(l) == 0 &&
           filch_rwlock_read_unlock(l) == -EPERM && no_slot_has(l);
}

/* ---- on one thread ---- */

/* Shown, counted, and both at once; unlocked in the one and in the other state. */
static int comes_and_goes(void *unused)
{
    (void)unused;
    filch_rwlock l = FILCH_RWLOCK;
    for (int round = 0; round < 20; round++) {
        int before = round % 4, during = round % 3 + 1, taken = round % 2;
        for (int i = 0; i < before; i++)
            CHECK(filch_rwlock_read_lock(&l) == 0);
        make_biased(&l);
        for (int i = 0; i < during; i++)
            CHECK(filch_rwlock_read_lock(&l) == 0);
        CHECK(!no_slot_has(&l) && l.readers == (uint32_t)(before + during - 1));
        if (taken) {
            CHECK(filch_rwlock_try_write_lock(&l) == -EBUSY && !l.biased && no_slot_has(&l));
            CHECK(l.readers == (uint32_t)(before + during));
        }
        CHECK(filch_rwlock_destroy(&l) == -EBUSY);
        for (int i = 0; i < before + during; i++)
            CHECK(filch_rwlock_read_unlock(&l) == 0);
        CHECK(filch_rwlock_read_unlock(&l) == -EPERM && is_free(&l));
    }
    make_biased(&l);
    CHECK(filch_rwlock_destroy(&l) == 0 && !l.biased && is_free(&l));
    return 0;
}

static void the_bias_comes_and_goes(void)
{
    CHECK(comes_and_goes(NULL) == 0);
    in_task_of_each(comes_and_goes);
}

/* A future that is dropped before or after it was ready; ready, the lock stays. */
static void futures_of_biased_ones(void)
{
    filch_rwlock l = FILCH_RWLOCK;
    make_biased(&l);
    filch_rwlock_future unused = FILCH_RWLOCK_READ_FUTURE(&l), f = FILCH_RWLOCK_READ_FUTURE(&l);
    filch_rwlock_future writer = FILCH_RWLOCK_WRITE_FUTURE(&l);
    CHECK(filch_future_drop(&unused.future) == 0 && no_slot_has(&l));
    CHECK(filch_await(&f.future) == 0 && filch_future_drop(&f.future) == 0 && !no_slot_has(&l));
    CHECK(filch_poll(&writer.future, NULL) == FILCH_PENDING && no_slot_has(&l));
    CHECK(filch_rwlock_try_read_lock(&l) == -EBUSY);
    CHECK(filch_future_drop(&writer.future) == 0 && filch_rwlock_try_read_lock(&l) == 0);
    CHECK(filch_rwlock_read_unlock(&l) == 0 && filch_rwlock_read_unlock(&l) == 0 && is_free(&l));
}

/* Two locks whose readers may meet in one slot. */
static void locks_are_told_apart(void)
{
    enum { LOCKS = 3 * FILCH__READER_SLOTS };
    static filch_rwlock locks[LOCKS];
    for (int i = 0; i < LOCKS; i++) {
        locks[i] = (filch_rwlock)FILCH_RWLOCK;
        make_biased(&locks[i]);
    }
    for (int i = 0; i < LOCKS; i++)
        CHECK(filch_rwlock_read_lock(&locks[i]) == 0);
    for (int i = 0; i < LOCKS; i += 2)
        CHECK(filch_rwlock_try_write_lock(&locks[i]) == -EBUSY);
    for (int i = 0; i < LOCKS; i++)
        CHECK(filch_rwlock_read_unlock(&locks[i]) == 0);
    for (int i = 0; i < LOCKS; i++)
        CHECK(filch_rwlock_try_write_lock(&locks[i]) == 0 &&
              filch_rwlock_write_unlock(&locks[i]) == 0 && locks[i].readers == 0);
}

/* ---- many ---- */

struct crowd {
    filch_rwlock lock;
    filch_semaphore gate; /* lets readers unlock, each for itself or for others */
    uint32_t in, wrote, unlocked;
    bool for_others;
};

static int read_until_the_gate_opens(void *crowd)
{
    struct crowd *c = crowd;
    CHECK(filch_rwlock_read_lock(&c->lock) == 0);
    tally(&c->in);
    CHECK(filch_semaphore_acquire(&c->gate, 1) == 0);
    CHECK(!flag_up(&c->wrote));
    tally(&c->unlocked);
    return c->for_others ? 0 : filch_rwlock_read_unlock(&c->lock);
}

static int write_once(void *crowd)
{
    struct crowd *c = crowd;
    CHECK(filch_rwlock_write_lock(&c->lock) == 0);
    raise_flag(&c->wrote);
    return filch_rwlock_write_unlock(&c->lock);
}

/* More readers than slots; a writer comes before any, some or all of them leave. */
static void crowd_of(filch_runtime *rt, uint32_t readers, uint32_t first, bool for_others)
{
    struct crowd c = {.lock = FILCH_RWLOCK, .gate = FILCH_SEMAPHORE(0), .for_others = for_others};
    filch_handle *writer;
    make_biased(&c.lock);
    for (uint32_t i = 0; i < readers; i++)
        spawn_on(rt, NULL, read_until_the_gate_opens, &c);
    SPIN_UNTIL(filch__load_acquire(&c.in) == readers);
    CHECK(c.lock.biased && c.lock.readers < readers && !no_slot_has(&c.lock));
    CHECK(first == 0 || filch_semaphore_release(&c.gate, first) == 0);
    SPIN_UNTIL(filch__load_acquire(&c.unlocked) == first);
    for (uint32_t i = 0; for_others && i < first; i++)
        CHECK(filch_rwlock_read_unlock(&c.lock) == 0);
    spawn_on(rt, &writer, write_once, &c);
    SPIN_UNTIL(filch_rwlock_try_read_lock(&c.lock) == -EBUSY ||
               filch_rwlock_read_unlock(&c.lock) < 0);
    CHECK(!flag_up(&c.wrote));
    CHECK(filch_semaphore_release(&c.gate, readers - first) == 0);
    SPIN_UNTIL(filch__load_acquire(&c.unlocked) == readers);
    for (uint32_t i = first; for_others && i < readers; i++)
        CHECK(!flag_up(&c.wrote) && filch_rwlock_read_unlock(&c.lock) == 0);
    CHECK(join(writer) == 0 && flag_up(&c.wrote));
    drain(rt);
    CHECK(is_free(&c.lock));
}

static void more_readers_than_slots(void)
{
    uint32_t n = (uint32_t)sized(200, 3 * FILCH__READER_SLOTS, 3 * FILCH__READER_SLOTS);
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (uint32_t part = 0; part < 3; part++) {
            crowd_of(rt, n, part * (n / 3), false);
            crowd_of(rt, n, part * (n / 3), true);
        }
        runtime_close(rt);
    }
}

/* ---- the moment when it goes ---- */

struct race {
    filch_rwlock lock;
    int64_t value, same; /* under the lock */
    uint32_t start, ready;
    uint64_t random;
};

static void *read_some(void *race)
{
    struct race *r = race;
    tally(&r->ready);
    SPIN_UNTIL(flag_up(&r->start));
    for (int i = 0; i < 8; i++) {
        CHECK(filch_rwlock_read_lock(&r->lock) == 0);
        CHECK(r->value == r->same);
        CHECK(filch_rwlock_read_unlock(&r->lock) == 0);
    }
    return NULL;
}

static int read_some_task(void *race)
{
    (void)read_some(race);
    return 0;
}

static void write_some(struct race *r)
{
    for (int i = 0; i < 4; i++) {
        for (uint32_t n = test_random(&r->random, 200); n > 0; n--)
            filch__fence_compiler();
        CHECK(filch_rwlock_write_lock(&r->lock) == 0);
        r->value++;
        r->lock.calm = 1 << 20;
        r->same++;
        CHECK(filch_rwlock_write_unlock(&r->lock) == 0);
    }
}

/* Readers that show themselves meet the writer that takes the bias away. The same memory again and
 * again: nothing of one lock may be left for the next. */
static void readers_meet_the_writer(void)
{
    filch_runtime *rt = runtime_open(2);
    struct race r = {.random = test_seed()};
    for (long i = 0; i < sized(500, 10000, 200000) && !filch__load_relaxed(&case_bad); i++) {
        filch_handle *h[2];
        r.lock = (filch_rwlock)FILCH_RWLOCK;
        r.start = r.ready = 0;
        make_biased(&r.lock);
        for (int k = 0; k < 2; k++)
            spawn_on(rt, &h[k], read_some_task, &r);
        SPIN_UNTIL(filch__load_acquire(&r.ready) == 2);
        raise_flag(&r.start);
        write_some(&r);
        for (int k = 0; k < 2; k++)
            CHECK(join(h[k]) == 0);
        CHECK(is_free(&r.lock) && r.lock.readers == 0 && r.value == r.same);
    }
    runtime_close(rt);
}

int main(void)
{
    RUN(the_bias_comes_and_goes);
    RUN(futures_of_biased_ones);
    RUN(locks_are_told_apart);
    RUN(more_readers_than_slots);
    RUN(readers_meet_the_writer);
    return summary();
}
