/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system's unmodified libXNNPACK on the drop-in libpthreadpool.so.0. The program runs itself again
 * with the system's library, and with the drop-in by LD_LIBRARY_PATH and by LD_PRELOAD; what the
 * operators give must be the same to the bit.
 */

#define _GNU_SOURCE 1

#include "tests/support.h"

#include <fcntl.h>
#include <math.h>
#include <pthreadpool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <xnnpack.h>

/* Floats of the largest input or output, and what XNNPACK may read behind an input. */
enum { FLOATS_MAX = 64 * 1024, MARGIN = XNN_EXTRA_BYTES / sizeof(float) };

static const size_t threads[] = {0, 1, 2, 4, 8}; /* 0: no pool */

/* The same in each process; some are denormal. */
static void fill(float *x, size_t n, uint32_t seed)
{
    uint64_t random = seed;
    for (size_t i = 0; i < n; i++) {
        x[i] = ((float)test_random(&random, 2000) - 1000) / 512;
        if (test_random(&random, 50) == 0)
            x[i] *= 1e-38f;
    }
}

/* ---- operators: each makes one, sets it up for in, out and pool, and says how long out is ---- */

#define MUST(call) REQUIRE((call) == xnn_status_success)

static float weights[FLOATS_MAX], bias[1024];

typedef size_t operator_fn(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool);

static size_t fully_connected(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool)
{
    enum { BATCH = 67, IN = 203, OUT = 211 };
    MUST(xnn_create_fully_connected_nc_f32(IN, OUT, IN, OUT, weights, bias, -INFINITY, INFINITY, 0,
                                           op));
    MUST(xnn_setup_fully_connected_nc_f32(*op, BATCH, in, out, pool));
    return BATCH * OUT;
}

/* Over an image of SIDE x SIDE; a kernel of 3 x 3, padded by 1. */
static size_t convolve(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool,
                       uint32_t stride, uint32_t groups, size_t group_in, size_t group_out)
{
    enum { SIDE = 37 };
    size_t side = (SIDE - 1) / stride + 1;
    MUST(xnn_create_convolution2d_nhwc_f32(1, 1, 1, 1, 3, 3, stride, stride, 1, 1, groups, group_in,
                                           group_out, groups * group_in, groups * group_out,
                                           weights, bias, -40, 40, 0, op));
    MUST(xnn_setup_convolution2d_nhwc_f32(*op, 1, SIDE, SIDE, in, out, pool));
    return side * side * groups * group_out;
}

static size_t convolution(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool)
{
    return convolve(op, in, out, pool, 1, 1, 17, 35);
}

static size_t convolution_stride(xnn_operator_t *op, const float *in, float *out,
                                 pthreadpool_t pool)
{
    return convolve(op, in, out, pool, 2, 1, 12, 60);
}

static size_t convolution_groups(xnn_operator_t *op, const float *in, float *out,
                                 pthreadpool_t pool)
{
    return convolve(op, in, out, pool, 1, 3, 5, 11);
}

static size_t convolution_depthwise(xnn_operator_t *op, const float *in, float *out,
                                    pthreadpool_t pool)
{
    return convolve(op, in, out, pool, 1, 40, 1, 1);
}

static size_t deconvolution(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool)
{
    enum { SIDE = 19, IN = 21, OUT = 13, RESULT = 2 * (SIDE - 1) + 3 };
    MUST(xnn_create_deconvolution2d_nhwc_f32(0, 0, 0, 0, 3, 3, 2, 2, 1, 1, 1, IN, OUT, IN, OUT,
                                             weights, bias, -INFINITY, INFINITY, 0, op));
    MUST(xnn_setup_deconvolution2d_nhwc_f32(*op, 1, SIDE, SIDE, 0, 0, in, out, pool));
    return RESULT * RESULT * OUT;
}

static size_t softmax(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool)
{
    enum { BATCH = 129, CHANNELS = 301 };
    MUST(xnn_create_softmax_nc_f32(CHANNELS, CHANNELS, CHANNELS, 0, op));
    MUST(xnn_setup_softmax_nc_f32(*op, BATCH, in, out, pool));
    return BATCH * CHANNELS;
}

static size_t max_pooling(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool)
{
    enum { SIDE = 40, CHANNELS = 23 };
    MUST(xnn_create_max_pooling2d_nhwc_f32(0, 0, 0, 0, 2, 2, 2, 2, 1, 1, CHANNELS, CHANNELS,
                                           CHANNELS, -INFINITY, INFINITY, 0, op));
    MUST(xnn_setup_max_pooling2d_nhwc_f32(*op, 1, SIDE, SIDE, in, out, pool));
    return SIDE / 2 * (SIDE / 2) * CHANNELS;
}

static size_t resize(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool)
{
    enum { SIDE = 17, RESULT = 41, CHANNELS = 19 };
    MUST(xnn_create_resize_bilinear2d_nhwc_f32(CHANNELS, CHANNELS, CHANNELS, 0, op));
    MUST(xnn_setup_resize_bilinear2d_nhwc_f32(*op, 1, SIDE, SIDE, RESULT, RESULT, in, out, pool));
    return RESULT * RESULT * CHANNELS;
}

/* Broadcast in every second dimension. */
static size_t add(xnn_operator_t *op, const float *in, float *out, pthreadpool_t pool)
{
    static const size_t a[] = {3, 4, 5, 6, 7, 8}, b[] = {1, 4, 1, 6, 1, 8};
    MUST(xnn_create_add_nd_f32(-INFINITY, INFINITY, 0, op));
    MUST(xnn_setup_add_nd_f32(*op, COUNT(a), a, COUNT(b), b, in, weights, out, pool));
    return 3 * 4 * 5 * 6 * 7 * 8;
}

static const struct {
    const char *name;
    operator_fn *make;
} operators[] = {
    {"fully connected", fully_connected},
    {"convolution", convolution},
    {"convolution, stride 2", convolution_stride},
    {"convolution, 3 groups", convolution_groups},
    {"convolution, depthwise", convolution_depthwise},
    {"deconvolution", deconvolution},
    {"softmax", softmax},
    {"max pooling", max_pooling},
    {"resize", resize},
    {"add", add},
};

/* Of all operators, one behind the other. */
struct results {
    float x[COUNT(operators)][FLOATS_MAX];
};

static void compute(size_t i, const float *in, float *out, pthreadpool_t pool)
{
    xnn_operator_t op;
    size_t length = operators[i].make(&op, in, out, pool);
    REQUIRE(length <= FLOATS_MAX);
    memset(out, 0xff, length * sizeof(*out));
    MUST(xnn_run_operator(op, pool));
    xnn_delete_operator(op);
    /* All has been written: the bytes 0xff are no number. */
    for (size_t o = 0; o < length; o++)
        REQUIRE(isfinite(out[o]));
}

static float *new_input(void)
{
    float *in = calloc(FLOATS_MAX + MARGIN, sizeof(*in));
    REQUIRE(in);
    fill(in, FLOATS_MAX, 1);
    return in;
}

static void compute_all(struct results *r, pthreadpool_t pool)
{
    float *in = new_input();
    memset(r, 0, sizeof(*r));
    for (size_t i = 0; i < COUNT(operators); i++)
        compute(i, in, r->x[i], pool);
    free(in);
}

static void begin(void)
{
    fill(weights, COUNT(weights), 2);
    fill(bias, COUNT(bias), 3);
    MUST(xnn_initialize(NULL));
}

/* ---- in a process of its own ---- */

/* The drop-in is loaded and no other library of its name, or the reverse. */
static void require_loaded(bool ours)
{
    static const char name[] = "/libpthreadpool.so";
    char *dropin = realpath(FILCH_DROPIN, NULL), *line = NULL;
    size_t size = 0, found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    REQUIRE(dropin && maps);
    while (getline(&line, &size, maps) > 0) {
        const char *path = strchr(line, '/'), *file = strstr(line, name);
        if (!path || !file)
            continue;
        found++;
        size_t length = (size_t)(file - path);
        REQUIRE((strlen(dropin) == length && memcmp(path, dropin, length) == 0) == ours);
    }
    REQUIRE(found > 0);
    free(dropin);
    free(line);
    fclose(maps);
}

static size_t threads_of_process(void)
{
    size_t count = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    REQUIRE(status);
    while (fgets(line, sizeof(line), status))
        sscanf(line, "Threads: %zu", &count);
    fclose(status);
    return count;
}

/* Writes the results with each number of threads to descriptor 3. */
static void write_results(bool ours)
{
    static struct results r;
    for (size_t t = 0; t < COUNT(threads); t++) {
        pthreadpool_t pool = threads[t] ? pthreadpool_create(threads[t]) : NULL;
        for (long round = 0; round < sized(1, 3, 30); round++)
            compute_all(&r, pool);
        if (ours && !WITH_TSAN) /* which has a thread of its own */
            REQUIRE(threads_of_process() <= 1 + (size_t)filch_runtime_workers(NULL));
        pthreadpool_destroy(pool);
        REQUIRE(write(3, &r, sizeof(r)) == (ssize_t)sizeof(r));
    }
}

struct client {
    const struct results *expected;
    pthreadpool_t pool;
};

static int check_all(void *arg)
{
    const struct client *c = arg;
    struct results *r = malloc(sizeof(*r));
    REQUIRE(r);
    for (long round = 0; round < sized(1, 3, 30); round++) {
        compute_all(r, c->pool);
        REQUIRE(memcmp(r, c->expected, sizeof(*r)) == 0);
    }
    free(r);
    return 0;
}

static void *check_all_on_a_thread(void *arg)
{
    check_all(arg);
    return NULL;
}

/* Tasks and two threads at once, that all use one pool of more threads than there are workers. */
static int check_in_tasks(void *arg)
{
    filch_handle *task[3];
    for (size_t i = 0; i < COUNT(task); i++)
        REQUIRE(filch_spawn(&task[i], check_all, arg) == 0);
    check_all(arg);
    for (size_t i = 0; i < COUNT(task); i++)
        REQUIRE(join(task[i]) == 0);
    return 0;
}

static void check_everywhere(void)
{
    static struct results expected;
    compute_all(&expected, NULL);
    struct client c = {.expected = &expected, .pool = pthreadpool_create(8)};
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt;
        REQUIRE(filch_runtime_create(&rt, &(filch_options){.workers = worker_counts[w]}) == 0);
        pthread_t one = thread_start(check_all_on_a_thread, &c);
        pthread_t two = thread_start(check_all_on_a_thread, &c);
        REQUIRE(filch_run(rt, check_in_tasks, &c) == 0);
        thread_join(one);
        thread_join(two);
        REQUIRE(filch_runtime_destroy(rt) == 0);
    }
    pthreadpool_destroy(c.pool);
}

static int child_main(const char *what, const char *which)
{
    bool ours = strcmp(which, "ours") == 0;
    alarm(60);
    require_loaded(ours);
    begin();
    if (strcmp(what, "results") == 0)
        write_results(ours);
    else
        check_everywhere();
    require_loaded(ours);
    return 0;
}

/* ---- the parent ---- */

static char self[4096];

/* Runs this program with variable=value (NULL: neither), and descriptor 3. */
static void run_self(const char *what, const char *variable, const char *value, int out)
{
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        unsetenv("LD_LIBRARY_PATH");
        unsetenv("LD_PRELOAD");
        if (variable)
            setenv(variable, value, 1);
        if (out != 3 && dup2(out, 3) < 0)
            _exit(126);
        execl(self, self, what, variable ? "ours" : "system", (char *)NULL);
        _exit(127);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const struct results *results_of(const char *variable, const char *value)
{
    size_t size = COUNT(threads) * sizeof(struct results);
    int file = memfd_create("results", 0);
    REQUIRE(file >= 0);
    run_self("results", variable, value, file);
    CHECK(lseek(file, 0, SEEK_END) == (off_t)size);
    REQUIRE(ftruncate(file, (off_t)size) == 0);
    const struct results *r = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    REQUIRE(r != MAP_FAILED);
    close(file);
    return r;
}

/* The system's. */
static const struct results *stock_results(void)
{
    static const struct results *stock;
    if (!stock)
        stock = results_of(NULL, NULL);
    return stock;
}

static void check_same(const struct results *ours)
{
    const struct results *stock = stock_results();
    for (size_t t = 0; t < COUNT(threads); t++) {
        for (size_t i = 0; i < COUNT(operators); i++) {
            bool same = memcmp(ours[t].x[i], stock[t].x[i], sizeof(ours[t].x[i])) == 0;
            if (!same)
                fprintf(stderr, "%s, %zu threads: differs\n", operators[i].name, threads[t]);
            CHECK(same);
        }
    }
}

static void stock_is_deterministic(void)
{
    const struct results *stock = stock_results();
    for (size_t t = 1; t < COUNT(threads); t++)
        CHECK(memcmp(&stock[t], &stock[0], sizeof(stock[0])) == 0);
    static const struct results none;
    for (size_t i = 0; i < COUNT(operators); i++)
        CHECK(memcmp(stock[0].x[i], none.x[i], sizeof(none.x[i])) != 0);
}

static void by_soname(void)
{
    check_same(results_of("LD_LIBRARY_PATH", FILCH_DROPIN));
}

/* What a sanitizer preloads itself must come first. */
static void by_preload(void)
{
    if (WITH_ASAN || WITH_TSAN)
        return;
    check_same(results_of("LD_PRELOAD", FILCH_DROPIN "/libpthreadpool.so.0"));
}

static void tasks_and_threads(void)
{
    run_self("everywhere", "LD_LIBRARY_PATH", FILCH_DROPIN, 2);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return child_main(argv[1], argv[2]);
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    REQUIRE(length > 0);
    self[length] = 0;
    RUN(stock_is_deterministic);
    RUN(by_soname);
    RUN(by_preload);
    RUN(tasks_and_threads);
    return summary();
}
