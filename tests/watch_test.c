/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: the latest value, whole; one wake for many changes; no change lost, whoever leaves and
 * whenever. */
#include "tests/wait_check.h"

/* ---- answers ---- */

static int bad_input(void *rt)
{
    (void)rt;
    int value = 1, v = 2;
    filch_watch w = FILCH_WATCH(value), counted;
    filch_watch_reader r = FILCH_WATCH_READER(&w), none = FILCH_WATCH_READER(NULL);
    filch_watch_changed_future f[] = {FILCH_WATCH_CHANGED_FUTURE(NULL),
                                      FILCH_WATCH_CHANGED_FUTURE(&none)};
    CHECK(filch_watch_init(NULL, &value, sizeof value) == -EINVAL);
    CHECK(filch_watch_init(&w, NULL, sizeof value) == -EINVAL);
    CHECK(filch_watch_destroy(NULL) == -EINVAL && filch_watch_close(NULL) == -EINVAL);
    CHECK(filch_watch_set(NULL, &v) == -EINVAL && filch_watch_set(&w, NULL) == -EINVAL);
    CHECK(filch_watch_get(NULL, &v) == -EINVAL && filch_watch_get(&w, NULL) == -EINVAL);
    CHECK(filch_watch_read(NULL, &v) == -EINVAL && filch_watch_read(&none, &v) == -EINVAL);
    CHECK(filch_watch_changed(NULL) == -EINVAL && filch_watch_changed(&none) == -EINVAL);
    CHECK(!filch_watch_has_changed(NULL) && !filch_watch_has_changed(&none));
    CHECK(filch_await(&f[0].future) == -EINVAL && filch_await(&f[1].future) == -EINVAL);
    CHECK(v == 2 && !filch_watch_has_changed(&r));
    CHECK(filch_watch_init(&counted, NULL, 0) == 0);
    r = (filch_watch_reader)FILCH_WATCH_READER(&counted);
    CHECK(filch_watch_set(&counted, NULL) == 0 && filch_watch_get(&counted, NULL) == 0);
    CHECK(filch_watch_changed(&r) == 0 && filch_watch_read(&r, NULL) == 0);
    CHECK(!filch_watch_has_changed(&r) && filch_watch_destroy(&counted) == 0);
    return 0;
}

static int changes(void *rt)
{
    (void)rt;
    int value = 1, v = 0;
    filch_watch w;
    CHECK(filch_watch_init(&w, &value, sizeof value) == 0);
    filch_watch_reader r = FILCH_WATCH_READER(&w), s = FILCH_WATCH_READER(&w);
    filch_watch_changed_future late = FILCH_WATCH_CHANGED_FUTURE(&r), f = late;
    CHECK(filch_watch_get(&w, &v) == 0 && v == 1);
    CHECK(!filch_watch_has_changed(&r) && filch_await_until(&late.future, 0) == -ETIMEDOUT);
    for (int i = 2; i < 5; i++)
        CHECK(filch_watch_set(&w, &i) == 0);
    CHECK(filch_watch_has_changed(&r) && filch_watch_changed(&r) == 0);
    CHECK(filch_watch_get(&w, &v) == 0 && v == 4 && filch_watch_has_changed(&r)); /* not seen */
    CHECK(filch_watch_read(&r, &v) == 0 && v == 4 && !filch_watch_has_changed(&r));
    CHECK(filch_watch_has_changed(&s) && filch_watch_read(&s, NULL) == 0);
    CHECK(!filch_watch_has_changed(&s) && filch_watch_destroy(&w) == 0);
    CHECK(filch_watch_get(&w, &v) == 0 && v == 4);
    r = (filch_watch_reader)FILCH_WATCH_READER(&w);
    CHECK(!filch_watch_has_changed(&r) && filch_poll(&f.future, NULL) == FILCH_PENDING);
    CHECK(filch_watch_destroy(&w) == -EBUSY && filch_watch_set(&w, &v) == 0);
    CHECK(filch_watch_destroy(&w) == -EBUSY); /* about to go on */
    CHECK(filch_await(&f.future) == 0 && filch_await(&f.future) == -EALREADY);
    CHECK(filch_watch_has_changed(&r) && filch_watch_destroy(&w) == 0);
    return 0;
}

static int closed(void *rt)
{
    (void)rt;
    int value = 1, v = 2;
    filch_watch w = FILCH_WATCH(value);
    filch_watch_reader r = FILCH_WATCH_READER(&w);
    filch_watch_changed_future f = FILCH_WATCH_CHANGED_FUTURE(&r);
    CHECK(filch_watch_set(&w, &v) == 0);
    CHECK(filch_watch_close(&w) == 0 && filch_watch_close(&w) == 0);
    v = 3;
    CHECK(filch_watch_set(&w, &v) == -EPIPE);
    CHECK(filch_watch_has_changed(&r) && filch_watch_changed(&r) == 0);
    CHECK(filch_watch_read(&r, &v) == 0 && v == 2 && !filch_watch_has_changed(&r));
    CHECK(filch_watch_changed(&r) == -EPIPE && filch_await(&f.future) == -EPIPE);
    CHECK(filch_watch_get(&w, &v) == 0 && filch_watch_read(&r, &v) == 0 && v == 2);
    CHECK(filch_watch_destroy(&w) == 0 && filch_watch_set(&w, &v) == 0); /* open again */
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(bad_input);
    everywhere(changes);
    everywhere(closed);
}

/* ---- who waits ---- */

/* Each is told once, by the first of many changes or by the end; has gone before; or finds on a
 * poll that it has seen the change meanwhile, and waits on. */
static void tell_them(uint64_t *random, bool ends)
{
    enum { N = 40 };
    int value = 0, v;
    filch_watch w = FILCH_WATCH(value);
    filch_watch_reader r[N];
    filch_watch_changed_future f[N];
    struct bell bell[N] = {{0}};
    uint32_t how[N];
    for (int i = 0; i < N; i++) {
        r[i] = (filch_watch_reader)FILCH_WATCH_READER(&w);
        f[i] = (filch_watch_changed_future)FILCH_WATCH_CHANGED_FUTURE(&r[i]);
        CHECK(poll_for(&f[i].future, &bell[i]) == FILCH_PENDING);
        how[i] = test_random(random, 4);
    }
    for (int i = 0; i < N; i++)
        if (how[i] == 1)
            CHECK(filch_future_drop(&f[i].future) == 0);
    for (v = 1; !ends && v <= 10; v++)
        CHECK(filch_watch_set(&w, &v) == 0);
    if (ends)
        CHECK(filch_watch_close(&w) == 0);
    for (int i = 0; i < N; i++) {
        CHECK(rung(&bell[i]) == (how[i] != 1));
        if (how[i] == 2)
            CHECK(filch_future_drop(&f[i].future) == 0);
        if (how[i] == 3)
            CHECK(filch_watch_read(&r[i], &v) == 0 && v == (ends ? 0 : 10));
        if (how[i] == 3 && !ends) {
            CHECK(poll_for(&f[i].future, &bell[i]) == FILCH_PENDING && rung(&bell[i]) == 1);
        } else if (how[i] == 0 || how[i] == 3) {
            CHECK(poll_for(&f[i].future, &bell[i]) == (ends ? -EPIPE : 0));
        }
    }
    CHECK(filch_watch_close(&w) == 0);
    for (int i = 0; i < N; i++)
        if (how[i] == 3 && !ends)
            CHECK(rung(&bell[i]) == 2 && poll_for(&f[i].future, &bell[i]) == -EPIPE);
    CHECK(filch_watch_destroy(&w) == 0);
}

static int waits(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < 200; i++)
        tell_them(&random, i % 4 == 0);
    return 0;
}

static void told_once(void)
{
    everywhere(waits);
}

/* ---- leaving while all are told ---- */

static void set_next(void *watch)
{
    int v;
    CHECK(filch_watch_get(watch, &v) == 0);
    v++;
    CHECK(filch_watch_set(watch, &v) == 0);
}

static void close_it(void *watch)
{
    CHECK(filch_watch_close(watch) == 0);
}

static void the_last_frees_it(void)
{
    for (int i = 0; i < 50; i++) {
        struct memory {
            filch_watch w;
            int value;
        } *memory = malloc(sizeof *memory);
        REQUIRE(memory);
        struct parting p = {.memory = memory};
        filch_watch_reader r[MANY];
        filch_watch_changed_future f[MANY];
        memory->value = 0;
        memory->w = (filch_watch)FILCH_WATCH(memory->value);
        for (int k = 0; k < MANY; k++) {
            r[k] = (filch_watch_reader)FILCH_WATCH_READER(&memory->w);
            f[k] = (filch_watch_changed_future)FILCH_WATCH_CHANGED_FUTURE(&r[k]);
            parting_poll(&p, k, &f[k].future);
        }
        part(&p, i % 2 ? set_next : close_it);
    }
}

/* ---- a change and a deadline at once ---- */

static int changed_until(void *reader, int64_t deadline)
{
    filch_watch_changed_future f = FILCH_WATCH_CHANGED_FUTURE(reader);
    int rc = filch_await_until(&f.future, deadline);
    CHECK(rc < 0 || filch_watch_read(reader, NULL) == 0);
    return rc;
}

static void set_for(void *reader)
{
    set_next(((filch_watch_reader *)reader)->watch);
}

static void changed_and_late(void)
{
    int value = 0;
    filch_watch w = FILCH_WATCH(value);
    filch_watch_reader r = FILCH_WATCH_READER(&w);
    struct tick changed = {.wait = changed_until, .act = set_for, .arg = &r};
    CHECK(at_once(&changed) == 0 && filch_watch_destroy(&w) == 0);
}

/* ---- cancels ---- */

enum { WAITERS = 3 };

struct round {
    filch_watch w;
    int value;
    filch_watch_reader r[WAITERS];
    bool told[WAITERS];
    uint32_t roles;
};

static int wait_for_one(void *round)
{
    struct round *r = round;
    uint32_t me = filch__add_acq_rel(&r->roles, 1u);
    int rc = filch_watch_changed(&r->r[me]);
    r->told[me] = rc == 0;
    return rc;
}

static int set_one(void *round)
{
    set_next(&((struct round *)round)->w);
    return 0;
}

/* The change is there for all, also for who was cancelled; nobody waits any more. */
static void cancel_at_the_change(struct meeting *m)
{
    struct round *r = m->arg;
    int before, v;
    CHECK(filch_watch_get(&r->w, &before) == 0);
    r->roles = 0;
    meeting_begin(m);
    meeting_end(m);
    for (int i = 0; i < WAITERS; i++) {
        CHECK(filch_watch_has_changed(&r->r[i]));
        CHECK(filch_watch_read(&r->r[i], &v) == 0 && v == before + 1);
    }
    uint32_t told = 0, ended = 0;
    for (int i = 0; i < WAITERS; i++) {
        told += r->told[i];
        ended += m->rc[i] == 0;
        r->told[i] = false;
    }
    CHECK(told == ended && r->w.leaving == 0 && !r->w.queue.first);
}

static void cancels_at_the_change(void)
{
    struct round r = {.value = 0};
    struct meeting m = {.wait = wait_for_one, .act = set_one, .arg = &r, .waiters = WAITERS};
    CHECK(filch_watch_init(&r.w, &r.value, sizeof r.value) == 0);
    for (int i = 0; i < WAITERS; i++)
        r.r[i] = (filch_watch_reader)FILCH_WATCH_READER(&r.w);
    meet_on_each(&m, cancel_at_the_change);
    CHECK(filch_watch_destroy(&r.w) == 0);
}

/* ---- many ---- */

struct value {
    uint64_t number, twin, more[6];
};

/* `published` is written before the set of the value, and read after the change was found. */
struct storm {
    filch_watch w;
    struct value value;
    uint32_t started, stop, late;
    uint64_t published, finals;
    uint64_t sent, last;
};

static int see_all(void *storm)
{
    struct storm *s = storm;
    uint64_t random = test_seed() + filch__add_acq_rel(&s->started, 1u), seen = 0;
    filch_watch_reader r = FILCH_WATCH_READER(&s->w);
    int rc = 0;
    while (rc != -EPIPE) {
        filch_watch_changed_future f = FILCH_WATCH_CHANGED_FUTURE(&r);
        struct value v;
        uint32_t how = test_random(&random, 16);
        rc = how < 8    ? filch_watch_changed(&r)
             : how < 15 ? try_somehow(&f.future, &random)
                        : (filch_watch_has_changed(&r) ? 0 : -ETIMEDOUT);
        CHECK(rc == 0 || rc == -EPIPE || rc == -ETIMEDOUT);
        if (rc == -ETIMEDOUT)
            tally(&s->late);
        if (rc == -ETIMEDOUT && how == 15)
            CHECK(filch_yield() == 0);
        if (rc < 0)
            continue;
        uint64_t published = filch__load_relaxed(&s->published);
        CHECK(published > seen);
        for (uint32_t reads = 0; reads <= how; reads++) {
            CHECK(filch_watch_read(&r, &v) == 0 && v.twin == ~v.number && v.more[5] == v.number);
            CHECK(reads ? v.number >= seen : v.number > seen);
            CHECK(r.seen == v.number); /* each is one set */
            seen = v.number;
        }
    }
    if (seen == s->last)
        (void)filch__add_acq_rel(&s->finals, 1u);
    return 0;
}

static bool set_another(void *storm)
{
    struct storm *s = storm;
    struct value v = {.number = ++s->sent, .twin = ~s->sent, .more = {[5] = s->sent}};
    filch__store_relaxed(&s->published, s->sent);
    CHECK(filch_watch_set(&s->w, &v) == 0);
    if (s->sent < s->last)
        return false;
    SPIN_UNTIL(filch__load_acquire(&s->started) == CROWD);
    CHECK(filch_watch_close(&s->w) == 0);
    return true;
}

static void the_last_is_seen_by_all(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct storm s = {.last = (uint64_t)sized(1000, 20000, 200000)};
        CHECK(filch_watch_init(&s.w, &s.value, sizeof s.value) == 0);
        crowd_on(rt, see_all, &s, set_another, &s.stop);
        CHECK(s.finals == CROWD && filch_watch_destroy(&s.w) == 0);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(told_once);
    RUN(the_last_frees_it);
    RUN(changed_and_late);
    run_case_within(300, "cancels_at_the_change", cancels_at_the_change);
    run_case_within(300, "the_last_is_seen_by_all", the_last_is_seen_by_all);
    return summary();
}
