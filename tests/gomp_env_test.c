/* SPDX-License-Identifier: Apache-2.0 */
/* The drop-in libgomp.so.1 in processes of their own: the environment, what is not supported, fork. */
#define _GNU_SOURCE 1
#include "tests/gomp_check.h"

#include <dlfcn.h>
#include <sys/wait.h>

/* ---- this program again, with other variables, to print what it finds ---- */

static int print_variables(void)
{
    omp_sched_t kind;
    int chunk, threads = 0, inner = 0;
    omp_get_schedule(&kind, &chunk);
    printf("dynamic %d levels %d limit %d schedule %d,%d;", omp_get_dynamic(),
           omp_get_max_active_levels(), omp_get_thread_limit(), (int)kind, chunk);
#pragma omp parallel
#pragma omp master
    {
        threads = omp_get_num_threads();
        inner = omp_get_max_threads();
    }
    printf(" threads %d inner %d\n", threads, inner);
    return 0;
}

struct child {
    char out[4000];
    int status;
};

/* What a child wrote to its output and its errors. variables: ended by NULL, by name and value. */
static struct child run_child(const char *mode, const char *const *variables)
{
    struct child child = {{0}, 0};
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        for (; variables && variables[0]; variables += 2)
            setenv(variables[0], variables[1], 1);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execl("/proc/self/exe", "gomp_env_test", mode, (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(ends[0], child.out + got, sizeof child.out - 1 - got)) > 0;)
        got += (size_t)n;
    close(ends[0]);
    REQUIRE(waitpid(pid, &child.status, 0) == pid);
    return child;
}

static void check_variables(const char *const *variables, const char *wanted)
{
    struct child child = run_child("variables", variables);
    if (!strstr(child.out, wanted))
        fprintf(stderr, "wanted: %s\nfound: %s", wanted, child.out);
    CHECK(strstr(child.out, wanted) && child.status == 0);
}

static void variables_of_the_environment(void)
{
    check_variables((const char *[]){"OMP_NUM_THREADS", "3", "OMP_DYNAMIC", "false", NULL},
                    "threads 3 inner 3");
    check_variables((const char *[]){"OMP_NUM_THREADS", " 4 , 2", "OMP_DYNAMIC", "FALSE",
                                     "OMP_NESTED", "true", NULL},
                    "threads 4 inner 2");
    check_variables(
        (const char *[]){"OMP_NUM_THREADS", "8", "OMP_DYNAMIC", "0", "OMP_THREAD_LIMIT", "5", NULL},
        "limit 5");
    check_variables(
        (const char *[]){"OMP_NUM_THREADS", "8", "OMP_DYNAMIC", "0", "OMP_THREAD_LIMIT", "5", NULL},
        "threads 5 inner 5");
    check_variables((const char *[]){"OMP_SCHEDULE", "guided,7", NULL}, "schedule 3,7;");
    check_variables((const char *[]){"OMP_SCHEDULE", "monotonic:static , 4", NULL},
                    "schedule 1,4;");
    check_variables((const char *[]){"OMP_SCHEDULE", "AUTO", NULL}, "schedule 4,0;");
    check_variables((const char *[]){"OMP_MAX_ACTIVE_LEVELS", "3", NULL}, "levels 3 ");
    check_variables((const char *[]){"OMP_NUM_THREADS", "1", NULL}, "threads 1 inner 1");
    check_variables((const char *[]){"OMP_DISPLAY_ENV", "true", NULL}, "OMP_NUM_THREADS = '0'");
}

static void malformed_ones_are_named_and_not_taken(void)
{
    static const char *const bad[][2] = {
        {"OMP_NUM_THREADS", "0"},      {"OMP_NUM_THREADS", "2x"},
        {"OMP_NUM_THREADS", "2,,3"},   {"OMP_NUM_THREADS", "99999999999"},
        {"OMP_SCHEDULE", "fast"},      {"OMP_SCHEDULE", "dynamic,0"},
        {"OMP_SCHEDULE", "dynamic 3"}, {"OMP_DYNAMIC", "perhaps"},
        {"OMP_THREAD_LIMIT", "-1"},    {"OMP_MAX_ACTIVE_LEVELS", "many"},
    };
    struct child plain = run_child("variables", NULL);
    CHECK(plain.status == 0);
    for (size_t i = 0; i < COUNT(bad); i++) {
        char complaint[200];
        struct child child = run_child("variables", (const char *[]){bad[i][0], bad[i][1], NULL});
        snprintf(complaint, sizeof complaint, "%s=%s is not understood\n", bad[i][0], bad[i][1]);
        CHECK(strstr(child.out, complaint) && strstr(child.out, plain.out) && child.status == 0);
    }
}

/* ---- what is not supported ends the process with a line that names it ---- */

static int call_by_name(const char *name)
{
    void (*fn)(void) = (void (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, name);
    if (!fn)
        return 98;
    fn();
    return 0;
}

static void what_is_not_supported_says_so(void)
{
    static const char *const names[] = {
        "GOMP_parallel_start", "GOMP_parallel_end",         "GOMP_parallel_loop_static_start",
        "GOMP_target_ext",     "GOMP_offload_register_ver", "GOMP_teams4"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct child child = run_child(names[i], NULL);
        CHECK(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGABRT);
        CHECK(strstr(child.out, names[i]) && strstr(child.out, "is not supported"));
    }
}

/* ---- fork(2) ---- */

static void region_of(int n)
{
    uint32_t threads = 0;
#pragma omp parallel num_threads(n)
    tally(&threads);
    CHECK(threads == (uint32_t)n);
}

/* The child of a process that had regions has regions, too: on a default runtime of its own. */
static void children_of_fork_have_regions(void)
{
    int most = omp_get_max_threads();
    region_of(2);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        region_of(1);
        region_of(2);
        region_of(4);
        _exit(case_bad || omp_get_max_threads() != most);
    }
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
    region_of(2);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return strcmp(argv[1], "variables") == 0 ? print_variables() : call_by_name(argv[1]);
    RUN(variables_of_the_environment);
    RUN(malformed_ones_are_named_and_not_taken);
    RUN(what_is_not_supported_says_so);
    RUN(children_of_fork_have_regions);
    return summary();
}
