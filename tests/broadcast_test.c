/* SPDX-License-Identifier: Apache-2.0 */
/* Broadcasts: each receiver gets all that is sent while it is subscribed, or is told how many it has
 * missed, in order, whoever leaves and whenever. */
#include "sched/os/fault.h"
#include "tests/wait_check.h"

/* ---- answers ---- */

static int bad_input(void *rt)
{
    (void)rt;
    int slots[3], i = 1;
    uint64_t missed = 99;
    filch_broadcast b = FILCH_BROADCAST(slots), made;
    filch_broadcast_receiver r = FILCH_BROADCAST_RECEIVER, s = FILCH_BROADCAST_RECEIVER;
    filch_broadcast_receive_future none[] = {FILCH_BROADCAST_RECEIVE_FUTURE(NULL, &i, NULL),
                                             FILCH_BROADCAST_RECEIVE_FUTURE(&s, &i, NULL),
                                             FILCH_BROADCAST_RECEIVE_FUTURE(&r, NULL, NULL)};
    CHECK(filch_broadcast_send(NULL, &i) == -EINVAL && filch_broadcast_send(&b, NULL) == -EINVAL);
    CHECK(filch_broadcast_close(NULL) == -EINVAL && filch_broadcast_destroy(NULL) == -EINVAL);
    CHECK(filch_broadcast_receivers(NULL) == 0);
    CHECK(filch_broadcast_subscribe(NULL, &b) == -EINVAL);
    CHECK(filch_broadcast_subscribe(&r, NULL) == -EINVAL);
    CHECK(filch_broadcast_unsubscribe(NULL) == -EINVAL);
    CHECK(filch_broadcast_unsubscribe(&r) == -EINVAL && filch_broadcast_subscribe(&r, &b) == 0);
    CHECK(filch_broadcast_subscribe(&r, &b) == -EBUSY && filch_broadcast_receivers(&b) == 1);
    CHECK(filch_broadcast_receive(NULL, &i, &missed) == -EINVAL);
    CHECK(filch_broadcast_receive(&s, &i, &missed) == -EINVAL);
    CHECK(filch_broadcast_receive(&r, NULL, &missed) == -EINVAL);
    CHECK(filch_broadcast_try_receive(NULL, &i, &missed) == -EINVAL);
    CHECK(filch_broadcast_try_receive(&s, &i, &missed) == -EINVAL);
    CHECK(filch_broadcast_try_receive(&r, NULL, &missed) == -EINVAL);
    for (size_t k = 0; k < COUNT(none); k++)
        CHECK(filch_await(&none[k].future) == -EINVAL);
    CHECK(filch_broadcast_create(NULL, &(filch_broadcast_options){4, 4}) == -EINVAL);
    CHECK(filch_broadcast_create(&made, NULL) == -EINVAL);
    CHECK(filch_broadcast_create(&made, &(filch_broadcast_options){4, 0}) == -EINVAL);
    CHECK(filch_broadcast_create(&made, &(filch_broadcast_options){8, SIZE_MAX / 4}) == -EOVERFLOW);
    CHECK(filch_broadcast_create(&made, &(filch_broadcast_options){1, SIZE_MAX}) == -EOVERFLOW);
    CHECK(filch_broadcast_unsubscribe(&r) == 0 && filch_broadcast_receivers(&b) == 0);
    CHECK(missed == 99 && filch_broadcast_destroy(&b) == 0);
    return 0;
}

static int one_receiver(void *rt)
{
    (void)rt;
    int slots[3], i = 0, got = -1;
    uint64_t missed = 99;
    filch_broadcast b = FILCH_BROADCAST(slots);
    filch_broadcast_receiver r = FILCH_BROADCAST_RECEIVER;
    CHECK(filch_broadcast_send(&b, &i) == 0 && filch_broadcast_subscribe(&r, &b) == 0);
    filch_broadcast_receive_future late = FILCH_BROADCAST_RECEIVE_FUTURE(&r, &got, &missed);
    filch_broadcast_receive_future f = FILCH_BROADCAST_RECEIVE_FUTURE(&r, &got, &missed);
    CHECK(filch_broadcast_try_receive(&r, &got, &missed) == -EAGAIN); /* it came before */
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT && got == -1 && missed == 99);
    CHECK(filch_poll(&f.future, NULL) == FILCH_PENDING);
    CHECK(filch_broadcast_unsubscribe(&r) == -EBUSY && filch_broadcast_destroy(&b) == -EBUSY);
    for (i = 1; i <= 3; i++)
        CHECK(filch_broadcast_send(&b, &i) == 0);
    CHECK(filch_broadcast_unsubscribe(&r) == -EBUSY && filch_broadcast_destroy(&b) == -EBUSY);
    CHECK(filch_await(&f.future) == 0 && got == 1 && missed == 0);
    CHECK(filch_await(&f.future) == -EALREADY);
    CHECK(filch_broadcast_receive(&r, &got, NULL) == 0 && got == 2);
    for (i = 4; i <= 9; i++)
        CHECK(filch_broadcast_send(&b, &i) == 0);
    CHECK(filch_broadcast_receive(&r, &got, &missed) == 0 && got == 7 && missed == 4);
    CHECK(filch_broadcast_try_receive(&r, &got, &missed) == 0 && got == 8 && missed == 0);
    CHECK(filch_broadcast_close(&b) == 0 && filch_broadcast_close(&b) == 0);
    CHECK(filch_broadcast_send(&b, &i) == -EPIPE);
    CHECK(filch_broadcast_receive(&r, &got, &missed) == 0 && got == 9 && missed == 0);
    missed = 99;
    CHECK(filch_broadcast_receive(&r, &got, &missed) == -EPIPE && got == 9 && missed == 99);
    CHECK(filch_broadcast_try_receive(&r, &got, &missed) == -EPIPE);
    CHECK(filch_broadcast_destroy(&b) == -EBUSY && filch_broadcast_unsubscribe(&r) == 0);
    CHECK(filch_broadcast_subscribe(&r, &b) == 0 && filch_broadcast_receive(&r, &got, NULL) < 0);
    CHECK(filch_broadcast_unsubscribe(&r) == 0 && filch_broadcast_destroy(&b) == 0);
    CHECK(filch_broadcast_send(&b, &i) == 0 && filch_broadcast_destroy(&b) == 0); /* as new */
    return 0;
}

static int of_its_own(void *rt)
{
    (void)rt;
    filch_broadcast b;
    filch_broadcast_receiver r = FILCH_BROADCAST_RECEIVER;
    char item[24] = "item", got[24] = "";
    uint64_t missed;
    CHECK(filch_broadcast_create(&b, &(filch_broadcast_options){24, 5}) == 0);
    CHECK(filch_broadcast_subscribe(&r, &b) == 0 && filch_broadcast_send(&b, item) == 0);
    CHECK(filch_broadcast_receive(&r, got, &missed) == 0 && strcmp(got, "item") == 0);
    CHECK(filch_broadcast_destroy(&b) == -EBUSY && filch_broadcast_unsubscribe(&r) == 0);
    CHECK(filch_broadcast_destroy(&b) == 0 && filch_broadcast_destroy(&b) == 0);
    CHECK(filch_broadcast_send(&b, item) == -EPIPE);
    CHECK(filch_broadcast_create(&b, &(filch_broadcast_options){0, 2}) == 0);
    CHECK(filch_broadcast_subscribe(&r, &b) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(filch_broadcast_send(&b, NULL) == 0);
    CHECK(filch_broadcast_receive(&r, NULL, &missed) == 0 && missed == 3);
    CHECK(filch_broadcast_unsubscribe(&r) == 0 && filch_broadcast_destroy(&b) == 0);
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(bad_input);
    everywhere(one_receiver);
    everywhere(of_its_own);
}

static void no_memory(void)
{
#ifdef FILCH_FAULTS
    filch_broadcast b;
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, false);
    CHECK(filch_broadcast_create(&b, &(filch_broadcast_options){24, 5}) == -ENOMEM);
    filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
    CHECK(filch_broadcast_create(&b, &(filch_broadcast_options){24, 5}) == 0);
    CHECK(filch_broadcast_destroy(&b) == 0);
#endif
}

/* ---- against a model ---- */

/* Items are numbered. What a receiver has, in the model, is the number of the next. */
struct seat {
    filch_broadcast_receiver r;
    filch_broadcast_receive_future f;
    struct bell bell;
    bool waits;
    uint32_t told;
    uint64_t next, got, missed;
};

enum { SEATS = 24 };

struct model {
    filch_broadcast b;
    uint64_t slots[5], sent, capacity;
    struct seat seats[SEATS];
};

/* What a receive of it gives, now that it is ready. */
static void seat_check(struct model *m, struct seat *s, int rc)
{
    uint64_t oldest = m->sent > m->capacity ? m->sent - m->capacity : 0;
    uint64_t next = s->next > oldest ? s->next : oldest;
    CHECK(rc == 0 && s->got == next && s->missed == next - s->next);
    s->next = next + 1;
}

static void seat_poll(struct model *m, struct seat *s)
{
    int rc = poll_for(&s->f.future, &s->bell);
    s->waits = rc == FILCH_PENDING;
    CHECK(s->waits == (s->next == m->sent));
    if (!s->waits)
        seat_check(m, s, rc);
}

static void seat_act(struct model *m, struct seat *s, uint64_t *random)
{
    bool subscribed = s->r.broadcast;
    switch (test_random(random, 8)) {
    case 0: /* comes, or goes */
        if (s->waits)
            CHECK(filch_future_drop(&s->f.future) == 0);
        s->waits = false;
        CHECK((subscribed ? filch_broadcast_unsubscribe(&s->r)
                          : filch_broadcast_subscribe(&s->r, &m->b)) == 0);
        s->next = m->sent;
        break;
    case 1: /* stays, and waits no longer */
        CHECK(!s->waits || filch_future_drop(&s->f.future) == 0);
        s->waits = false;
        break;
    case 2:
        if (!subscribed)
            break;
        int rc = filch_broadcast_try_receive(&s->r, &s->got, &s->missed);
        CHECK((rc == -EAGAIN) == (s->next == m->sent));
        if (rc != -EAGAIN)
            seat_check(m, s, rc);
        break;
    default:
        if (!s->waits) {
            if (!subscribed)
                break;
            s->bell = (struct bell){0};
            s->told = 0;
            s->f = (filch_broadcast_receive_future)FILCH_BROADCAST_RECEIVE_FUTURE(&s->r, &s->got,
                                                                                  &s->missed);
        } else {
            s->told = rung(&s->bell);
        }
        seat_poll(m, s);
    }
}

static void model_send(struct model *m)
{
    CHECK(filch_broadcast_send(&m->b, &m->sent) == 0);
    size_t subscribed = 0;
    for (int i = 0; i < SEATS; i++)
        subscribed += m->seats[i].r.broadcast != NULL;
    CHECK(filch_broadcast_receivers(&m->b) == subscribed);
    for (int i = 0; i < SEATS; i++) /* once since it began to wait */
        CHECK(!m->seats[i].waits || rung(&m->seats[i].bell) == m->seats[i].told + 1);
    m->sent++;
}

static int play(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (size_t capacity = 1; capacity <= 5; capacity++) {
        struct model m = {.capacity = capacity};
        filch_broadcast b = FILCH_BROADCAST(m.slots);
        b.capacity = capacity;
        m.b = b;
        for (long i = 0; i < sized(1000, 20000, 80000) && !filch__load_relaxed(&case_bad); i++) {
            if (test_random(&random, 8) == 0)
                model_send(&m);
            else
                seat_act(&m, &m.seats[test_random(&random, SEATS)], &random);
        }
        for (int i = 0; i < SEATS; i++) {
            CHECK(!m.seats[i].waits || filch_future_drop(&m.seats[i].f.future) == 0);
            CHECK(!m.seats[i].r.broadcast || filch_broadcast_unsubscribe(&m.seats[i].r) == 0);
        }
        CHECK(filch_broadcast_destroy(&m.b) == 0);
    }
    return 0;
}

static void as_the_model_says(void)
{
    everywhere(play);
}

/* ---- leaving while all are told ---- */

static void send_one(void *broadcast)
{
    int i = 1;
    CHECK(filch_broadcast_send(broadcast, &i) == 0);
}

static void close_it(void *broadcast)
{
    CHECK(filch_broadcast_close(broadcast) == 0);
}

static void the_last_frees_it(void)
{
    for (int i = 0; i < 50; i++) {
        struct memory {
            filch_broadcast b;
            int slots[2];
        } *memory = malloc(sizeof *memory);
        REQUIRE(memory);
        struct parting p = {.memory = memory};
        filch_broadcast_receiver r[MANY];
        filch_broadcast_receive_future f[MANY];
        int got;
        memory->b = (filch_broadcast)FILCH_BROADCAST(memory->slots);
        for (int k = 0; k < MANY; k++) {
            r[k] = (filch_broadcast_receiver)FILCH_BROADCAST_RECEIVER;
            CHECK(filch_broadcast_subscribe(&r[k], &memory->b) == 0);
            f[k] =
                (filch_broadcast_receive_future)FILCH_BROADCAST_RECEIVE_FUTURE(&r[k], &got, NULL);
            parting_poll(&p, k, &f[k].future);
        }
        part(&p, i % 2 ? send_one : close_it);
    }
}

/* ---- an item and a deadline at once ---- */

static int receive_until(void *receiver, int64_t deadline)
{
    int got;
    filch_broadcast_receive_future f = FILCH_BROADCAST_RECEIVE_FUTURE(receiver, &got, NULL);
    return filch_await_until(&f.future, deadline);
}

static void send_to(void *receiver)
{
    send_one(((filch_broadcast_receiver *)receiver)->broadcast);
}

static void sent_and_late(void)
{
    int slots[2];
    filch_broadcast b = FILCH_BROADCAST(slots);
    filch_broadcast_receiver r = FILCH_BROADCAST_RECEIVER;
    struct tick sent = {.wait = receive_until, .act = send_to, .arg = &r};
    CHECK(filch_broadcast_subscribe(&r, &b) == 0);
    CHECK(at_once(&sent) == 0);
    CHECK(filch_broadcast_unsubscribe(&r) == 0 && filch_broadcast_destroy(&b) == 0);
}

/* ---- cancels ---- */

enum { WAITERS = 3 };

struct round {
    filch_broadcast b;
    int slots[2], number;
    filch_broadcast_receiver r[WAITERS];
    int got[WAITERS];
    uint32_t roles;
};

static int receive_one(void *round)
{
    struct round *r = round;
    uint32_t me = filch__add_acq_rel(&r->roles, 1u);
    int got = 0;
    uint64_t missed = 99;
    int rc = filch_broadcast_receive(&r->r[me], &got, &missed);
    CHECK(rc < 0 ? got == 0 && missed == 99 : missed == 0);
    r->got[me] = got;
    return rc;
}

static int send_next(void *round)
{
    struct round *r = round;
    return filch_broadcast_send(&r->b, &r->number);
}

/* Who was cancelled has received nothing, and can do so. */
static void cancel_at_the_item(struct meeting *m)
{
    struct round *r = m->arg;
    r->number++;
    r->roles = 0;
    memset(r->got, 0, sizeof r->got);
    meeting_begin(m);
    meeting_end(m);
    for (int i = 0; i < WAITERS; i++) {
        int got = 0;
        uint64_t missed = 99;
        int rc = filch_broadcast_try_receive(&r->r[i], &got, &missed);
        CHECK(rc == (r->got[i] ? -EAGAIN : 0));
        CHECK(rc < 0 ? r->got[i] == r->number : got == r->number && missed == 0);
    }
}

static void cancels_at_the_item(void)
{
    struct round r = {.number = 0};
    struct meeting m = {.wait = receive_one, .act = send_next, .arg = &r, .waiters = WAITERS};
    r.b = (filch_broadcast)FILCH_BROADCAST(r.slots);
    for (int i = 0; i < WAITERS; i++)
        CHECK(filch_broadcast_subscribe(&r.r[i], &r.b) == 0);
    meet_on_each(&m, cancel_at_the_item);
    for (int i = 0; i < WAITERS; i++)
        CHECK(filch_broadcast_unsubscribe(&r.r[i]) == 0);
    CHECK(filch_broadcast_destroy(&r.b) == 0);
}

/* ---- many ---- */

enum { SENDERS = 3 };

struct number {
    uint64_t sender, number;
};

/* Half of the parties stay to the end. */
struct storm {
    filch_broadcast b;
    struct number slots[16];
    uint32_t started, senders, ready, closed, stop, late;
    long each;
};

static int send_all(void *storm)
{
    struct storm *s = storm;
    struct number n = {.sender = filch__add_acq_rel(&s->senders, 1u)};
    uint64_t random = test_seed() + n.sender;
    while (filch__load_acquire(&s->ready) < CROWD)
        CHECK(filch_yield() == 0);
    for (n.number = 1; n.number <= (uint64_t)s->each; n.number++) {
        CHECK(filch_broadcast_send(&s->b, &n) == 0);
        if (test_random(&random, 8) == 0)
            CHECK(filch_yield() == 0);
    }
    return 0;
}

static int receive_all(void *storm)
{
    struct storm *s = storm;
    uint32_t me = filch__add_acq_rel(&s->started, 1u);
    uint64_t random = test_seed() + 100 + me, sum = 0, last[SENDERS] = {0};
    bool stays = me % 2;
    int rc = 0;
    filch_broadcast_receiver r = FILCH_BROADCAST_RECEIVER;
    CHECK(filch_broadcast_subscribe(&r, &s->b) == 0);
    tally(&s->ready);
    while (rc != -EPIPE) {
        struct number n;
        uint64_t missed;
        filch_broadcast_receive_future f = FILCH_BROADCAST_RECEIVE_FUTURE(&r, &n, &missed);
        rc = test_random(&random, 2) ? filch_await(&f.future) : try_somehow(&f.future, &random);
        CHECK(rc == 0 || rc == -EPIPE || rc == -ETIMEDOUT);
        if (rc == -ETIMEDOUT)
            tally(&s->late);
        if (rc < 0)
            continue;
        CHECK(n.sender < SENDERS && n.number > last[n.sender]);
        last[n.sender] = n.number;
        sum += missed + 1;
        if (!stays && test_random(&random, 256) == 0) {
            CHECK(filch_broadcast_unsubscribe(&r) == 0);
            CHECK(filch_broadcast_subscribe(&r, &s->b) == 0);
        }
    }
    CHECK(!stays || sum == (uint64_t)s->each * SENDERS);
    CHECK(filch_broadcast_unsubscribe(&r) == 0);
    return 0;
}

static filch_handle *sender[SENDERS];

/* The senders' ends; then it is closed. */
static bool all_sent(void *storm)
{
    struct storm *s = storm;
    for (int i = 0; i < SENDERS; i++)
        CHECK(join(sender[i]) == 0);
    CHECK(filch_broadcast_close(&s->b) == 0);
    return true;
}

static void all_receive_all(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct storm s = {.each = sized(2000, 50000, 500000)};
        s.b = (filch_broadcast)FILCH_BROADCAST(s.slots);
        for (int i = 0; i < SENDERS; i++)
            spawn_on(rt, &sender[i], send_all, &s);
        crowd_on(rt, receive_all, &s, all_sent, &s.stop);
        CHECK(filch_broadcast_destroy(&s.b) == 0);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(no_memory);
    RUN(as_the_model_says);
    RUN(the_last_frees_it);
    RUN(sent_and_late);
    run_case_within(300, "cancels_at_the_item", cancels_at_the_item);
    run_case_within(300, "all_receive_all", all_receive_all);
    return summary();
}
