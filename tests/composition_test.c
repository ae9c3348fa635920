/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that do not know of each other, all on filch and all at once: FFTW's plans, OpenBLAS'
 * products by OpenMP, and XNNPACK's operators, called from tasks of one runtime and from two threads.
 * Each gives what it gives alone; there are never more threads than workers and callers; nothing
 * waits for ever. The program runs itself again, with the drop-ins in its way and one CPU or all.
 */

#define _GNU_SOURCE 1

#include "tests/adapter_check.h"

#include <fftw3.h>
#include <filch/fftw.h>
#include <math.h>
#include <pthreadpool.h>
#include <sched.h>
#include <xnnpack.h>

enum {
    CALLERS = 8,  /* tasks */
    ROWS = 96,    /* of the image that is transformed, and */
    COLUMNS = 80, /* its columns */
    ORDER = 150,  /* of the matrices */
    BATCH = 40,   /* of vectors through a fully connected layer, which are */
    WIDTH = 120,  /* so long */
    THREADS = 8,  /* that each library is asked for */
};

static uint32_t most_threads, products, transforms, layers;

/* ---- FFTW ---- */

static fftw_complex *image, *spectrum;
static fftw_plan plan; /* executed on arrays of the callers, any number at a time */

static void prepare_fftw(void)
{
    REQUIRE(filch_fftw_attach() == 0);
    image = fftw_alloc_complex(ROWS * COLUMNS);
    spectrum = fftw_alloc_complex(ROWS * COLUMNS);
    REQUIRE(image && spectrum);
    fftw_plan_with_nthreads(1);
    plan = fftw_plan_dft_2d(ROWS, COLUMNS, image, spectrum, FFTW_FORWARD, FFTW_ESTIMATE);
    REQUIRE(plan);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        image[i][0] = i * 7 % 31;
        image[i][1] = i * 11 % 29;
    }
    fftw_execute(plan);
    fftw_destroy_plan(plan);
    fftw_plan_with_nthreads(THREADS);
    plan = fftw_plan_dft_2d(ROWS, COLUMNS, image, spectrum, FFTW_FORWARD,
                            FFTW_ESTIMATE | FFTW_UNALIGNED);
    REQUIRE(plan);
}

static void transform(void)
{
    fftw_complex *out = fftw_alloc_complex(ROWS * COLUMNS);
    REQUIRE(out);
    fftw_execute_dft(plan, image, out);
    double worst = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        worst = fmax(worst, hypot(out[i][0] - spectrum[i][0], out[i][1] - spectrum[i][1]));
    REQUIRE(worst < 1e-7);
    fftw_free(out);
    tally(&transforms);
}

/* ---- OpenBLAS: of small integers, so that each sum is exact ---- */

extern void dgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k,
                   const double *alpha, const double *a, const int *lda, const double *b,
                   const int *ldb, const double *beta, double *c, const int *ldc);

static double a[ORDER * ORDER], b[ORDER * ORDER], ab[ORDER * ORDER];

static void prepare_openblas(void)
{
    for (int i = 0; i < ORDER * ORDER; i++) {
        a[i] = i * 7 % 31 - 15;
        b[i] = i * 13 % 37 - 18;
    }
    for (int j = 0; j < ORDER; j++)
        for (int k = 0; k < ORDER; k++)
            for (int i = 0; i < ORDER; i++)
                ab[j * ORDER + i] += a[k * ORDER + i] * b[j * ORDER + k]; /* by columns */
}

static void multiply(void)
{
    double *out = malloc(sizeof(ab));
    REQUIRE(out);
    memset(out, 0xff, sizeof(ab));
    static const int n = ORDER;
    static const double one = 1, zero = 0;
    dgemm_("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, out, &n);
    REQUIRE(memcmp(out, ab, sizeof(ab)) == 0);
    free(out);
    tally(&products);
}

/* ---- XNNPACK ---- */

static float input[BATCH * WIDTH + XNN_EXTRA_BYTES], weights[WIDTH * WIDTH], bias[WIDTH],
    output[BATCH * WIDTH];

static void run_layer(float *out, pthreadpool_t pool)
{
    xnn_operator_t op;
    REQUIRE(xnn_create_fully_connected_nc_f32(WIDTH, WIDTH, WIDTH, WIDTH, weights, bias, -INFINITY,
                                              INFINITY, 0, &op) == xnn_status_success);
    REQUIRE(xnn_setup_fully_connected_nc_f32(op, BATCH, input, out, pool) == xnn_status_success);
    REQUIRE(xnn_run_operator(op, pool) == xnn_status_success);
    xnn_delete_operator(op);
}

static void prepare_xnnpack(void)
{
    for (size_t i = 0; i < COUNT(input); i++)
        input[i] = (float)(i * 7 % 31) / 16;
    for (size_t i = 0; i < COUNT(weights); i++)
        weights[i] = (float)(i * 13 % 37) / 64 - 0.25f;
    REQUIRE(xnn_initialize(NULL) == xnn_status_success);
    run_layer(output, NULL);
}

static void apply_layer(void)
{
    float *out = malloc(sizeof(output));
    pthreadpool_t pool = pthreadpool_create(THREADS);
    REQUIRE(out && pool);
    memset(out, 0xff, sizeof(output));
    run_layer(out, pool);
    REQUIRE(memcmp(out, output, sizeof(output)) == 0);
    pthreadpool_destroy(pool);
    free(out);
    tally(&layers);
}

/* ---- all at once ---- */

static void (*const libraries[])(void) = {transform, multiply, apply_layer};

static void note_threads(void)
{
    uint32_t now = (uint32_t)threads_now(), most = filch__load_relaxed(&most_threads);
    while (now > most && !filch__cas_relaxed(&most_threads, &most, now))
        continue;
}

/* Each caller begins with another library. */
static void call_all(size_t first)
{
    for (long round = 0; round < sized(2, 20, 300); round++) {
        libraries[(first + (size_t)round) % COUNT(libraries)]();
        note_threads();
    }
}

static int call_in_task(void *first)
{
    call_all((size_t)(uintptr_t)first);
    return 0;
}

static void call_on_thread(void)
{
    call_all(1);
}

/* Also from within loops, whose bodies the libraries' own loops and teams are inside of. */
static int call_in_loop(int64_t first, int64_t last, void *ctx)
{
    (void)ctx;
    for (int64_t i = first; i < last; i++)
        libraries[(size_t)i % COUNT(libraries)]();
    note_threads();
    return 0;
}

static int call_everywhere(void *arg)
{
    (void)arg;
    filch_handle *task[CALLERS];
    for (size_t i = 0; i < CALLERS; i++)
        REQUIRE(filch_spawn(&task[i], call_in_task, (void *)(uintptr_t)i) == 0);
    REQUIRE(filch_for(0, sized(12, 60, 600), 1, call_in_loop, NULL) == 0);
    for (size_t i = 0; i < CALLERS; i++)
        REQUIRE(join(task[i]) == 0);
    return 0;
}

static filch_runtime *runtime;

static void *run_tasks(void *arg)
{
    REQUIRE(filch_run(runtime, call_everywhere, arg) == 0);
    return NULL;
}

/* The file of that name is the one in this folder, and there is no other. */
static void require_dropin(const char *name, const char *folder)
{
    char *dropin = realpath(folder, NULL), line[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t found = 0;
    REQUIRE(dropin && maps);
    while (fgets(line, sizeof(line), maps)) {
        const char *path = strchr(line, '/'), *file = path ? strstr(path, name) : NULL;
        if (!file)
            continue;
        found++;
        REQUIRE(strncmp(path, dropin, strlen(dropin)) == 0);
    }
    REQUIRE(found > 0);
    fclose(maps);
    free(dropin);
}

/* workers of the tasks' runtime; the two threads are served by the default one. */
static int child_main(int workers)
{
    alarm(120);
    prepare_fftw();
    prepare_openblas();
    prepare_xnnpack();
    REQUIRE(filch_runtime_create(&runtime, &(filch_options){.workers = workers}) == 0);
    int bound = workers + filch_runtime_workers(NULL) + 4; /* main, the tasks' starter and two */
    pthread_t starter = thread_start(run_tasks, NULL);
    on_two_threads(call_on_thread);
    thread_join(starter);
    REQUIRE(filch_runtime_destroy(runtime) == 0);
    REQUIRE(products > 0 && transforms > 0 && layers > 0);
    require_dropin("/libgomp.so", FILCH_GOMP);
    require_dropin("/libpthreadpool.so", FILCH_PTHREADPOOL);
    printf("%d workers: %u transforms, %u products, %u layers, at most %u threads of %d\n", workers,
           transforms, products, layers, most_threads, bound);
    REQUIRE((int)most_threads <= bound);
    return 0;
}

/* ---- the parent ---- */

static char self[4096];

static void leave_one_cpu(void)
{
    cpu_set_t mine, one;
    int cpu = 0;
    REQUIRE(sched_getaffinity(0, sizeof(mine), &mine) == 0);
    while (!CPU_ISSET(cpu, &mine))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
}

static void run_self(int workers)
{
    fflush(stdout);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        char count[16];
        snprintf(count, sizeof(count), "%d", workers);
        if (workers == 1)
            leave_one_cpu();
        setenv("LD_LIBRARY_PATH", FILCH_GOMP ":" FILCH_PTHREADPOOL, 1);
        execl(self, self, count, (char *)NULL);
        _exit(127);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void on_one_worker(void)
{
    run_self(1);
}

static void on_two_workers(void)
{
    run_self(2);
}

static void on_eight_workers(void)
{
    run_self(8);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return child_main(atoi(argv[1]));
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    REQUIRE(length > 0);
    self[length] = 0;
    RUN(on_one_worker);
    RUN(on_two_workers);
    RUN(on_eight_workers);
    return summary();
}
