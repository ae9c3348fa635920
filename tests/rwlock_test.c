/* SPDX-License-Identifier: Apache-2.0 */
/* The reader-writer lock: what each call says, the order in which it lets in, owners that die. */
#include "tests/support.h"

struct arena {
    filch_rwlock lock;
    filch_runtime *rt;
    uint64_t random;
};

static bool is_free(filch_rwlock *l)
{
    return filch_rwlock_try_write_lock(l) == 0 && filch_rwlock_try_read_lock(l) == -EBUSY &&
           filch_rwlock_write_unlock(l) == 0 && filch_rwlock_write_unlock(l) == -EPERM &&
           filch_rwlock_read_unlock(l) == -EPERM;
}

/* On runtimes of each size, with an arena of its own: in a task, and on a thread. Free in the end.
 */
static void on_each(filch_fn *fn)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct arena a = {.lock = FILCH_RWLOCK, .rt = rt, .random = test_seed() + w};
        CHECK(filch_run(rt, fn, &a) == 0);
        CHECK(fn(&a) == 0);
        drain(rt);
        CHECK(is_free(&a.lock) && filch_rwlock_destroy(&a.lock) == 0);
        runtime_close(rt);
    }
}

/* ---- answers ---- */

static int nulls(void *arena)
{
    (void)arena;
    filch_rwlock_future reading = FILCH_RWLOCK_READ_FUTURE(NULL);
    filch_rwlock_future writing = FILCH_RWLOCK_WRITE_FUTURE(NULL);
    CHECK(filch_rwlock_read_lock(NULL) == -EINVAL && filch_rwlock_write_lock(NULL) == -EINVAL);
    CHECK(filch_rwlock_try_read_lock(NULL) == -EINVAL);
    CHECK(filch_rwlock_try_write_lock(NULL) == -EINVAL);
    CHECK(filch_rwlock_read_unlock(NULL) == -EINVAL && filch_rwlock_write_unlock(NULL) == -EINVAL);
    CHECK(filch_rwlock_consistent(NULL) == -EINVAL && filch_rwlock_destroy(NULL) == -EINVAL);
    CHECK(filch_await(&reading.future) == -EINVAL && filch_await(&writing.future) == -EINVAL);
    return 0;
}

static int answers(void *arena)
{
    filch_rwlock *l = &((struct arena *)arena)->lock;
    filch_rwlock_future late = FILCH_RWLOCK_WRITE_FUTURE(l), unused = FILCH_RWLOCK_WRITE_FUTURE(l);
    filch_rwlock_future own = FILCH_RWLOCK_READ_FUTURE(l);
    CHECK(is_free(l) && filch_rwlock_consistent(l) == -EPERM);
    CHECK(filch_rwlock_write_lock(l) == 0 && filch_rwlock_destroy(l) == -EBUSY);
    CHECK(filch_rwlock_write_lock(l) == -EDEADLK && filch_rwlock_read_lock(l) == -EDEADLK);
    CHECK(filch_await(&own.future) == -EDEADLK);
    CHECK(filch_rwlock_read_unlock(l) == -EPERM && filch_rwlock_consistent(l) == -EINVAL);
    CHECK(filch_rwlock_write_unlock(l) == 0 && is_free(l));
    CHECK(filch_rwlock_read_lock(l) == 0 && filch_rwlock_read_lock(l) == 0);
    CHECK(filch_rwlock_try_write_lock(l) == -EBUSY && filch_rwlock_write_unlock(l) == -EPERM);
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT);
    CHECK(filch_rwlock_try_read_lock(l) == 0 && filch_rwlock_destroy(l) == -EBUSY);
    for (int i = 0; i < 3; i++)
        CHECK(filch_rwlock_try_write_lock(l) == -EBUSY && filch_rwlock_read_unlock(l) == 0);
    CHECK(filch_future_drop(&unused.future) == 0 && is_free(l));
    return 0;
}

static int answers_as_futures(void *arena)
{
    filch_rwlock *l = &((struct arena *)arena)->lock;
    filch_rwlock_future reading = FILCH_RWLOCK_READ_FUTURE(l);
    filch_rwlock_future writing = FILCH_RWLOCK_WRITE_FUTURE(l);
    CHECK(filch_await(&reading.future) == 0 && filch_await(&reading.future) == -EALREADY);
    CHECK(filch_poll(&writing.future, NULL) == FILCH_PENDING);
    CHECK(filch_rwlock_try_read_lock(l) == -EBUSY); /* it would overtake the writer */
    CHECK(filch_rwlock_read_unlock(l) == 0);
    CHECK(filch_rwlock_try_read_lock(l) == -EBUSY && filch_rwlock_destroy(l) == -EBUSY);
    CHECK(filch_await_until(&writing.future, 0) == 0); /* late, but it is there */
    CHECK(filch_rwlock_write_unlock(l) == 0);
    return 0;
}

static void answers_of_each_call(void)
{
    on_each(nulls);
    on_each(answers);
    on_each(answers_as_futures);
}

/* ---- against a model ---- */

/* Tasks and threads that do what they are told: so many different owners. */
struct actor {
    pthread_t thread;
    filch_handle *task;
    void (*act)(struct actor *);
    struct entry *entry;
    int rc;
    filch_semaphore turn, done;
};

static void act(struct actor *a, void (*fn)(struct actor *), struct entry *e)
{
    a->act = fn;
    a->entry = e;
    CHECK(filch_semaphore_release(&a->turn, 1) == 0);
    CHECK(filch_semaphore_acquire(&a->done, 1) == 0);
}

/* Until there is nothing to do in a turn. */
static int actor_task(void *actor)
{
    struct actor *a = actor;
    while (filch_semaphore_acquire(&a->turn, 1) == 0 && a->act) {
        a->act(a);
        CHECK(filch_semaphore_release(&a->done, 1) == 0);
    }
    return 0;
}

static void *actor_thread(void *actor)
{
    (void)actor_task(actor);
    return NULL;
}

enum { ACTORS = 4, ENTRIES = 48 };

struct entry {
    filch_rwlock_future future;
    uint32_t woken;
    enum { UNUSED, WAITS, GRANTED, HAS } state; /* in the model */
    bool writes;
    uint32_t arrival;
    struct actor *who; /* has polled it last */
};

struct model {
    filch_rwlock lock;
    struct entry entries[ENTRIES];
    struct actor actors[ACTORS];
    uint32_t readers, arrivals;
    struct entry *owner;
};

static void entry_wake(void *data)
{
    raise_flag(&((struct entry *)data)->woken);
}

static const filch_waker_ops entry_waker = {.wake = entry_wake};

static void act_poll(struct actor *a)
{
    a->rc = filch_poll(&a->entry->future.future, &(filch_waker){&entry_waker, a->entry});
}

static void act_drop(struct actor *a)
{
    a->rc = filch_future_drop(&a->entry->future.future);
}

static void act_unlock(struct actor *a)
{
    filch_rwlock *l = a->entry->future.lock;
    a->rc = a->entry->writes ? filch_rwlock_write_unlock(l) : filch_rwlock_read_unlock(l);
}

/* Of what it has not: -EPERM. */
static void act_unlock_write(struct actor *a)
{
    a->rc = filch_rwlock_write_unlock(a->entry->future.lock);
}

static void act_try(struct actor *a)
{
    filch_rwlock *l = a->entry->future.lock;
    a->rc = a->entry->writes ? filch_rwlock_try_write_lock(l) : filch_rwlock_try_read_lock(l);
}

static struct entry *first_in(struct model *m)
{
    struct entry *first = NULL;
    for (int i = 0; i < ENTRIES; i++)
        if (m->entries[i].state == WAITS && (!first || m->entries[i].arrival < first->arrival))
            first = &m->entries[i];
    return first;
}

static bool may_enter(const struct model *m, bool writes)
{
    return !m->owner && !(writes && m->readers);
}

static void model_enter(struct model *m, struct entry *e)
{
    m->readers += !e->writes;
    m->owner = e->writes ? e : m->owner;
}

static void model_leave(struct model *m, struct entry *e)
{
    if (e->state == GRANTED || e->state == HAS)
        m->readers -= !e->writes;
    if (e == m->owner)
        m->owner = NULL;
    e->state = UNUSED;
    for (struct entry *f; (f = first_in(m)) && may_enter(m, f->writes); f->state = GRANTED)
        model_enter(m, f);
}

static void arrive(struct model *m, struct entry *e, struct actor *who, bool tries, bool writes)
{
    bool at_once = !first_in(m) && may_enter(m, writes);
    *e = (struct entry){.arrival = m->arrivals++, .writes = writes, .who = who};
    e->future = (filch_rwlock_future)FILCH_RWLOCK_READ_FUTURE(&m->lock);
    e->future.writes = writes;
    act(who, tries ? act_try : act_poll, e);
    if (at_once) {
        CHECK(who->rc == 0);
        e->state = HAS;
        model_enter(m, e);
    } else if (tries) {
        CHECK(who->rc == -EBUSY);
    } else if (m->owner && m->owner->who == who && m->owner->state == HAS) {
        CHECK(who->rc == -EDEADLK);
    } else {
        CHECK(who->rc == FILCH_PENDING);
        e->state = WAITS;
    }
}

static void go_on(struct model *m, struct entry *e, struct actor *other, bool leaves)
{
    if (e->state == HAS) {
        if (e->writes && other != e->who) {
            act(other, act_unlock_write, e);
            CHECK(other->rc == -EPERM);
        }
        act(e->who, act_unlock, e);
        CHECK(e->who->rc == 0);
        model_leave(m, e);
    } else if (leaves) {
        act(other, act_drop, e);
        CHECK(other->rc == 0);
        model_leave(m, e);
    } else if (e->state == GRANTED) { /* it becomes the property of who polls */
        act(other, act_poll, e);
        CHECK(other->rc == 0);
        e->who = other;
        e->state = HAS;
    }
}

static void play_rounds(struct model *m, uint64_t *random)
{
    for (long i = 0; i < sized(400, 10000, 40000) && !filch__load_relaxed(&case_bad); i++) {
        struct entry *e = &m->entries[test_random(random, ENTRIES)];
        struct actor *who = &m->actors[test_random(random, ACTORS)];
        uint32_t what = test_random(random, 32);
        m->lock.calm = 1 << 20; /* as after many reads: the next that counts brings the bias */
        if (e->state == UNUSED)
            arrive(m, e, who, what == 0, test_random(random, 6) == 0);
        else
            go_on(m, e, who, what < 4);
        for (int k = 0; k < ENTRIES; k++)
            if (m->entries[k].state == WAITS || m->entries[k].state == GRANTED)
                CHECK(flag_up(&m->entries[k].woken) == (m->entries[k].state == GRANTED));
    }
    for (int i = 0; i < ENTRIES; i++) {
        struct entry *e = &m->entries[i];
        if (e->state != UNUSED)
            go_on(m, e, e->who, true);
    }
}

static int play(void *arena)
{
    struct arena *a = arena;
    static struct model m;
    m = (struct model){.lock = FILCH_RWLOCK};
    for (int i = 0; i < ACTORS; i++)
        if (i % 2)
            m.actors[i].thread = thread_start(actor_thread, &m.actors[i]);
        else
            spawn_on(a->rt, &m.actors[i].task, actor_task, &m.actors[i]);
    play_rounds(&m, &a->random);
    for (int i = 0; i < ACTORS; i++) {
        m.actors[i].act = NULL;
        CHECK(filch_semaphore_release(&m.actors[i].turn, 1) == 0);
        if (i % 2)
            thread_join(m.actors[i].thread);
        else
            CHECK(join(m.actors[i].task) == 0);
    }
    CHECK(is_free(&m.lock));
    return 0;
}

static void as_the_model_says(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct arena a = {.rt = rt, .random = test_seed() + w};
        CHECK(play(&a) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- owners that die ---- */

static int die_writing(void *lock)
{
    int rc = filch_rwlock_write_lock(lock);
    return rc == -EOWNERDEAD ? 0 : rc;
}

static void *die_on_thread(void *lock)
{
    CHECK(die_writing(lock) == 0);
    return NULL;
}

static void let_die(struct arena *a, filch_rwlock *l, bool on_thread)
{
    filch_handle *h;
    if (on_thread) {
        thread_join(thread_start(die_on_thread, l));
    } else {
        spawn_on(a->rt, &h, die_writing, l);
        CHECK(join(h) == 0);
    }
}

static int owner_dies(void *arena)
{
    static filch_rwlock l; /* not on a stack: it is given to free tasks */
    struct arena *a = arena;
    for (int i = 0; i < 4; i++) {
        l = (filch_rwlock)FILCH_RWLOCK;
        let_die(a, &l, i % 2);
        for (int k = 0; k < 40; k++) /* each reader is told, and changes nothing */
            CHECK(filch_rwlock_read_lock(&l) == -EOWNERDEAD);
        CHECK(filch_rwlock_consistent(&l) == -EPERM);
        for (int k = 0; k < 40; k++)
            CHECK(filch_rwlock_read_unlock(&l) == 0);
        CHECK(filch_rwlock_try_read_lock(&l) == -EOWNERDEAD && filch_rwlock_read_unlock(&l) == 0);
        let_die(a, &l, i % 2); /* another */
        CHECK(filch_rwlock_try_write_lock(&l) == -EOWNERDEAD);
        if (i < 2) {
            CHECK(filch_rwlock_consistent(&l) == 0 && filch_rwlock_consistent(&l) == -EINVAL);
            CHECK(filch_rwlock_write_unlock(&l) == 0 && is_free(&l));
            continue;
        }
        CHECK(filch_rwlock_write_unlock(&l) == 0);
        CHECK(filch_rwlock_read_lock(&l) == -ENOTRECOVERABLE);
        CHECK(filch_rwlock_write_lock(&l) == -ENOTRECOVERABLE);
        CHECK(filch_rwlock_try_read_lock(&l) == -ENOTRECOVERABLE);
        CHECK(filch_rwlock_try_write_lock(&l) == -ENOTRECOVERABLE);
        CHECK(filch_rwlock_read_unlock(&l) == -EPERM && filch_rwlock_write_unlock(&l) == -EPERM);
        CHECK(filch_rwlock_destroy(&l) == 0 && is_free(&l));
    }
    return 0;
}

struct dying {
    filch_rwlock lock;
    uint32_t has, go;
};

static int die_when_told(void *dying)
{
    struct dying *d = dying;
    CHECK(filch_rwlock_write_lock(&d->lock) == 0);
    raise_flag(&d->has);
    return wait_for_flag(&d->go);
}

/* With readers and a writer in the queue, and more behind them. */
static int owner_dies_before_a_queue(void *arena)
{
    struct arena *a = arena;
    enum { N = 60, WRITER = 40 };
    static struct dying d;
    filch_rwlock_future f[N];
    filch_handle *h;
    d = (struct dying){.lock = FILCH_RWLOCK};
    spawn_on(a->rt, &h, die_when_told, &d);
    while (!flag_up(&d.has))
        CHECK(filch_yield() != -EINVAL);
    for (int i = 0; i < N; i++) {
        f[i] = (filch_rwlock_future)FILCH_RWLOCK_READ_FUTURE(&d.lock);
        f[i].writes = i == WRITER;
        CHECK(filch_poll(&f[i].future, NULL) == FILCH_PENDING);
    }
    raise_flag(&d.go);
    CHECK(join(h) == 0);
    for (int i = 0; i < WRITER; i++)
        CHECK(filch_poll(&f[i].future, NULL) == -EOWNERDEAD);
    CHECK(filch_poll(&f[WRITER].future, NULL) == FILCH_PENDING);
    for (int i = 0; i < WRITER; i++)
        CHECK(filch_rwlock_read_unlock(&d.lock) == 0);
    CHECK(filch_poll(&f[WRITER].future, NULL) == -EOWNERDEAD);
    CHECK(filch_rwlock_write_unlock(&d.lock) == 0); /* as it was */
    for (int i = WRITER + 1; i < N; i++)
        CHECK(filch_poll(&f[i].future, NULL) == -ENOTRECOVERABLE);
    CHECK(filch_rwlock_destroy(&d.lock) == 0);
    return 0;
}

static void owners_die(void)
{
    on_each(owner_dies);
    on_each(owner_dies_before_a_queue);
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(as_the_model_says);
    RUN(owners_die);
    return summary();
}
