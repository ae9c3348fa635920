/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks without a stack in each state, queued, being polled, idle and finished, each met by a join,
 * a detach, an abort and the runtime's end: first as arranged, then at random. And wakes from many
 * threads: polls come one at a time, and none is missing.
 */
#include "tests/future_check.h"

enum { QUEUED, POLLED, IDLE, FINISHED, STATES };
enum { JOIN, DETACH, ABORT_JOIN, ABORT_DETACH, ABORT_TWICE, DESTROY, ACTS };

/* A future that stays in its first poll until it is let go. */
struct gate {
    filch_future future;
    struct wait wait;
    uint32_t *entered, *leave;
};

static int poll_gate(filch_future *self, const filch_waker *waker)
{
    struct gate *g = (struct gate *)(void *)self;
    raise_flag(g->entered);
    SPIN_UNTIL(flag_up(g->leave));
    return filch_poll(&g->wait.future, waker);
}

static void drop_gate(filch_future *self)
{
    CHECK(filch_future_drop(&((struct gate *)(void *)self)->wait.future) == 0);
}

static const filch_future_ops gate_ops = {"a gate", poll_gate, drop_gate};

struct scene {
    filch_runtime *rt;
    struct blockers busy;
    struct event event;
    uint32_t entered, leave, stop;
    filch_handle *h;
    int workers, state, act, result;
    bool destroyed;
};

static void *let_go_soon(void *arg)
{
    struct scene *s = arg;
    for (int i = 0; i < 20; i++)
        sched_yield();
    raise_flag(&s->leave);
    if (s->act != DESTROY) /* there the cancel frees the workers: not before, else it is polled */
        raise_flag(&s->busy.released);
    return NULL;
}

static void arrange(struct scene *s)
{
    filch_spawn_options o = {.runtime = s->rt};
    struct gate gate = {FILCH_FUTURE(&gate_ops), WAIT(&s->event), &s->entered, &s->leave};
    if (s->state == QUEUED)
        block_workers(&s->busy, s->rt, 1, s->workers);
    else if (s->state != POLLED)
        raise_flag(&s->leave);
    REQUIRE(filch_spawn_future_with(&s->h, &o, &gate.future, sizeof gate) == 0);
    CHECK(filch_future_ended(&gate.future) && filch_await(&gate.future) == -EALREADY);
    if (s->state == POLLED)
        SPIN_UNTIL(flag_up(&s->entered));
    if (s->state >= IDLE)
        SPIN_UNTIL(polls_of(&s->event) > 0);
    if (s->state == FINISHED) {
        event_set(&s->event, 5);
        SPIN_UNTIL(filch_finished(s->h));
    }
}

/* What a join has to give. */
static bool fits(const struct scene *s, int result)
{
    bool aborted = s->act >= ABORT_JOIN;
    if (s->state == FINISHED || !aborted)
        return result == 5;
    return result == -ECANCELED || (result == 5 && s->act == DESTROY);
}

static void act(struct scene *s)
{
    if (s->act == ABORT_JOIN || s->act == ABORT_DETACH || s->act == ABORT_TWICE)
        CHECK(filch_abort(s->h) == 0);
    if (s->act == ABORT_TWICE)
        CHECK(filch_abort(s->h) == 0);
    pthread_t helper = thread_start(let_go_soon, s);
    if (s->act == JOIN || s->act == DETACH)
        event_set(&s->event, 5);
    if (s->act == DESTROY) {
        runtime_close(s->rt);
        s->destroyed = true;
    }
    if (s->act == DETACH || s->act == ABORT_DETACH)
        filch_detach(s->h);
    else
        CHECK(fits(s, join(s->h)));
    thread_join(helper);
}

static void each_state_meets_each_act(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (int at = 0; at < STATES * ACTS; at++)
            for (int i = 0; i < sized(2, 10, 60); i++) {
                struct scene s = {.rt = runtime_open(worker_counts[w]),
                                  .workers = worker_counts[w],
                                  .event = EVENT,
                                  .state = at / ACTS,
                                  .act = at % ACTS};
                arrange(&s);
                act(&s);
                if (!s.destroyed) {
                    drain(s.rt);
                    runtime_close(s.rt);
                }
                CHECK(drops_of(&s.event) == 1);
                if (s.state == QUEUED && s.act >= ABORT_JOIN)
                    CHECK(polls_of(&s.event) == 0);
                if (filch__load_relaxed(&case_bad)) {
                    fprintf(stderr, "state %d, act %d, %d workers\n", s.state, s.act, s.workers);
                    return;
                }
            }
}

/* ---- at random ---- */

enum { PARTIES = 3 };

/* What threads do to one task at the same time: wake, set, abort, clone; then the owner's act. */
struct party {
    struct scene *scene;
    filch_abort_handle *abort;
    uint32_t *go;
    uint64_t random;
    bool set, aborted;
};

static void *interfere(void *arg)
{
    struct party *p = arg;
    SPIN_UNTIL(flag_up(p->go));
    pause_a_little(&p->random);
    for (uint32_t n = test_random(&p->random, 6); n > 0; n--) {
        switch (test_random(&p->random, 4)) {
        case 0:
            event_set(&p->scene->event, 5);
            p->set = true;
            break;
        case 1:
            if (test_random(&p->random, 4) == 0) {
                CHECK(filch_abort_handle_abort(p->abort) == 0);
                p->aborted = true;
            }
            break;
        case 2: {
            filch_waker w = event_clone(&p->scene->event);
            pause_a_little(&p->random);
            filch_wake(&w);
            filch_waker_drop(&w);
            break;
        }
        default:
            event_wake(&p->scene->event);
        }
        pause_a_little(&p->random);
    }
    filch_abort_handle_drop(p->abort);
    return NULL;
}

static void one_random_round(filch_runtime *rt, uint64_t *random)
{
    struct scene s = {.rt = rt, .event = EVENT, .leave = 1};
    filch_spawn_options o = {.runtime = rt, .cancel_on_drop = test_random(random, 2)};
    struct wait wait = WAIT(&s.event);
    struct party party[PARTIES];
    pthread_t thread[PARTIES];
    uint32_t go = 0;
    bool set = false, aborted = false, join_it = test_random(random, 3);
    REQUIRE(filch_spawn_future_with(&s.h, &o, &wait.future, sizeof wait) == 0);
    for (int i = 0; i < PARTIES; i++) {
        party[i] = (struct party){
            &s, filch_abort_handle_of(s.h), &go, *random + (uint64_t)i, false, false};
        thread[i] = thread_start(interfere, &party[i]);
    }
    raise_flag(&go);
    pause_a_little(random);
    filch_abort_handle *last = filch_abort_handle_of(s.h);
    if (!join_it)
        filch_detach(s.h);
    for (int i = 0; i < PARTIES; i++) {
        thread_join(thread[i]);
        set |= party[i].set;
        aborted |= party[i].aborted;
    }
    if (!set && !aborted && (join_it || !o.cancel_on_drop))
        event_set(&s.event, 5);
    if (join_it) {
        int rc = join(s.h);
        CHECK(rc == 5 ? !aborted || set : rc == -ECANCELED && aborted);
    }
    SPIN_UNTIL(filch_abort_handle_finished(last));
    filch_abort_handle_drop(last);
    CHECK(drops_of(&s.event) == 1);
}

static void everybody_at_once(void)
{
    uint64_t random = test_seed();
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int i = 0; i < sized(300, 1500, 8000) && !filch__load_relaxed(&case_bad); i++)
            one_random_round(rt, &random);
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- no wake is lost, no poll beside another ---- */

struct counter {
    pthread_mutex_t lock;
    filch_waker waker;   /* under the lock */
    uint32_t sent, seen; /* sent: atomic; seen: the poll's */
    uint32_t want, in_poll, drops;
};

struct count {
    filch_future future;
    struct counter *counter;
};

static int poll_count(filch_future *self, const filch_waker *waker)
{
    struct counter *c = ((struct count *)(void *)self)->counter;
    CHECK(filch__exchange_acq_rel(&c->in_poll, 1u) == 0);
    pthread_mutex_lock(&c->lock);
    c->waker = *waker;
    pthread_mutex_unlock(&c->lock);
    c->seen = filch__load_acquire(&c->sent);
    bool ready = c->seen == c->want;
    CHECK(filch__exchange_acq_rel(&c->in_poll, 0u) == 1);
    return ready ? 1 : FILCH_PENDING;
}

static void drop_count(filch_future *self)
{
    struct counter *c = ((struct count *)(void *)self)->counter;
    pthread_mutex_lock(&c->lock);
    c->waker = (filch_waker){NULL, NULL};
    pthread_mutex_unlock(&c->lock);
    tally(&c->drops);
}

static const filch_future_ops count_ops = {"a count", poll_count, drop_count};

struct sender {
    struct counter *counter;
    long n;
    uint64_t random;
};

static void *send(void *arg)
{
    struct sender *s = arg;
    for (long i = 0; i < s->n; i++) {
        tally(&s->counter->sent);
        pthread_mutex_lock(&s->counter->lock);
        filch_wake(&s->counter->waker);
        pthread_mutex_unlock(&s->counter->lock);
        if (i % 8 == 0)
            pause_a_little(&s->random);
    }
    return NULL;
}

static void no_wake_is_lost(void)
{
    enum { SENDERS = 4 };
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int round = 0; round < sized(50, 200, 1000); round++) {
            long n = 1 + round * 3;
            struct counter c = {.lock = PTHREAD_MUTEX_INITIALIZER, .want = (uint32_t)n * SENDERS};
            struct count count = {FILCH_FUTURE(&count_ops), &c};
            filch_spawn_options o = {.runtime = rt, .worker = round % 3 == 0};
            filch_handle *h;
            struct sender sender[SENDERS];
            pthread_t thread[SENDERS];
            REQUIRE(filch_spawn_future_with(&h, &o, &count.future, sizeof count) == 0);
            for (int i = 0; i < SENDERS; i++) {
                sender[i] = (struct sender){&c, n, test_seed() + (uint64_t)(round * SENDERS + i)};
                thread[i] = thread_start(send, &sender[i]);
            }
            CHECK(join(h) == 1);
            for (int i = 0; i < SENDERS; i++)
                thread_join(thread[i]);
            CHECK(c.drops == 1);
        }
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- with many of them idle ---- */

static void destroy_with_many_idle(void)
{
    enum { MANY = 10000 };
    struct event *events = calloc(MANY, sizeof *events);
    REQUIRE(events);
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_handle *h[2];
        filch_spawn_options o = {.runtime = rt};
        for (int i = 0; i < MANY; i++) {
            events[i] = (struct event)EVENT;
            struct wait wait = WAIT(&events[i]);
            filch_handle **to = i == 0 ? &h[0] : i == MANY - 1 ? &h[1] : NULL;
            REQUIRE(filch_spawn_future_with(to, &o, &wait.future, sizeof wait) == 0);
        }
        for (int i = 0; i < MANY && w > 0; i++) /* on one worker some are queued yet */
            SPIN_UNTIL(polls_of(&events[i]) > 0);
        runtime_close(rt);
        CHECK(join(h[0]) == -ECANCELED && join(h[1]) == -ECANCELED);
        for (int i = 0; i < MANY; i++)
            CHECK(drops_of(&events[i]) == 1);
    }
    free(events);
}

int main(void)
{
    (void)test_seed();
    RUN(everybody_at_once);
    RUN(no_wake_is_lost);
    RUN(destroy_with_many_idle);
    RUN(each_state_meets_each_act);
    return summary();
}
