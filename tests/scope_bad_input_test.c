/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes, shields and bindings used wrongly: the documented error, without effect; or, where memory
 * would not be safe any more, one line on standard error and the end.
 */
#include "tests/scope_check.h"

#include <signal.h>
#include <sys/wait.h>

/* The children of these tests make threads of their own. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

static filch_local key;
static uint32_t dropped;

static void count_drop(void *arg)
{
    (void)arg;
    tally(&dropped);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* What each call says of a scope that is not open. */
static void check_not_open(filch_scope *s)
{
    filch_handle *const untouched = (filch_handle *)(uintptr_t)64;
    filch_handle *h = untouched;
    filch_spawn_options o = {.arg_drop = count_drop};
    uint32_t before = filch__load_acquire(&dropped);
    CHECK(filch_scope_close(s) == -EINVAL);
    CHECK(filch_scope_spawn(s, &h, return_number, NULL) == -EINVAL);
    CHECK(filch_scope_spawn(s, NULL, return_number, NULL) == -EINVAL);
    CHECK(filch_scope_spawn_with(s, &h, &o, return_number, NULL) == -EINVAL);
    CHECK(filch_scope_cancel(s, 1) == -EINVAL);
    CHECK(filch_scope_next(s, &h) == -EINVAL);
    CHECK(filch_scope_set_deadline(s, 1) == -EINVAL);
    CHECK(filch_scope_defer(s, nothing, NULL) == -EINVAL);
    CHECK(filch_scope_flag(s) == NULL);
    CHECK(filch_scope_event(s) == -EINVAL);
    CHECK(h == untouched && filch__load_acquire(&dropped) == before);
}

static int not_open(void *rt)
{
    filch_scope s = FILCH_SCOPE_INIT;
    filch_scope_options o = {.runtime = rt, .collect = true};
    filch_report report;
    memset(&report, 7, sizeof report);
    filch_report same = report;
    check_not_open(&s);
    check_not_open(NULL);
    CHECK(!filch_scope_cancelled(&s) && !filch_scope_cancelled(NULL));
    CHECK(filch_scope_report(&s, &report) == -EINVAL);
    CHECK(filch_scope_report(NULL, &report) == -EINVAL);
    CHECK(memcmp(&report, &same, sizeof report) == 0);
    REQUIRE(filch_scope_open(&s, &o) == 0);
    CHECK(filch_scope_report(&s, NULL) == -EINVAL);
    CHECK(filch_scope_next(&s, NULL) == -EINVAL);
    CHECK(filch_scope_defer(&s, NULL, NULL) == -EINVAL);
    CHECK(filch_scope_spawn(&s, NULL, NULL, NULL) == -EINVAL);
    CHECK(filch_scope_spawn_with(&s, NULL, NULL, NULL, NULL) == -EINVAL);
    CHECK(filch_scope_spawn_with(&s, NULL, &(filch_spawn_options){.worker = 99}, return_number,
                                 NULL) == -EINVAL);
    CHECK(filch_scope_close(&s) == 0);
    check_not_open(&s);
    filch_cause cause;
    CHECK(filch_cancel_cause(NULL) == -EINVAL && filch_cancel_cause(&cause) == -ENOENT);
    return 0;
}

static int shield_or_binding_not_open(void *arg)
{
    (void)arg;
    filch_shield shield = {{0}};
    filch_binding binding = {{0}};
    CHECK(filch_shield_begin(NULL, 0) == -EINVAL && filch_shield_end(NULL) == -EINVAL);
    CHECK(filch_shield_end(&shield) == -EINVAL);
    CHECK(filch_local_bind(NULL, &key, NULL) == -EINVAL);
    CHECK(filch_local_bind(&binding, NULL, NULL) == -EINVAL);
    CHECK(filch_local_unbind(NULL) == -EINVAL && filch_local_unbind(&binding) == -EINVAL);
    CHECK(filch_local_get(NULL) == NULL && filch_defer(NULL, NULL) == -EINVAL);
    CHECK(filch_shield_begin(&shield, 0) == 0 && filch_shield_end(&shield) == 0);
    CHECK(filch_shield_end(&shield) == -EINVAL);
    CHECK(filch_local_bind(&binding, &key, NULL) == 0 && filch_local_unbind(&binding) == 0);
    CHECK(filch_local_unbind(&binding) == -EINVAL);
    return 0;
}

static void what_is_not_open(void)
{
    on_each(not_open);
    on_each(shield_or_binding_not_open);
    filch_runtime *rt = runtime_open(1); /* the same on a thread */
    CHECK(not_open(rt) == 0 && shield_or_binding_not_open(NULL) == 0);
    runtime_close(rt);
}

static int bad_options(void *rt)
{
    static const filch_scope_options bad[] = {
        {.policy = (filch_policy)3},   {.policy = (filch_policy)-1},
        {.policy = (filch_policy)255}, {.grace = -1},
        {.grace = INT64_MIN},
    };
    filch_scope s = FILCH_SCOPE_INIT;
    for (size_t i = 0; i < COUNT(bad); i++) {
        filch_scope_options o = bad[i];
        o.runtime = rt;
        CHECK(filch_scope_open(&s, &o) == -EINVAL && filch_scope_close(&s) == -EINVAL);
    }
    CHECK(filch_scope_open(NULL, NULL) == -EINVAL);
    return 0;
}

/* All the times that there are. */
static int extreme_times(void *rt)
{
    static const int64_t past[] = {INT64_MIN, INT64_MIN + 1, -1, 1};
    filch_scope s;
    filch_shield shield;
    for (size_t i = 0; i < COUNT(past); i++) {
        filch_scope_options o = {.deadline = past[i], .grace = INT64_MAX, .runtime = rt};
        REQUIRE(filch_scope_open(&s, &o) == 0);
        CHECK(filch_scope_cancelled(&s) && filch_scope_set_deadline(&s, 0) == -EALREADY);
        CHECK(filch_scope_spawn(&s, NULL, return_number, NULL) == 0);
        CHECK(filch_scope_close(&s) == -ETIMEDOUT);
        REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
        CHECK(filch_scope_set_deadline(&s, past[i]) == 0);
        SPIN_UNTIL(filch_scope_cancelled(&s));
        CHECK(filch_scope_close(&s) == -ETIMEDOUT);
        CHECK(filch_shield_begin(&shield, past[i]) == 0);
        CHECK(filch_shield_end(&shield) == -ETIMEDOUT);
        CHECK(filch_sleep_until(past[i]) == 0 && filch_sleep(past[i]) == 0);
    }
    for (int64_t late = FILCH_NEVER; late > FILCH_NEVER - 3; late--) {
        filch_scope_options o = {.deadline = late, .grace = late, .runtime = rt};
        REQUIRE(filch_scope_open(&s, &o) == 0);
        CHECK(filch_deadline() == late && filch_scope_set_deadline(&s, late) == 0);
        CHECK(filch_shield_begin(&shield, late) == 0 && filch_deadline() == late);
        CHECK(filch_shield_end(&shield) == 0 && filch_scope_cancel(&s, INT32_MIN) == 0);
        if (filch_cancelled())
            CHECK(filch_sleep(late) == -ECANCELED && filch_sleep_until(late) == -ECANCELED);
        CHECK(filch_scope_close(&s) == -ECANCELED);
    }
    return 0;
}

static void options_and_times(void)
{
    on_each(bad_options);
    on_each(extreme_times);
    filch_runtime *rt = runtime_open(1);
    CHECK(bad_options(rt) == 0);
    runtime_close(rt);
}

/* ---- by whom ---- */

struct victim {
    filch_scope scope;
    filch_shield shield;
    filch_binding binding;
    uint32_t tried;
};

/* Neither another task nor a job, nor a thread. */
static int try_to_close(void *arg)
{
    struct victim *v = arg;
    filch_handle *h;
    CHECK(filch_scope_close(&v->scope) == -EPERM);
    CHECK(filch_scope_next(&v->scope, &h) == -EPERM);
    CHECK(filch_shield_end(&v->shield) == -EPERM);
    CHECK(filch_local_unbind(&v->binding) == -EPERM);
    raise_flag(&v->tried);
    return 0;
}

static void *try_on_thread(void *arg)
{
    try_to_close(arg);
    return NULL;
}

static int not_by_others(void *rt)
{
    struct victim v = {.tried = 0};
    filch_handle *h;
    filch_scope_options o = {.collect = true};
    REQUIRE(filch_scope_open(&v.scope, &o) == 0);
    CHECK(filch_shield_begin(&v.shield, 0) == 0);
    CHECK(filch_local_bind(&v.binding, &key, NULL) == 0);
    CHECK(filch_scope_spawn(&v.scope, &h, try_to_close, &v) == 0 && join(h) == 0);
    thread_join(thread_start(try_on_thread, &v));
    v.tried = 0;
    if (filch_runtime_stats(rt, 1, &(filch_stats){0}) == 0) { /* a job that is stolen */
        filch_job job = FILCH_JOB(try_to_close, &v);
        filch_fork(&job);
        SPIN_UNTIL(flag_up(&v.tried));
        CHECK(filch_local_unbind(&v.binding) == -EBUSY);
        CHECK(filch_sync(&job) == 0);
    }
    CHECK(filch_scope_close(&v.scope) == -EBUSY && filch_scope_next(&v.scope, &h) == -EBUSY);
    CHECK(filch_shield_end(&v.shield) == -EBUSY);
    CHECK(filch_local_unbind(&v.binding) == 0 && filch_scope_close(&v.scope) == -EBUSY);
    CHECK(filch_shield_end(&v.shield) == 0);
    filch_job job = FILCH_JOB(return_number, NULL); /* not synced */
    filch_fork(&job);
    CHECK(filch_scope_close(&v.scope) == -EBUSY);
    CHECK(filch_sync(&job) == 0 && filch_scope_close(&v.scope) == 0);
    CHECK(filch_runtime_destroy(rt) == -EDEADLK);
    return 0;
}

static void by_others_or_out_of_order(void)
{
    on_each(not_by_others);
    filch_runtime *rt = runtime_open(1);
    filch_scope s;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
    CHECK(filch_runtime_destroy(rt) == -EBUSY); /* it would wait for its caller */
    CHECK(filch_scope_spawn(&s, NULL, return_number, NULL) == 0);
    CHECK(filch_scope_close(&s) == 0);
    runtime_close(rt);
}

/* ---- what ends the process ---- */

static int return_with_scope(void *arg)
{
    static filch_scope s; /* lives longer than the task */
    (void)arg;
    return filch_scope_open(&s, NULL);
}

static int return_with_shield(void *arg)
{
    static filch_shield s;
    (void)arg;
    return filch_shield_begin(&s, 0);
}

static int return_with_binding(void *arg)
{
    static filch_binding b;
    (void)arg;
    return filch_local_bind(&b, &key, NULL);
}

static void leave_open(void *arg)
{
    return_with_scope(arg);
}

static int defer_to_leave_open(void *arg)
{
    return filch_defer(leave_open, arg);
}

struct stolen {
    filch_fn *fn;
    uint32_t begun;
};

static int run_stolen(void *arg)
{
    struct stolen *s = arg;
    raise_flag(&s->begun);
    return s->fn(NULL);
}

static int fork_to_leave_open(void *fn)
{
    struct stolen s = {.fn = (filch_fn *)(uintptr_t)fn};
    filch_job job = FILCH_JOB(run_stolen, &s);
    filch_fork(&job);
    SPIN_UNTIL(flag_up(&s.begun)); /* stolen */
    return filch_sync(&job);
}

static void *end_with_scope(void *arg)
{
    return (void *)(intptr_t)return_with_scope(arg);
}

static int end_a_thread(void *arg)
{
    thread_join(thread_start(end_with_scope, arg));
    return 0;
}

static void run_in_child(filch_fn *fn, void *arg)
{
    filch_runtime *rt;
    filch_spawn_options o = {.name = "culprit"};
    filch_handle *h;
    if (filch_runtime_create(&rt, &(filch_options){.workers = 2}) < 0)
        _exit(3);
    o.runtime = rt;
    if (filch_spawn_with(&h, &o, fn, arg) < 0)
        _exit(4);
    (void)filch_join(h, NULL);
    _exit(0);
}

/* Its status, and what it wrote to standard error. */
static int in_child(filch_fn *fn, void *arg, char *said, size_t cap)
{
    int fds[2], status = 0;
    size_t got = 0;
    ssize_t n;
    fflush(NULL);
    REQUIRE(pipe(fds) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        alarm(60); /* the watchdog's thread is not here */
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        run_in_child(fn, arg);
    }
    close(fds[1]);
    while ((n = read(fds[0], said + got, cap - 1 - got)) > 0)
        got += (size_t)n;
    said[got] = 0;
    close(fds[0]);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return status;
}

static void left_open(void)
{
    static const struct {
        filch_fn *fn, *job;
    } table[] = {
        {return_with_scope, NULL},
        {return_with_shield, NULL},
        {return_with_binding, NULL},
        {defer_to_leave_open, NULL},
        {fork_to_leave_open, return_with_scope},
        {fork_to_leave_open, return_with_shield},
        {fork_to_leave_open, return_with_binding},
        {end_a_thread, NULL}, /* no task, no name */
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        char said[4096];
        int status = in_child(table[i].fn, (void *)(uintptr_t)table[i].job, said, sizeof said);
        const char *line = strstr(said, "filch: ");
        bool good = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && line &&
                    strstr(line, "open") && !strstr(line + 1, "filch: ") &&
                    (strstr(line, ": culprit\n") || table[i].fn == end_a_thread);
        CHECK(good);
        if (!good)
            fprintf(stderr, "case %zu: status %#x, said: %s\n", i, (unsigned)status, said);
    }
}

/* ---- the child of a fork(2) ---- */

struct lost {
    filch_scope scope;
    filch_shield shield;
    filch_binding binding;
    uint32_t started, go;
};

static int wait_for_go(void *arg)
{
    struct lost *l = arg;
    raise_flag(&l->started);
    return wait_for_flag(&l->go);
}

/* Nobody is waited for, and the thread can go on. The number of the failure. */
static int close_what_is_lost(struct lost *l)
{
    filch_handle *h = NULL;
    filch_scope other;
    int rc = 0;
#define EXPECT(condition) rc = rc ? rc : (condition) ? 0 : __LINE__ % 250 + 1
    EXPECT(filch_local_unbind(&l->binding) == 0);
    EXPECT(filch_shield_end(&l->shield) == 0);
    EXPECT(filch_scope_spawn(&l->scope, &h, return_number, NULL) == -ESHUTDOWN && !h);
    EXPECT(filch_scope_set_deadline(&l->scope, 1) == -ESHUTDOWN);
    EXPECT(filch_scope_next(&l->scope, &h) == -ESHUTDOWN && !h);
    EXPECT(filch_scope_close(&l->scope) == -ESHUTDOWN);
    EXPECT(filch_scope_close(&l->scope) == -EINVAL);
    EXPECT(filch_scope_open(&other, NULL) == 0); /* on a new default runtime */
    EXPECT(filch_scope_spawn(&other, &h, return_number, (void *)6) == 0);
    EXPECT(rc == 0 && filch_scope_close(&other) == 0 && join(h) == 6);
#undef EXPECT
    return rc;
}

static void lost_to_a_fork(void)
{
    for (int i = 0; i < sized(6, 30, 300); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct lost l = {.go = 0};
        filch_scope_options o = {.runtime = rt, .collect = true};
        o.deadline = i % 2 ? filch_now() + INT64_C(1000000000000) : 0;
        REQUIRE(filch_scope_open(&l.scope, &o) == 0);
        CHECK(filch_scope_spawn(&l.scope, NULL, wait_for_go, &l) == 0);
        CHECK(filch_shield_begin(&l.shield, 0) == 0);
        CHECK(filch_local_bind(&l.binding, &key, &l) == 0);
        SPIN_UNTIL(flag_up(&l.started));
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            alarm(60);
            _exit(close_what_is_lost(&l));
        }
        int status = 0;
        REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
        CHECK(status == 0);
        if (status != 0)
            fprintf(stderr, "child: status %#x (line %% 250 + 1: %d)\n", (unsigned)status,
                    WEXITSTATUS(status));
        raise_flag(&l.go); /* the parent has lost nothing */
        CHECK(filch_local_unbind(&l.binding) == 0 && filch_shield_end(&l.shield) == 0);
        CHECK(filch_scope_close(&l.scope) == 0);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(what_is_not_open);
    RUN(options_and_times);
    RUN(by_others_or_out_of_order);
    RUN(left_open);
    RUN(lost_to_a_fork);
    return summary();
}
