/* SPDX-License-Identifier: Apache-2.0 */
/* Code of GCC's -fopenmp on the drop-in: tasks, what waits for them, dependences, reductions. */
#define _GNU_SOURCE 1
#include "tests/gomp_check.h"

/* ---- trees ---- */

static int fib(int n)
{
    int a, b;
    if (n < 2)
        return n;
#pragma omp task shared(a)
    a = fib(n - 1);
#pragma omp task shared(b)
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static void run_fib(int n)
{
    int single = 0, master = 0;
#pragma omp parallel num_threads(n)
    {
#pragma omp single
        single = fib(12);
#pragma omp master
        master = fib(11);
    }
    CHECK(single == 144 && master == 89);
}

static void trees_of_tasks(void)
{
    everywhere(run_fib);
}

/* More tasks than a thread keeps, by all threads; done at the barrier, at the region's end. */
static void run_many(int n)
{
    enum { TASKS = 300 };
    uint32_t done = 0;
#pragma omp parallel num_threads(n)
    {
        for (int i = 0; i < TASKS; i++)
#pragma omp task
            tally(&done);
#pragma omp barrier
        CHECK(filch__load_acquire(&done) == (uint32_t)(TASKS * n));
#pragma omp barrier
        for (int i = 0; i < TASKS; i++)
#pragma omp task
            tally(&done);
    }
    CHECK(done == (uint32_t)(2 * TASKS * n));
}

static void barriers_wait_for_all_tasks(void)
{
    everywhere(run_many);
}

/* Threads that wait at a barrier run tasks: this one is alone with them until one of the others has. */
static void run_helped(int n)
{
    uint32_t elsewhere = 0;
#pragma omp parallel num_threads(n)
#pragma omp single
    {
        int me = omp_get_thread_num();
#pragma omp task
        if (omp_get_thread_num() != me)
            raise_flag(&elsewhere);
        SPIN_UNTIL(n == 1 || flag_up(&elsewhere));
    }
}

static void waiting_threads_run_tasks(void)
{
    everywhere(run_helped);
}

/* ---- kinds ---- */

static void run_kinds(int n)
{
    int now = 0, values = 0, in_final = 0;
#pragma omp parallel num_threads(n)
#pragma omp single
    {
        int me = omp_get_thread_num(), local = 7;
        char many[100];
        memset(many, 3, sizeof many);
#pragma omp task if (0)
        now = omp_get_thread_num() == me;
        CHECK(now);
#pragma omp task firstprivate(local, many)
        {
            int right = local == 7;
            for (size_t i = 0; i < sizeof many; i++)
                right &= many[i] == 3;
#pragma omp atomic
            values += right;
        }
        local = 8;
        memset(many, 4, sizeof many);
#pragma omp task final(1) shared(in_final)
        {
            in_final += omp_in_final();
#pragma omp task shared(in_final)
            in_final += omp_in_final();
            CHECK(in_final == 2);
        }
#pragma omp task untied mergeable priority(3)
        {
#pragma omp taskyield
#pragma omp atomic
            values++;
        }
        CHECK(!omp_in_final());
    }
    CHECK(values == 2 && in_final == 2);
}

static void kinds_of_tasks(void)
{
    everywhere(run_kinds);
}

/* Variables set in a task are the task's. */
static void run_variables(int n)
{
#pragma omp parallel num_threads(n)
#pragma omp single
    {
        omp_set_schedule(omp_sched_guided, 3);
#pragma omp task
        {
            omp_sched_t kind;
            int chunk;
            omp_get_schedule(&kind, &chunk);
            CHECK(kind == omp_sched_guided && chunk == 3);
            omp_set_schedule(omp_sched_static, 1);
        }
#pragma omp taskwait
        omp_sched_t kind;
        int chunk;
        omp_get_schedule(&kind, &chunk);
        CHECK(kind == omp_sched_guided && chunk == 3);
    }
}

static void tasks_have_variables_of_their_own(void)
{
    everywhere(run_variables);
}

/* ---- groups ---- */

static void run_groups(int n)
{
    uint32_t done = 0;
#pragma omp parallel num_threads(n)
#pragma omp single
    for (int round = 1; round <= 10; round++) {
#pragma omp taskgroup
        {
            for (int i = 0; i < 5; i++)
#pragma omp task
            {
#pragma omp task
                {
#pragma omp taskgroup
#pragma omp task
                    tally(&done);
                    tally(&done);
                }
                tally(&done);
            }
        }
        CHECK(filch__load_acquire(&done) == (uint32_t)(15 * round));
    }
}

static void groups_wait_for_descendants(void)
{
    everywhere(run_groups);
}

/* ---- dependences ---- */

static void run_chain(int n)
{
    enum { LINKS = 200 };
    int value = 0, other = 0, sum = 0;
#pragma omp parallel num_threads(n)
#pragma omp single
    {
        for (int i = 0; i < LINKS; i++) {
#pragma omp task depend(inout : value)
            {
                CHECK(value == i);
                value++;
            }
#pragma omp task depend(in : value) depend(out : other)
            other = value;
#pragma omp task depend(in : value, other)
            CHECK(value == i + 1 && other == i + 1);
#pragma omp task depend(mutexinoutset : sum)
            sum++;
        }
#pragma omp task if (0) depend(in : value)
        CHECK(value == LINKS);
#pragma omp taskwait depend(inout : sum)
        CHECK(sum == LINKS);
    }
    CHECK(value == LINKS && other == LINKS);
}

static void tasks_in_the_order_of_dependences(void)
{
    everywhere(run_chain);
}

/* A grid: each waits for its neighbours above and to the left; more places than a table begins with. */
static void run_grid(int n)
{
    enum { EDGE = 12 };
    int cells[EDGE][EDGE] = {{0}}, bad = 0;
#pragma omp parallel num_threads(n) shared(cells)
#pragma omp single
    for (int i = 1; i < EDGE; i++)
        for (int j = 1; j < EDGE; j++)
#pragma omp task depend(in : cells[i - 1][j], cells[i][j - 1]) depend(out : cells[i][j])
        {
            bool ready = (i == 1 || cells[i - 1][j]) && (j == 1 || cells[i][j - 1]);
#pragma omp atomic
            bad += !ready;
            cells[i][j] = 1;
        }
    CHECK(bad == 0);
}

static void a_grid_of_dependences(void)
{
    everywhere(run_grid);
}

static void run_objects(int n)
{
    int value = 0;
    omp_depend_t writes, reads;
#pragma omp depobj(writes) depend(inout : value)
#pragma omp depobj(reads) depend(in : value)
#pragma omp parallel num_threads(n)
#pragma omp single
    for (int i = 0; i < 50; i++) {
#pragma omp task depend(depobj : writes)
        {
            CHECK(value == i);
            value++;
        }
        for (int reader = 0; reader < 20; reader++)
#pragma omp task depend(depobj : reads)
            CHECK(value == i + 1);
    }
    CHECK(value == 50);
#pragma omp depobj(writes) destroy
#pragma omp depobj(reads) destroy
}

static void dependence_objects(void)
{
    everywhere(run_objects);
}

/* ---- events ---- */

static void *fulfill(void *event)
{
    omp_fulfill_event((omp_event_handle_t)(uintptr_t)event);
    return NULL;
}

static void run_detached(int n)
{
    int value = 0;
#pragma omp parallel num_threads(n)
#pragma omp single
    {
        omp_event_handle_t event;
#pragma omp task detach(event) depend(out : value)
        value = 1;
#pragma omp task depend(in : value)
        CHECK(value == 2);
#pragma omp task
        {
            SPIN_UNTIL(filch__load_acquire(&value) == 1);
            filch__store_release(&value, 2);
            pthread_t thread = thread_start(fulfill, (void *)(uintptr_t)event);
            thread_join(thread);
        }
#pragma omp taskwait
        CHECK(value == 2);
    }
#pragma omp parallel num_threads(n)
#pragma omp master
    {
        omp_event_handle_t event;
#pragma omp task detach(event)
        value = 3;
        omp_fulfill_event(event);
    }
    CHECK(value == 3);
}

static void tasks_that_end_by_an_event(void)
{
    everywhere(run_detached);
}

/* At the region's end all wait for an event that a thread outside brings. */
static void run_late_event(int n)
{
    pthread_t thread;
    int value = 0;
#pragma omp parallel num_threads(n)
#pragma omp single nowait
    {
        omp_event_handle_t event;
#pragma omp task detach(event) depend(out : value)
        value = 1;
#pragma omp task depend(in : value)
        value = 2;
        thread = thread_start(fulfill, (void *)(uintptr_t)event);
    }
    CHECK(value == 2);
    thread_join(thread);
}

static void regions_end_after_all_events(void)
{
    everywhere(run_late_event);
}

/* ---- loops of tasks ---- */

static void run_taskloops(int n)
{
    enum { ITEMS = 100 };
    uint32_t seen[5][ITEMS] = {{0}};
    int last = 0;
#pragma omp parallel num_threads(n)
#pragma omp single
    {
#pragma omp taskloop lastprivate(last)
        for (int i = 0; i < ITEMS; i++) {
            tally(&seen[0][i]);
            last = i;
        }
        CHECK(last == ITEMS - 1);
#pragma omp taskloop grainsize(7)
        for (long i = ITEMS - 1; i >= 0; i--)
            tally(&seen[1][i]);
#pragma omp taskloop num_tasks(13)
        for (unsigned long long i = 0; i < ITEMS; i += 1)
            tally(&seen[2][i]);
#pragma omp taskloop grainsize(strict : 9) nogroup
        for (unsigned long long i = ITEMS - 1; i > 0; i -= 1)
            tally(&seen[3][i]);
#pragma omp taskloop if (0) grainsize(1000)
        for (int i = 0; i < ITEMS; i++)
            tally(&seen[4][i]);
#pragma omp taskloop
        for (int i = 5; i < last - 1000; i++)
            tally(&seen[4][i]);
    }
    for (int i = 0; i < ITEMS; i++)
        CHECK(seen[0][i] == 1 && seen[1][i] == 1 && seen[2][i] == 1 && seen[3][i] == (i > 0) &&
              seen[4][i] == 1);
}

static void loops_of_tasks(void)
{
    everywhere(run_taskloops);
}

/* ---- reductions ---- */

static void run_reductions(int n)
{
    enum { ITEMS = 40 };
    int sum = 0, product = 1, loop = 0, sections = 0, nested = 0;
    double real = 0;
#pragma omp parallel num_threads(n) reduction(task, + : sum)
    {
#pragma omp task in_reduction(+ : sum)
        sum += 2;
        sum += 1;
    }
    CHECK(sum == 3 * n);
#pragma omp parallel num_threads(n)
    {
#pragma omp for reduction(task, + : loop) schedule(dynamic, 3)
        for (int i = 0; i < ITEMS; i++) {
#pragma omp task in_reduction(+ : loop)
            loop += i;
        }
#pragma omp for reduction(task, + : real)
        for (int i = 0; i < ITEMS; i++) {
#pragma omp task in_reduction(+ : real)
            real += i;
        }
#pragma omp sections reduction(task, + : sections)
        {
#pragma omp section
            {
#pragma omp task in_reduction(+ : sections)
                sections += 10;
            }
#pragma omp section
            sections += 3;
        }
    }
    CHECK(loop == ITEMS * (ITEMS - 1) / 2 && real == loop && sections == 13);
#pragma omp parallel num_threads(n)
#pragma omp single
    {
#pragma omp taskgroup task_reduction(* : product) task_reduction(+ : nested)
        for (int i = 0; i < 5; i++) {
#pragma omp task in_reduction(* : product) in_reduction(+ : nested)
            {
                product *= 2;
#pragma omp taskgroup
#pragma omp task in_reduction(+ : nested)
                nested += 1;
            }
        }
        CHECK(product == 32 && nested == 5);
#pragma omp taskloop reduction(+ : nested)
        for (int i = 0; i < ITEMS; i++)
            nested += i;
        CHECK(nested == 5 + ITEMS * (ITEMS - 1) / 2);
    }
}

static void reductions_over_tasks(void)
{
    everywhere(run_reductions);
}

/* ---- outside of all regions ---- */

static void without_region(void)
{
    int value = 0, sum = 0;
    CHECK(fib(10) == 55);
#pragma omp taskgroup
    {
#pragma omp task depend(out : value) shared(value)
        value = 1;
#pragma omp task depend(in : value) shared(value)
        CHECK(value == 1);
    }
#pragma omp taskwait depend(in : value)
#pragma omp taskyield
#pragma omp taskloop reduction(+ : sum)
    for (int i = 0; i < 10; i++)
        sum += i;
#pragma omp task final(1) shared(value)
    value = omp_in_final();
    CHECK(value == 1 && sum == 45 && !omp_in_final());
}

static int without_region_in_task(void *arg)
{
    (void)arg;
    without_region();
    return 0;
}

static void tasks_outside_of_regions(void)
{
    without_region();
    on_two_threads(without_region);
    in_task_of_each(without_region_in_task);
}

int main(void)
{
    RUN(trees_of_tasks);
    RUN(barriers_wait_for_all_tasks);
    RUN(waiting_threads_run_tasks);
    RUN(kinds_of_tasks);
    RUN(tasks_have_variables_of_their_own);
    RUN(groups_wait_for_descendants);
    RUN(tasks_in_the_order_of_dependences);
    RUN(a_grid_of_dependences);
    RUN(dependence_objects);
    RUN(tasks_that_end_by_an_event);
    RUN(regions_end_after_all_events);
    RUN(loops_of_tasks);
    RUN(reductions_over_tasks);
    RUN(tasks_outside_of_regions);
    return summary();
}
