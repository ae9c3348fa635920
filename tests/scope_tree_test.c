/* SPDX-License-Identifier: Apache-2.0 */
/* Cancels of trees that are deep, wide, or still growing: everybody is told, once, wherever it waits. */
#include "tests/scope_check.h"

struct tree {
    uint32_t begun, told;
    uint32_t levels; /* of tasks, or of scopes in one task */
    filch_scope top;
};

static int sleep_for_ever(void *arg)
{
    struct tree *t = arg;
    tally(&t->begun);
    int rc = filch_sleep_until(FILCH_NEVER);
    CHECK(rc == -ECANCELED);
    tally(&t->told);
    return rc;
}

static void await_count(const uint32_t *count, uint32_t n)
{
    while (filch__load_acquire(count) < n)
        CHECK(filch_yield() == 0);
}

/* Each task is the child of the one before it; the last sleeps. */
static int link_of_chain(void *arg)
{
    struct tree *t = arg;
    if ((int32_t)filch__sub_acq_rel(&t->levels, 1u) <= 1)
        return sleep_for_ever(t);
    filch_scope s;
    tally(&t->begun);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn(&s, NULL, link_of_chain, t) == 0);
    int rc = filch_scope_close(&s);
    CHECK(rc == -ECANCELED);
    tally(&t->told);
    return rc;
}

static int chain(void *arg)
{
    (void)arg;
    uint32_t n = (uint32_t)sized(300, 3000, 10000);
    for (int grown = 0; grown < 2; grown++) { /* cancelled on the way down, or at its length */
        struct tree t = {.levels = n};
        REQUIRE(filch_scope_open(&t.top, NULL) == 0);
        CHECK(filch_scope_spawn(&t.top, NULL, link_of_chain, &t) == 0);
        await_count(&t.begun, grown ? n : n / 2);
        CHECK(filch_scope_cancel(&t.top, 1) == 0);
        CHECK(filch_scope_close(&t.top) == -ECANCELED && t.told == t.begun);
    }
    return 0;
}

/* So many scopes in one task, with children and shields between them. */
static int nest(struct tree *t)
{
    filch_scope s;
    filch_shield shield;
    if (t->levels == 0) {
        await_count(&t->begun, 1);
        CHECK(filch_scope_cancel(&t->top, 1) == 0);
        CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
        CHECK(filch_shield_begin(&shield, 0) == 0);
        CHECK(filch_sleep(1) == 0 && filch_shield_end(&shield) == 0);
        return filch_checkpoint();
    }
    t->levels--;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, t) == 0);
    (void)nest(t);
    CHECK(filch_checkpoint() == -ECANCELED);
    return filch_scope_close(&s);
}

static int ladder(void *arg)
{
    (void)arg;
    struct tree t = {.levels = 200};
    REQUIRE(filch_scope_open(&t.top, NULL) == 0);
    CHECK(nest(&t) == -ECANCELED && t.told == t.begun);
    CHECK(filch_scope_close(&t.top) == -ECANCELED && filch_checkpoint() == 0);
    return 0;
}

static void deep(void)
{
    on_each(chain);
    on_each(ladder);
}

static int crowd(void *arg)
{
    (void)arg;
    uint32_t n = (uint32_t)sized(500, 5000, 20000);
    struct tree t = {.levels = 0};
    REQUIRE(filch_scope_open(&t.top, NULL) == 0);
    for (uint32_t i = 0; i < n; i++)
        CHECK(filch_scope_spawn(&t.top, NULL, sleep_for_ever, &t) == 0);
    await_count(&t.begun, n); /* they sleep */
    for (uint32_t i = 0; i < n; i++)
        CHECK(filch_scope_spawn(&t.top, NULL, sleep_for_ever, &t) == 0);
    CHECK(filch_scope_cancel(&t.top, 1) == 0); /* and as many have hardly begun */
    CHECK(filch_scope_close(&t.top) == -ECANCELED);
    CHECK(t.told == t.begun);
    filch_report r;
    CHECK(filch_scope_report(&t.top, &r) == 0 && r.ended == 2 * n && r.cancelled == 2 * n);
    return 0;
}

static void wide(void)
{
    on_each(crowd);
}

/* ---- while it grows ---- */

/* Unless the runtime ends. */
static void plant(filch_scope *s, filch_fn *fn, struct tree *t)
{
    int rc = filch_scope_spawn(s, NULL, fn, t);
    CHECK(rc == 0 || (rc == -ESHUTDOWN && filch_cancelled()));
}

/* Never stops growing, unless it is told. */
static int grow(void *arg)
{
    struct tree *t = arg;
    tally(&t->begun);
    while (filch_checkpoint() == 0) {
        filch_scope s;
        REQUIRE(filch_scope_open(&s, NULL) == 0);
        for (int i = 0; i < 3; i++)
            plant(&s, sleep_for_ever, t);
        if ((int32_t)filch__sub_acq_rel(&t->levels, 1u) > 0)
            plant(&s, grow, t);
        CHECK(filch_scope_close(&s) == -ECANCELED);
    }
    tally(&t->told);
    return -ECANCELED;
}

enum how { CANCEL, ABORT, DESTROY, HOWS };

static int open_and_grow(void *arg)
{
    struct tree *t = arg;
    REQUIRE(filch_scope_open(&t->top, &(filch_scope_options){.policy = FILCH_SUPERVISE}) == 0);
    plant(&t->top, grow, t);
    tally(&t->begun);
    tally(&t->told);
    return filch_scope_close(&t->top);
}

static void cut(enum how how, int workers, uint32_t at)
{
    filch_runtime *rt = runtime_open(workers);
    struct tree t = {.levels = 60};
    filch_handle *h;
    spawn_on(rt, &h, open_and_grow, &t);
    SPIN_UNTIL(filch__load_acquire(&t.begun) >= at);
    if (how == CANCEL)
        CHECK(filch_scope_cancel(&t.top, 4) == 0);
    else if (how == ABORT)
        CHECK(filch_abort(h) == 0);
    else
        runtime_close(rt);
    CHECK(join(h) == -ECANCELED && t.told == t.begun);
    if (how != DESTROY)
        runtime_close(rt);
}

static void growing(void)
{
    for (int i = 0; i < sized(90, 900, 9000); i++)
        cut((enum how)(i % HOWS), worker_counts[i / HOWS % 3], 1 + (uint32_t)i % 70);
}

int main(void)
{
    RUN(deep);
    RUN(wide);
    RUN(growing);
    return summary();
}
