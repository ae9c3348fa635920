/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filch_dump under load: while tasks are spawned, run, aborted and ended at full speed, by several
 * threads at once, of trees as deep as memory allows, without memory, to streams that refuse, and in
 * the child of a fork(2).
 */
#include "tests/dump_check.h"

#include <fcntl.h>
#include <sys/wait.h>

#ifdef FILCH_FAULTS
#include "sched/os/fault.h"
#endif

/* ---- a storm ---- */

static uint32_t stop;

static int leaf(void *arg)
{
    (void)arg;
    return filch_yield();
}

static int job(void *arg)
{
    (void)arg;
    filch_shield shield;
    CHECK(filch_shield_begin(&shield, 0) == 0);
    CHECK(filch_shield_end(&shield) == 0);
    return 0;
}

static int sleeper(void *arg)
{
    (void)arg;
    return filch_sleep(100000);
}

/* A scope with children that yield, sleep and fork, joined, collected or cut. */
static int round_of(uint32_t n)
{
    filch_scope s;
    filch_handle *h[4] = {NULL}, *ended;
    filch_scope_options o = {.name = "storm", .collect = n % 2, .policy = FILCH_SUPERVISE};
    CHECK(filch_scope_open(&s, &o) == 0);
    for (int i = 0; i < 4; i++) {
        filch_spawn_options named = {.name = i % 2 ? "odd" : NULL, .worker = i == 3 ? 1 : 0};
        CHECK(filch_scope_spawn_with(&s, n % 3 ? &h[i] : NULL, &named, n % 5 ? leaf : sleeper,
                                     NULL) == 0);
    }
    filch_job jobs[2] = {FILCH_JOB(job, NULL), FILCH_JOB(job, NULL)};
    filch_fork(&jobs[0]);
    filch_fork(&jobs[1]);
    (void)filch_sync(&jobs[1]);
    (void)filch_sync(&jobs[0]);
    if (n % 7 == 0)
        CHECK(filch_scope_cancel(&s, 1) == 0);
    if (h[1])
        filch_abort(h[1]);
    if (o.collect && filch_scope_next(&s, &ended) == 0)
        filch_detach(ended);
    for (int i = 0; i < 4; i++)
        if (h[i] && filch_join(h[i], NULL) < 0)
            filch_detach(h[i]);
    (void)filch_scope_close(&s);
    return 0;
}

static int storm(void *arg)
{
    uint32_t n = (uint32_t)(uintptr_t)arg;
    while (!flag_up(&stop))
        (void)round_of(n++);
    return 0;
}

/* Every line is of a kind that there is, and no deeper than one level below the one before. */
static bool well_formed(const char *text)
{
    size_t level = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        size_t spaces = strspn(line, " ");
        const char *word = line + spaces;
        if (!strchr(line, '\n') || spaces % 2 || spaces > level + 2)
            return false;
        if (strncmp(word, "runtime ", 8) && strncmp(word, "task ", 5) &&
            strncmp(word, "scope ", 6) && strncmp(word, "shield ", 7) && strncmp(word, "job ", 4) &&
            strncmp(word, "threads\n", 8))
            return false;
        level = spaces;
    }
    return true;
}

static void dump_often(long times)
{
    for (long i = 0; i < times; i++) {
        int rc;
        char *text = dump_text(&rc);
        bool good = rc == 0 && well_formed(text);
        CHECK(good);
        if (!good)
            fprintf(stderr, "%s", text);
        free(text);
    }
}

static void *dumper(void *times)
{
    dump_often(*(long *)times);
    return NULL;
}

enum { STORMS = 12, DUMPERS = 4 };

static void play(int dumpers, long times)
{
    filch_runtime *rt = runtime_open(8);
    filch_handle *h[STORMS];
    stop = 0;
    for (int i = 0; i < STORMS; i++)
        spawn_on(rt, &h[i], storm, (void *)(uintptr_t)(1000 * i));
    pthread_t thread[DUMPERS];
    for (int i = 1; i < dumpers; i++)
        thread[i] = thread_start(dumper, &times);
    dump_often(times);
    for (int i = 1; i < dumpers; i++)
        thread_join(thread[i]);
    raise_flag(&stop);
    for (int i = 0; i < STORMS; i++)
        CHECK(join(h[i]) == 0);
    drain(rt);
    runtime_close(rt); /* ends the process where a block is left */
}

static void test_storm(void)
{
    play(1, sized(2000, 5000, 20000));
}

static void test_dumpers(void)
{
    play(DUMPERS, sized(500, 1000, 10000));
}

struct churn {
    long rounds; /* -1: until the flag is up */
};

/* Tasks that live and die without a wait: their blocks are used again at once. */
static int spawn_and_join(void *arg)
{
    struct churn *c = arg;
    for (long n = 0; c->rounds < 0 ? !flag_up(&stop) : n < c->rounds; n++) {
        filch_handle *h[64];
        for (int i = 0; i < 64; i++)
            CHECK(filch_spawn(&h[i], nothing, NULL) == 0);
        for (int i = 0; i < 64; i++)
            CHECK(filch_join(h[i], NULL) == 0);
    }
    return 0;
}

/* What a dump keeps aside it gives back; some fibers may have been made meanwhile. */
static void test_blocks(void)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i]);
        struct churn some = {100}, many = {-1};
        stop = 0;
        CHECK(filch_run(rt, spawn_and_join, &some) == 0);
        drain(rt);
        size_t bytes = totals_of(rt).bytes;
        filch_handle *h;
        spawn_on(rt, &h, spawn_and_join, &many);
        dump_often(sized(1000, 3000, 15000));
        raise_flag(&stop);
        CHECK(join(h) == 0);
        drain(rt);
        CHECK(totals_of(rt).bytes <= bytes + 32 * 1024);
        runtime_close(rt);
    }
}

/* ---- deep trees ---- */

struct deep {
    filch_runtime *rt;
    long depth;
    filch_scope *scopes;
    uint32_t there, go;
};

static int open_all(void *arg)
{
    struct deep *d = arg;
    for (long i = 0; i < d->depth; i++)
        CHECK(filch_scope_open(&d->scopes[i], &(filch_scope_options){.runtime = d->rt}) == 0);
    raise_flag(&d->there);
    SPIN_UNTIL(flag_up(&d->go));
    for (long i = d->depth; i-- > 0;)
        CHECK(filch_scope_close(&d->scopes[i]) == 0);
    return 0;
}

static long lines_of(const char *text)
{
    long n = 0;
    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

static void test_deep(void)
{
    struct deep d = {.depth = sized(10000, 100000, 100000)};
    d.scopes = malloc((size_t)d.depth * sizeof *d.scopes);
    REQUIRE(d.scopes);
    filch_runtime *rt = runtime_open(1);
    filch_handle *h;
    spawn_on(rt, &h, open_all, &d);
    SPIN_UNTIL(flag_up(&d.there));
    int rc;
    char *text = dump_text(&rc);
    CHECK(rc == 0 && lines_of(text) == d.depth + 2);
    free(text);
    raise_flag(&d.go);
    CHECK(join(h) == 0);
    runtime_close(rt);
    free(d.scopes);
}

struct chain {
    long left;
    uint32_t *there, *go;
};

/* Each task in a scope of the one before. */
static int descend(void *arg)
{
    struct chain *c = arg;
    struct chain below = {c->left - 1, c->there, c->go};
    filch_scope s;
    if (c->left == 0) {
        raise_flag(c->there);
        SPIN_UNTIL(flag_up(c->go));
        return 0;
    }
    CHECK(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn(&s, NULL, descend, &below) == 0);
    return filch_scope_close(&s);
}

static void test_chain(void)
{
    uint32_t there = 0, end = 0;
    struct chain c = {sized(100, 1000, 5000), &there, &end};
    filch_runtime *rt = runtime_open(2);
    filch_handle *h;
    spawn_on(rt, &h, descend, &c);
    SPIN_UNTIL(flag_up(&there));
    int rc;
    char *text = dump_text(&rc);
    CHECK(rc == 0 && well_formed(text) && lines_of(text) == 2 * c.left + 2);
    free(text);
    raise_flag(&end);
    CHECK(join(h) == 0);
    runtime_close(rt);
}

/* ---- what refuses ---- */

static void test_streams(void)
{
    filch_runtime *rt = runtime_open(1);
    CHECK(filch_dump(NULL) == -EINVAL);
    FILE *full = fopen("/dev/full", "w"), *read_only = fopen("/dev/null", "r");
    REQUIRE(full && read_only);
    CHECK(filch_dump(full) == -ENOSPC);
    CHECK(filch_dump(read_only) == -EBADF);
    fclose(full);
    fclose(read_only);
    runtime_close(rt);
}

#ifdef FILCH_FAULTS
/* A dump without memory shows what it has room for, and says that this is not all. */
static void test_memory(void)
{
    struct deep d = {.depth = 300};
    d.scopes = malloc((size_t)d.depth * sizeof *d.scopes);
    REQUIRE(d.scopes);
    filch_runtime *rt = runtime_open(1);
    filch_handle *h;
    spawn_on(rt, &h, open_all, &d);
    SPIN_UNTIL(flag_up(&d.there));
    int rc = -ENOMEM;
    for (long nth = 0; rc < 0; nth++) {
        filch__fault_arm(FILCH__FAULT_ALLOC, nth, true);
        char *text = dump_text(&rc);
        filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
        static const char last[] = "(truncated: no memory for more)\n";
        size_t length = strlen(text);
        CHECK(rc == 0 || rc == -ENOMEM);
        bool said = length >= strlen(last) && strcmp(text + length - strlen(last), last) == 0;
        CHECK(said == (rc < 0));
        CHECK(nth > 0 || lines_of(text) == 1);
        CHECK(rc < 0 || lines_of(text) == d.depth + 2);
        free(text);
    }
    raise_flag(&d.go);
    CHECK(join(h) == 0);
    runtime_close(rt);
    free(d.scopes);
}
#endif

/* ---- fork(2) ---- */

/* What is lost to the fork is not shown, what the child makes is. */
static int in_child(void)
{
    int rc;
    char *text = dump_text(&rc);
    bool good = rc == 0 && !*text;
    free(text);
    filch_runtime *rt;
    good = good && filch_runtime_create(&rt, &(filch_options){.workers = 1}) == 0;
    text = dump_text(&rc);
    mask(text);
    good = good && rc == 0 && strcmp(text, "runtime filch (@): 1 worker, 0 tasks\n") == 0;
    if (!good)
        fprintf(stderr, "%s", text);
    free(text);
    return !good;
}

static void *hold_a_scope(void *arg)
{
    struct deep *d = arg;
    open_all(d);
    return NULL;
}

static void test_fork(void)
{
    filch_runtime *rt = runtime_open(2);
    filch_scope scope;
    struct deep d = {.rt = rt, .depth = 1, .scopes = &scope};
    pthread_t thread = thread_start(hold_a_scope, &d);
    SPIN_UNTIL(flag_up(&d.there));
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0)
        _exit(in_child());
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    raise_flag(&d.go);
    thread_join(thread);
    runtime_close(rt);
}

int main(void)
{
    if (!WITH_TSAN) /* which ends a child that starts threads */
        RUN(test_fork);
    RUN(test_storm);
    RUN(test_dumpers);
    RUN(test_blocks);
    RUN(test_deep);
    RUN(test_chain);
    RUN(test_streams);
#ifdef FILCH_FAULTS
    RUN(test_memory);
#endif
    return summary();
}
