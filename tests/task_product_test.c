/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every state of a task times everything that can be done to it, by whom, on how many workers,
 * with what options. Counters prove that each promise of <filch/task.h> holds exactly once.
 */
#include "tests/support.h"

enum life { UNSTARTED, RUNNING, JOINING, YIELDING, FINISHED, LIVES };
enum action { ABORT, JOIN, DETACH, DESTROY, WAKE, ACTIONS };
enum actor { FOREIGN, TASK, ITSELF, ACTORS };
enum variant { PLAIN, ARG, RESULT_DROPPED, RESULT_MOVED, CANCEL_ON_DROP, VARIANTS };

static const char *const life_names[] = {"unstarted", "running", "joining", "yielding", "finished"};
static const char *const action_names[] = {"abort", "join", "detach", "destroy", "wake"};
static const char *const actor_names[] = {"a thread", "a task", "itself"};

#define VALUE 5
#define MAGIC UINT64_C(0x66696c636866696c)

struct subject {
    enum life life;
    enum action action;
    enum actor actor;
    enum variant variant;
    filch_runtime *rt;
    struct blockers blockers;
    filch_handle *handle;
    filch_abort_handle *watch;
    bool consumed; /* the actor has joined or detached the handle */
    int result;    /* of whoever joined */
    uint64_t out;  /* where the result is moved */
    int saw;       /* what the task's wait or checkpoint returned */
    uint32_t ready, started, acting, go;
    uint32_t runs, arg_drops, result_drops;
};

/* The argument where it is moved. */
struct moved {
    struct subject *s;
    uint64_t more[4];
};

static void drop_arg(void *arg)
{
    struct moved *m = arg;
    struct subject *s = m->s;
    CHECK((uintptr_t)m % 16 == 0);
    CHECK(m->more[3] == MAGIC);
    CHECK(filch_task_name() != NULL); /* on a worker */
    CHECK(!flag_up(&s->ready) || !filch_finished(s->handle) || s->consumed);
    tally(&s->arg_drops);
}

static struct subject *drops_result_of; /* the result holds no pointer; one subject at a time */

static void drop_result(void *result)
{
    CHECK(*(uint64_t *)result == MAGIC);
    tally(&drops_result_of->result_drops);
}

static void act(struct subject *s);

/* What the subject waits for; `started` says that it got so far. */
static int gate(void *arg)
{
    struct subject *s = arg;
    raise_flag(&s->started);
    return wait_for_flag(&s->go);
}

static int wait_by_join(struct subject *s)
{
    filch_handle *h;
    REQUIRE(filch_spawn(&h, gate, s) == 0);
    int rc = filch_join(h, NULL);
    if (rc == 0)
        return filch_checkpoint(); /* a destroy cancels both, the gate perhaps first */
    raise_flag(&s->go);
    filch_detach(h);
    return rc;
}

static int body(struct subject *s)
{
    tally(&s->runs);
    if (s->variant == RESULT_DROPPED || s->variant == RESULT_MOVED) {
        CHECK(*(uint64_t *)filch_result_buffer() == 0);
        *(uint64_t *)filch_result_buffer() = MAGIC;
    }
    switch (s->life) {
    case RUNNING:
        raise_flag(&s->started);
        if (s->actor == ITSELF) {
            SPIN_UNTIL(flag_up(&s->ready));
            act(s);
        }
        SPIN_UNTIL(flag_up(&s->go) || filch_cancelled());
        s->saw = filch_checkpoint();
        return VALUE;
    case JOINING:
        s->saw = wait_by_join(s);
        return s->saw < 0 ? s->saw : VALUE;
    case YIELDING:
        raise_flag(&s->started);
        s->saw = wait_for_flag(&s->go);
        return s->saw < 0 ? s->saw : VALUE;
    default:
        return VALUE;
    }
}

static int plain_fn(void *arg)
{
    return body(arg);
}

static int moved_fn(void *arg)
{
    struct moved *m = arg;
    CHECK(m->more[3] == MAGIC);
    return body(m->s);
}

static void spawn_subject(struct subject *s)
{
    filch_spawn_options o = {.runtime = s->rt};
    struct moved m = {.s = s, .more = {[3] = MAGIC}};
    if (s->variant == ARG) {
        o.arg_size = sizeof m;
        o.arg_drop = drop_arg;
    } else if (s->variant == RESULT_DROPPED || s->variant == RESULT_MOVED) {
        o.result_size = sizeof(uint64_t);
        o.result_drop = drop_result;
    } else if (s->variant == CANCEL_ON_DROP) {
        o.cancel_on_drop = true;
    }
    bool move = s->variant == ARG;
    REQUIRE(filch_spawn_with(&s->handle, &o, move ? moved_fn : plain_fn,
                             move ? (void *)&m : (void *)s) == 0);
    memset(&m, 0xee, sizeof m);
    s->watch = filch_abort_handle_of(s->handle);
    raise_flag(&s->ready);
}

/* Until the subject is in its state. In a task it yields, for there may be one worker only. */
static void await_state(struct subject *s)
{
    if (s->life == UNSTARTED)
        return;
    while (s->life == FINISHED ? !filch_finished(s->handle) : !flag_up(&s->started))
        CHECK(filch_yield() == 0);
}

static void join_subject(struct subject *s)
{
    void *out = s->variant == RESULT_MOVED ? &s->out : NULL;
    CHECK(filch_join_into(s->handle, &s->result, out) == 0);
    s->consumed = true;
    CHECK(s->variant != ARG || filch__load_acquire(&s->arg_drops) == 1);
}

static void act(struct subject *s)
{
    raise_flag(&s->acting);
    switch (s->action) {
    case ABORT:
        CHECK(filch_abort(s->handle) == 0);
        CHECK(filch_abort(s->handle) == 0);
        break;
    case JOIN:
        if (s->actor == ITSELF)
            CHECK(filch_join(s->handle, NULL) == -EDEADLK);
        else
            join_subject(s);
        break;
    case DETACH:
        s->consumed = true;
        filch_detach(s->handle);
        break;
    case DESTROY:
        CHECK(filch_runtime_destroy(s->rt) == (s->actor == FOREIGN ? 0 : -EDEADLK));
        break;
    default:
        raise_flag(&s->go);
    }
}

static int actor_task(void *arg)
{
    struct subject *s = arg;
    spawn_subject(s);
    await_state(s);
    act(s);
    return 0;
}

static void *actor_thread(void *arg)
{
    (void)actor_task(arg);
    return NULL;
}

static bool cancels(const struct subject *s)
{
    return s->action == ABORT || (s->action == DETACH && s->variant == CANCEL_ON_DROP) ||
           (s->action == DESTROY && s->actor == FOREIGN);
}

/* Sets the scene, has the actor act, and lets the subject go on. */
static void direct(struct subject *s, int workers)
{
    filch_handle *task = NULL;
    pthread_t thread = 0;
    s->rt = runtime_open(workers);
    if (s->life == UNSTARTED)
        block_workers(&s->blockers, s->rt, s->actor == TASK ? 2 : 1, workers);
    if (s->actor == FOREIGN) {
        thread = thread_start(actor_thread, s);
    } else if (s->actor == TASK) {
        filch_spawn_options o = {.runtime = s->rt, .worker = s->life == UNSTARTED};
        REQUIRE(filch_spawn_with(&task, &o, actor_task, s) == 0);
    } else {
        spawn_subject(s);
    }
    SPIN_UNTIL(flag_up(&s->acting));
    if (s->action == JOIN) {
        for (int i = 0; i < 20; i++)
            sched_yield(); /* the join probably waits by now; it need not */
        raise_flag(&s->blockers.released);
        raise_flag(&s->go);
    }
    if (s->actor == FOREIGN)
        thread_join(thread);
    else if (s->actor == TASK)
        CHECK(join(task) == 0);
    if (!cancels(s))
        raise_flag(&s->go);
    raise_flag(&s->blockers.released);
}

static void settle(struct subject *s)
{
    bool gone = s->action == DESTROY && s->actor == FOREIGN;
    if (s->actor == ITSELF)
        SPIN_UNTIL(filch_abort_handle_finished(s->watch));
    if (!s->consumed)
        join_subject(s);
    SPIN_UNTIL(filch_abort_handle_finished(s->watch));
    CHECK(s->variant != ARG || filch__load_acquire(&s->arg_drops) == 1);
    if (!gone) {
        CHECK(totals_of(s->rt).failures == 0);
        runtime_close(s->rt);
    }
    filch_abort_handle_drop(s->watch);
}

static void verify(const struct subject *s)
{
    bool aborted = cancels(s);
    bool succeeds = s->life == RUNNING || s->life == FINISHED || !aborted;
    bool makes_result = s->variant == RESULT_DROPPED || s->variant == RESULT_MOVED;
    bool moved = succeeds && s->variant == RESULT_MOVED && s->action != DETACH;
    CHECK(s->runs == (s->life == UNSTARTED && aborted ? 0 : 1));
    CHECK(s->arg_drops == (s->variant == ARG ? 1 : 0));
    CHECK(s->result_drops == (makes_result && succeeds && !moved ? 1 : 0));
    CHECK(s->out == (moved ? MAGIC : 0));
    if (s->action != DETACH)
        CHECK(s->result == (succeeds ? VALUE : -ECANCELED));
    if (s->life == RUNNING || s->life == JOINING || s->life == YIELDING)
        CHECK(s->saw == (aborted ? -ECANCELED : 0));
}

static struct {
    enum life life;
    enum action action;
    enum actor actor;
    int workers;
} now;

static void one_combination(void)
{
    for (int variant = 0; variant < VARIANTS; variant++) {
        struct subject s = {.life = now.life,
                            .action = now.action,
                            .actor = now.actor,
                            .variant = (enum variant)variant};
        drops_result_of = &s;
        direct(&s, now.workers);
        settle(&s);
        verify(&s);
        if (filch__load_relaxed(&case_bad)) {
            fprintf(stderr, "with variant %d\n", variant);
            return;
        }
    }
}

/* Only a running task acts on itself; no other task acts while one runs on the only worker. */
static bool possible(enum life life, enum actor actor, int workers)
{
    if (actor == ITSELF)
        return life == RUNNING;
    return !(life == RUNNING && actor == TASK && workers == 1);
}

int main(void)
{
    for (int i = 0; i < LIVES * ACTIONS * ACTORS * (int)COUNT(worker_counts); i++) {
        now.workers = worker_counts[i % 3];
        now.actor = (enum actor)(i / 3 % ACTORS);
        now.action = (enum action)(i / 3 / ACTORS % ACTIONS);
        now.life = (enum life)(i / 3 / ACTORS / ACTIONS);
        if (!possible(now.life, now.actor, now.workers))
            continue;
        char name[96];
        snprintf(name, sizeof name, "%s: %s by %s, %d workers", life_names[now.life],
                 action_names[now.action], actor_names[now.actor], now.workers);
        run_case(name, one_combination);
    }
    return summary();
}
