/* SPDX-License-Identifier: Apache-2.0 */
/* Oneshots: one item, received once or dropped once, whoever gives up and whenever; the last of the
 * two sides frees the memory at once. */
#include "tests/wait_check.h"

struct item {
    uint64_t number, twin;
};

static struct item item_of(uint64_t number)
{
    return (struct item){number, ~number};
}

static bool is_item(const struct item *i, uint64_t number)
{
    return i->number == number && i->twin == ~number;
}

static uint32_t drops;

static void item_drop(void *item)
{
    const struct item *i = item;
    CHECK(i->twin == ~i->number);
    tally(&drops);
}

static uint32_t take_drops(void)
{
    return filch__exchange_acq_rel(&drops, 0u);
}

/* ---- answers ---- */

static int bad_input(void *rt)
{
    (void)rt;
    struct item slot, i = item_of(1);
    filch_oneshot o = FILCH_ONESHOT(slot), counted;
    filch_oneshot_receive_future none[] = {FILCH_ONESHOT_RECEIVE_FUTURE(NULL, &i),
                                           FILCH_ONESHOT_RECEIVE_FUTURE(&o, NULL)};
    filch_oneshot_closed_future nothing = FILCH_ONESHOT_CLOSED_FUTURE(NULL);
    CHECK(filch_oneshot_init(NULL, &slot, sizeof slot, NULL) == -EINVAL);
    CHECK(filch_oneshot_init(&o, NULL, sizeof slot, NULL) == -EINVAL);
    CHECK(filch_oneshot_destroy(NULL) == -EINVAL);
    CHECK(filch_oneshot_send(NULL, &i) == -EINVAL && filch_oneshot_send(&o, NULL) == -EINVAL);
    CHECK(filch_oneshot_receive(NULL, &i) == -EINVAL);
    CHECK(filch_oneshot_receive(&o, NULL) == -EINVAL);
    CHECK(filch_oneshot_try_receive(NULL, &i) == -EINVAL);
    CHECK(filch_oneshot_try_receive(&o, NULL) == -EINVAL);
    CHECK(filch_oneshot_close(NULL) == -EINVAL && filch_oneshot_close_receiving(NULL) == -EINVAL);
    CHECK(filch_oneshot_is_closed(NULL) && !filch_oneshot_is_closed(&o));
    CHECK(filch_await(&none[0].future) == -EINVAL && filch_await(&none[1].future) == -EINVAL);
    CHECK(filch_await(&nothing.future) == -EINVAL);
    CHECK(filch_oneshot_init(&counted, NULL, 0, NULL) == 0);
    CHECK(filch_oneshot_send(&counted, NULL) == 0 && filch_oneshot_receive(&counted, NULL) == 0);
    CHECK(filch_oneshot_receive(&counted, NULL) == -EPIPE);
    return 0;
}

static int sent_and_received(void *rt)
{
    (void)rt;
    struct item slot, a = item_of(1), b = item_of(2), got = item_of(3);
    filch_oneshot o = FILCH_ONESHOT(slot);
    filch_oneshot_receive_future late = FILCH_ONESHOT_RECEIVE_FUTURE(&o, &got);
    filch_oneshot_receive_future f = FILCH_ONESHOT_RECEIVE_FUTURE(&o, &got);
    CHECK(filch_oneshot_try_receive(&o, &got) == -EAGAIN && is_item(&got, 3));
    CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT && is_item(&got, 3));
    CHECK(filch_oneshot_send(&o, &a) == 0 && filch_oneshot_is_closed(&o));
    CHECK(filch_oneshot_send(&o, &b) == -EPIPE && filch_oneshot_close(&o) == 1);
    CHECK(filch_oneshot_receive(&o, &got) == 0 && is_item(&got, 1));
    got = item_of(3);
    CHECK(filch_oneshot_receive(&o, &got) == -EPIPE && is_item(&got, 3));
    CHECK(filch_oneshot_try_receive(&o, &got) == -EPIPE && is_item(&got, 3));
    CHECK(filch_oneshot_send(&o, &b) == -EPIPE && filch_oneshot_close_receiving(&o) == 1);
    CHECK(filch_oneshot_destroy(&o) == 0 && filch_oneshot_send(&o, &b) == 0); /* as new */
    CHECK(filch_oneshot_try_receive(&o, &got) == 0 && is_item(&got, 2));
    CHECK(filch_oneshot_destroy(&o) == 0 && filch_poll(&f.future, NULL) == FILCH_PENDING);
    CHECK(filch_oneshot_send(&o, &a) == 0 && filch_await(&f.future) == 0 && is_item(&got, 1));
    CHECK(filch_await(&f.future) == -EALREADY);
    return 0;
}

static int closed(void *rt)
{
    (void)rt;
    struct item slot, a = item_of(1), got = item_of(3);
    filch_oneshot o;
    CHECK(filch_oneshot_init(&o, &slot, sizeof slot, item_drop) == 0);
    CHECK(filch_oneshot_close(&o) == 0 && filch_oneshot_close(&o) == 1);
    CHECK(filch_oneshot_receive(&o, &got) == -EPIPE && is_item(&got, 3));
    CHECK(filch_oneshot_close_receiving(&o) == 1 && filch_oneshot_send(&o, &a) == -EPIPE);
    CHECK(filch_oneshot_destroy(&o) == 0 && filch_oneshot_close_receiving(&o) == 0);
    CHECK(filch_oneshot_send(&o, &a) == -EPIPE && filch_oneshot_close(&o) == 1);
    CHECK(filch_oneshot_receive(&o, &got) == -EPIPE && filch_oneshot_is_closed(&o));
    CHECK(filch_oneshot_destroy(&o) == 0 && take_drops() == 0);
    CHECK(filch_oneshot_send(&o, &a) == 0 && filch_oneshot_close_receiving(&o) == 1);
    CHECK(take_drops() == 1 && filch_oneshot_try_receive(&o, &got) == -EPIPE);
    CHECK(filch_oneshot_close_receiving(&o) == 1 && filch_oneshot_destroy(&o) == 0);
    CHECK(take_drops() == 0 && filch_oneshot_send(&o, &a) == 0);
    CHECK(filch_oneshot_destroy(&o) == 0 && take_drops() == 1 && !filch_oneshot_is_closed(&o));
    CHECK(filch_oneshot_send(&o, &a) == 0 && filch_oneshot_receive(&o, &got) == 0);
    CHECK(filch_oneshot_destroy(&o) == 0 && take_drops() == 0); /* it is the receiver's */
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(bad_input);
    everywhere(sent_and_received);
    everywhere(closed);
}

/* ---- who waits ---- */

enum how { SEND, CLOSE, CLOSE_RECEIVING, HOWS };

static int end_it(filch_oneshot *o, enum how how)
{
    struct item a = item_of(1);
    return how == SEND    ? filch_oneshot_send(o, &a)
           : how == CLOSE ? filch_oneshot_close(o)
                          : filch_oneshot_close_receiving(o);
}

/* Each waits, leaves before the end or after it, or is polled. */
static void wait_for_the_end(enum how how, uint64_t *random)
{
    struct item slot, got = item_of(3);
    filch_oneshot o;
    struct bell receiver = {0}, watcher = {0}, moved = {0}, late = {0};
    REQUIRE(filch_oneshot_init(&o, &slot, sizeof slot, item_drop) == 0);
    filch_oneshot_receive_future r = FILCH_ONESHOT_RECEIVE_FUTURE(&o, &got), other = r;
    filch_oneshot_closed_future w = FILCH_ONESHOT_CLOSED_FUTURE(&o), another = w;
    uint32_t leaves_r = test_random(random, 3), leaves_w = test_random(random, 3);
    CHECK(poll_for(&r.future, &receiver) == FILCH_PENDING);
    CHECK(poll_for(&w.future, &watcher) == FILCH_PENDING);
    CHECK(poll_for(&w.future, &moved) == FILCH_PENDING);
    CHECK(poll_for(&other.future, &late) == -EBUSY && poll_for(&another.future, &late) == -EBUSY);
    CHECK(filch_oneshot_receive(&o, &got) == -EBUSY && filch_oneshot_destroy(&o) == -EBUSY);
    if (leaves_r == 1)
        CHECK(filch_future_drop(&r.future) == 0);
    if (leaves_w == 1)
        CHECK(filch_future_drop(&w.future) == 0);
    CHECK(filch_oneshot_destroy(&o) == (leaves_r == 1 && leaves_w == 1 ? 0 : -EBUSY));
    CHECK(end_it(&o, how) == 0);
    CHECK(rung(&receiver) == (leaves_r != 1) && rung(&moved) == (leaves_w != 1));
    CHECK(rung(&watcher) == 0 && rung(&late) == 0);
    CHECK(filch_oneshot_destroy(&o) == (leaves_r == 1 && leaves_w == 1 ? 0 : -EBUSY));
    bool there = how == SEND && !(leaves_r == 1 && leaves_w == 1);
    if (leaves_r == 0) {
        CHECK(poll_for(&r.future, &receiver) == (how == SEND ? 0 : -EPIPE));
        CHECK(is_item(&got, how == SEND ? 1 : 3));
        there = false;
    } else if (leaves_r == 2) {
        CHECK(filch_future_drop(&r.future) == 0 && is_item(&got, 3));
    }
    CHECK(leaves_w != 0 || poll_for(&w.future, &watcher) == 0);
    CHECK(leaves_w != 2 || filch_future_drop(&w.future) == 0);
    CHECK(take_drops() == (how == SEND && leaves_r == 1 && leaves_w == 1));
    CHECK(filch_oneshot_destroy(&o) == 0 && take_drops() == there);
}

static int waits(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < 300; i++)
        wait_for_the_end((enum how)(i % HOWS), &random);
    return 0;
}

static void told_once_at_the_end(void)
{
    everywhere(waits);
}

/* Whoever else takes the item first: who was told finds none. */
static int taken_before(void *rt)
{
    (void)rt;
    struct item slot, a = item_of(1), got, mine = item_of(3);
    filch_oneshot o = FILCH_ONESHOT(slot);
    struct bell bell = {0};
    filch_oneshot_receive_future r = FILCH_ONESHOT_RECEIVE_FUTURE(&o, &mine);
    CHECK(poll_for(&r.future, &bell) == FILCH_PENDING && filch_oneshot_send(&o, &a) == 0);
    CHECK(rung(&bell) == 1 && filch_oneshot_receive(&o, &got) == 0 && is_item(&got, 1));
    CHECK(filch_oneshot_close_receiving(&o) == 1 && filch_oneshot_destroy(&o) == -EBUSY);
    CHECK(poll_for(&r.future, &bell) == -EPIPE && is_item(&mine, 3) && rung(&bell) == 1);
    CHECK(filch_oneshot_destroy(&o) == 0);
    return 0;
}

static void taken_by_somebody_else(void)
{
    everywhere(taken_before);
}

/* ---- a grant and a deadline at once ---- */

static int receive_until(void *oneshot, int64_t deadline)
{
    struct item got;
    filch_oneshot_receive_future f = FILCH_ONESHOT_RECEIVE_FUTURE(oneshot, &got);
    int rc = filch_await_until(&f.future, deadline);
    CHECK(rc < 0 || (is_item(&got, 1) && filch_oneshot_destroy(oneshot) == 0));
    return rc;
}

static int closed_until(void *oneshot, int64_t deadline)
{
    filch_oneshot_closed_future f = FILCH_ONESHOT_CLOSED_FUTURE(oneshot);
    int rc = filch_await_until(&f.future, deadline);
    CHECK(rc < 0 || filch_oneshot_destroy(oneshot) == 0);
    return rc;
}

static void send_it(void *oneshot)
{
    CHECK(end_it(oneshot, SEND) == 0);
}

static void close_it(void *oneshot)
{
    CHECK(end_it(oneshot, CLOSE_RECEIVING) == 0);
}

static void sent_and_late(void)
{
    struct item slot;
    filch_oneshot o = FILCH_ONESHOT(slot);
    struct tick sent = {.wait = receive_until, .act = send_it, .arg = &o};
    struct tick gone = {.wait = closed_until, .act = close_it, .arg = &o};
    CHECK(at_once(&sent) == 0 && at_once(&gone) == 0);
    CHECK(filch_oneshot_destroy(&o) == 0);
}

/* ---- cancels ---- */

/* What a meeting is about: a receiver and a watcher, each in some of the rounds. */
struct round {
    filch_oneshot o;
    struct item slot, got;
    uint32_t roles, received, refused;
    enum how how;
};

static int take_part(void *round)
{
    struct round *r = round;
    if (filch__add_acq_rel(&r->roles, 1u) % 2) {
        filch_oneshot_closed_future f = FILCH_ONESHOT_CLOSED_FUTURE(&r->o);
        return filch_await(&f.future);
    }
    int rc = filch_oneshot_receive(&r->o, &r->got);
    if (rc == 0)
        tally(&r->received);
    else if (rc == -EPIPE)
        tally(&r->refused);
    return rc == -EPIPE ? 0 : rc;
}

static int end_round(void *round)
{
    struct round *r = round;
    return end_it(&r->o, r->how);
}

static void cancel_at_the_end(struct meeting *m)
{
    struct round *r = m->arg;
    *r = (struct round){.how = (enum how)test_random(&m->random, HOWS)};
    REQUIRE(filch_oneshot_init(&r->o, &r->slot, sizeof r->slot, item_drop) == 0);
    meeting_begin(m);
    meeting_end(m);
    CHECK(r->received + r->refused <= 1);
    CHECK(r->how == SEND ? !r->refused : !r->received);
    CHECK(!r->received || is_item(&r->got, 1));
    uint32_t there = r->how == SEND && !r->received;
    struct item got = item_of(3);
    if (test_random(&m->random, 2)) {
        CHECK(filch_oneshot_try_receive(&r->o, &got) == (there ? 0 : -EPIPE));
        CHECK(is_item(&got, there ? 1 : 3));
        there = 0;
    }
    CHECK(filch_oneshot_destroy(&r->o) == 0 && take_drops() == there);
}

static void cancels_at_the_end(void)
{
    struct round r;
    struct meeting m = {.wait = take_part, .act = end_round, .arg = &r, .waiters = 2};
    meet_on_each(&m, cancel_at_the_end);
}

/* ---- the last one frees it ---- */

struct pair {
    filch_oneshot o;
    struct item slot;
    uint64_t number;
    struct crowd *crowd;
};

/* Of all pairs. */
struct crowd {
    filch_runtime *rt;
    uint32_t started, stop, pairs, freed, sent, received;
    long enough;
};

static void pair_free(struct pair *p)
{
    tally(&p->crowd->freed);
    free(p);
}

/* Gives up, now and then, at once or when it learns that nobody listens. */
static int be_sender(void *pair)
{
    struct pair *p = pair;
    struct crowd *c = p->crowd;
    struct item i = item_of(p->number);
    uint64_t random = p->number;
    filch_oneshot_closed_future gone = FILCH_ONESHOT_CLOSED_FUTURE(&p->o);
    int rc;
    if (test_random(&random, 2) && try_somehow(&gone.future, &random) == 0) {
        CHECK(filch_oneshot_send(&p->o, &i) == -EPIPE);
        pair_free(p);
        return 0;
    }
    pause_a_little(&random);
    if (test_random(&random, 4)) {
        rc = filch_oneshot_send(&p->o, &i);
        CHECK(rc == 0 || rc == -EPIPE);
        if (rc == 0)
            tally(&c->sent);
    } else {
        rc = filch_oneshot_close(&p->o);
        CHECK(rc == 0 || rc == 1);
    }
    if (rc != 0)
        pair_free(p);
    return 0;
}

static int be_receiver(void *pair)
{
    struct pair *p = pair;
    struct crowd *c = p->crowd;
    uint64_t random = ~p->number;
    int rc = -ETIMEDOUT;
    for (uint32_t tries = test_random(&random, 3); rc == -ETIMEDOUT && tries > 0; tries--) {
        struct item got;
        filch_oneshot_receive_future f = FILCH_ONESHOT_RECEIVE_FUTURE(&p->o, &got);
        rc = try_somehow(&f.future, &random);
        CHECK(rc == 0 || rc == -EPIPE || rc == -ETIMEDOUT);
        CHECK(rc < 0 || is_item(&got, p->number));
    }
    if (rc == 0)
        tally(&c->received);
    if (rc == -ETIMEDOUT && filch_oneshot_close_receiving(&p->o) == 0)
        return 0; /* the sender is the last */
    pair_free(p);
    return 0;
}

/* Makes pairs, and is one side of each. */
static int pair_up(void *crowd)
{
    struct crowd *c = crowd;
    uint64_t random = test_seed() + filch__add_acq_rel(&c->started, 1u);
    while (!flag_up(&c->stop)) {
        struct pair *p = malloc(sizeof *p);
        bool sends = test_random(&random, 2);
        REQUIRE(p && filch_oneshot_init(&p->o, &p->slot, sizeof p->slot, item_drop) == 0);
        p->number = (uint64_t)test_random(&random, UINT32_MAX) << 20;
        p->crowd = c;
        tally(&c->pairs);
        spawn_on(c->rt, NULL, sends ? be_receiver : be_sender, p);
        (void)(sends ? be_sender : be_receiver)(p);
        while (filch__load_acquire(&c->pairs) - filch__load_acquire(&c->freed) > 64)
            CHECK(filch_yield() == 0);
    }
    return 0;
}

static bool enough(void *crowd)
{
    struct crowd *c = crowd;
    return filch__load_acquire(&c->pairs) >= c->enough;
}

static void the_last_side_frees_it(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        struct crowd c = {.rt = runtime_open(worker_counts[w]),
                          .enough = sized(400, 30000, 300000)};
        crowd_on(c.rt, pair_up, &c, enough, &c.stop);
        CHECK(c.freed == c.pairs && c.sent == c.received + take_drops());
        CHECK(c.received > 0 && c.sent < c.pairs);
        runtime_close(c.rt);
    }
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(told_once_at_the_end);
    RUN(taken_by_somebody_else);
    RUN(sent_and_late);
    run_case_within(300, "cancels_at_the_end", cancels_at_the_end);
    run_case_within(300, "the_last_side_frees_it", the_last_side_frees_it);
    return summary();
}
