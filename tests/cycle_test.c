/* SPDX-License-Identifier: Apache-2.0 */
/* Debug builds report a cycle of waits when it closes, in one line, once; release builds nothing. */
#include "tests/graph_check.h"

#include <unistd.h>

#ifdef NDEBUG
enum { REPORTS = 0 };
#else
enum { REPORTS = 1 };
#endif

/* ---- what is written to standard error ---- */

static int saved = -1;
static FILE *file;

static void capture_begin(void)
{
    REQUIRE(fflush(stderr) == 0 && (saved = dup(STDERR_FILENO)) >= 0 && (file = tmpfile()));
    REQUIRE(dup2(fileno(file), STDERR_FILENO) >= 0);
}

/* Masked; to be freed. */
static char *capture_end(void)
{
    REQUIRE(dup2(saved, STDERR_FILENO) >= 0 && close(saved) == 0);
    long size = ftell(file);
    REQUIRE(fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0);
    rewind(file);
    char *text = calloc((size_t)size + 1, 1);
    REQUIRE(text && fread(text, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    mask(text);
    return text;
}

/* Once the dump shows them as they should be, all was reported before. */
static void expect_reports(const struct hop *hops, int n)
{
    char *text = capture_end();
    bool good = count_of(text, "filch: deadlock: ") == REPORTS * (n > 0) &&
                (n == 0 || !REPORTS || tells(text, hops, n));
    CHECK(good);
    if (!good)
        fprintf(stderr, "---- found\n%s----\n", text);
    free(text);
}

/* ---- cycles ---- */

static void test_mutexes(void)
{
    static const struct hop hops[] = {{A, MUTEX}, {B, MUTEX}};
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (int i = 0; i < 10; i++) {
            filch_runtime *rt = open_scene(worker_counts[w]);
            capture_begin();
            spawn_called(rt, 0, first_then_second, &two);
            spawn_called(rt, 1, second_then_first, &two);
            expect_cycle(hops, 2);
            expect_reports(hops, 2);
            close_scene(rt);
        }
}

static void *thread_in_ring(void *arg)
{
    (void)second_then_first(arg);
    return NULL;
}

static void test_thread(void)
{
    static const struct hop hops[] = {{A, MUTEX}, {"thread M", MUTEX}};
    filch_runtime *rt = open_scene(1);
    capture_begin();
    spawn_called(rt, 0, first_then_second, &two);
    pthread_t thread = thread_start(thread_in_ring, &two);
    expect_cycle(hops, 2);
    expect_reports(hops, 2);
    filch_abort(task[0]);
    thread_join(thread);
    close_scene(rt);
}

static int lock_and_join(void *arg)
{
    CHECK(filch_mutex_lock(&first) == 0);
    raise_flag(&here);
    while (!flag_up(&go) && filch_yield() == 0)
        ;
    if (filch_join(task[1], NULL) == 0)
        task[1] = NULL;
    unlock(&first, 0);
    return arg != NULL;
}

static void test_join(void)
{
    static const struct hop hops[] = {{A, "the end of "}, {B, MUTEX}};
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, lock_and_join, NULL);
    SPIN_UNTIL(flag_up(&here));
    capture_begin();
    spawn_called(rt, 1, want_first, NULL);
    raise_flag(&go);
    expect_cycle(hops, 2);
    expect_reports(hops, 2);
    filch_abort(task[0]);
    CHECK(join(task[0]) == 0);
    task[0] = NULL;
    close_scene(rt);
}

/* ---- none ---- */

static int try_second(void *arg)
{
    filch_lock_future lock = FILCH_LOCK_FUTURE(&second);
    CHECK(filch_mutex_lock(&first) == 0);
    await_all(2);
    unlock(&second, filch_await_until(&lock.future, filch_now() + 100000000));
    unlock(&first, 0);
    return arg != NULL;
}

/* A wait that ends by itself closes no cycle. */
static void test_deadline(void)
{
    filch_runtime *rt = open_scene(2);
    capture_begin();
    spawn_called(rt, 0, try_second, NULL);
    spawn_called(rt, 1, second_then_first, &two);
    for (int i = 0; i < 2; i++) {
        CHECK(join(task[i]) == 0);
        task[i] = NULL;
    }
    expect_reports(NULL, 0);
    close_scene(rt);
}

static int lock_in_order(void *arg)
{
    for (long n = (intptr_t)arg; n > 0; n--) {
        CHECK(filch_mutex_lock(&first) == 0);
        unlock(&second, filch_mutex_lock(&second));
        unlock(&first, 0);
    }
    return 0;
}

static void test_in_order(void)
{
    void *times = (void *)(intptr_t)sized(20000, 100000, 1000000);
    filch_runtime *rt = open_scene(4);
    capture_begin();
    for (int i = 0; i < 3; i++)
        spawn_called(rt, i, lock_in_order, times);
    for (int i = 0; i < 3; i++) {
        CHECK(join(task[i]) == 0);
        task[i] = NULL;
    }
    expect_reports(NULL, 0);
    close_scene(rt);
}

int main(void)
{
    RUN(test_mutexes);
    RUN(test_thread);
    RUN(test_join);
    RUN(test_deadline);
    RUN(test_in_order);
    return summary();
}
