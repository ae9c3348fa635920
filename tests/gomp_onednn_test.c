/* SPDX-License-Identifier: Apache-2.0 */
/* The system's oneDNN on the drop-in libgomp.so.1: products and convolutions against plain loops. */
#define _GNU_SOURCE 1
#include "tests/gomp_library.h"

#include <dnnl.h>

static dnnl_engine_t engine;

/* Small integers, so that all sums are exact in any order. */
static float *values(int seed, size_t n)
{
    float *v = malloc(n * sizeof *v);
    REQUIRE(v);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)((int)((i * 7 + (size_t)seed * 13) % 17) - 8);
    return v;
}

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *shape, float *data)
{
    dnnl_memory_t memory;
    REQUIRE(dnnl_memory_create(&memory, shape, engine, data) == dnnl_success);
    return memory;
}

/* args: source, weights, destination. */
static void execute(dnnl_primitive_t primitive, const dnnl_exec_arg_t *args)
{
    dnnl_stream_t stream;
    REQUIRE(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success);
    CHECK(dnnl_primitive_execute(primitive, stream, 3, args) == dnnl_success);
    CHECK(dnnl_stream_wait(stream) == dnnl_success);
    dnnl_stream_destroy(stream);
}

static void run(const_dnnl_op_desc_t operation, const dnnl_memory_desc_t *source,
                const dnnl_memory_desc_t *weights, const dnnl_memory_desc_t *destination, float *s,
                float *w, float *d)
{
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    REQUIRE(dnnl_primitive_desc_create(&description, operation, NULL, engine, NULL) ==
            dnnl_success);
    REQUIRE(dnnl_primitive_create(&primitive, description) == dnnl_success);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, memory_of(source, s)},
                              {DNNL_ARG_WEIGHTS, memory_of(weights, w)},
                              {DNNL_ARG_DST, memory_of(destination, d)}};
    execute(primitive, args);
    for (size_t i = 0; i < COUNT(args); i++)
        dnnl_memory_destroy(args[i].memory);
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(description);
}

static bool multiply_floats(int m, int n, int k)
{
    float *a = values(1, (size_t)(m * k)), *b = values(2, (size_t)(k * n));
    float *c = values(3, (size_t)(m * n));
    dnnl_memory_desc_t source, weights, destination;
    dnnl_matmul_desc_t operation;
    dnnl_memory_desc_init_by_tag(&source, 2, (dnnl_dims_t){m, k}, dnnl_f32, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&weights, 2, (dnnl_dims_t){k, n}, dnnl_f32, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&destination, 2, (dnnl_dims_t){m, n}, dnnl_f32, dnnl_ab);
    REQUIRE(dnnl_matmul_desc_init(&operation, &source, &weights, NULL, &destination) ==
            dnnl_success);
    run(&operation, &source, &weights, &destination, a, b, c);
    bool right = true;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < k; l++)
                sum += a[i * k + l] * b[l * n + j];
            right &= c[i * n + j] == sum;
        }
    free(a), free(b), free(c);
    return right;
}

/* 3 by 3, padded by one: the output is as large as the input. */
enum { EDGE = 20, IN = 16, OUT = 32 };

static float convolved(const float *s, const float *w, int o, int y, int x)
{
    float sum = 0;
    for (int i = 0; i < IN; i++)
        for (int v = 0; v < 3; v++)
            for (int u = 0; u < 3; u++)
                if (y + v > 0 && y + v <= EDGE && x + u > 0 && x + u <= EDGE)
                    sum += s[(i * EDGE + y + v - 1) * EDGE + x + u - 1] *
                           w[((o * IN + i) * 3 + v) * 3 + u];
    return sum;
}

static bool convolve(void)
{
    float *s = values(4, IN * EDGE * EDGE), *w = values(5, OUT * IN * 9);
    float *d = values(6, OUT * EDGE * EDGE);
    dnnl_memory_desc_t source, weights, destination;
    dnnl_convolution_desc_t operation;
    dnnl_dims_t ones = {1, 1};
    dnnl_memory_desc_init_by_tag(&source, 4, (dnnl_dims_t){1, IN, EDGE, EDGE}, dnnl_f32, dnnl_nchw);
    dnnl_memory_desc_init_by_tag(&weights, 4, (dnnl_dims_t){OUT, IN, 3, 3}, dnnl_f32, dnnl_oihw);
    dnnl_memory_desc_init_by_tag(&destination, 4, (dnnl_dims_t){1, OUT, EDGE, EDGE}, dnnl_f32,
                                 dnnl_nchw);
    REQUIRE(dnnl_convolution_forward_desc_init(&operation, dnnl_forward_inference,
                                               dnnl_convolution_direct, &source, &weights, NULL,
                                               &destination, ones, ones, ones) == dnnl_success);
    run(&operation, &source, &weights, &destination, s, w, d);
    bool right = true;
    for (int o = 0; o < OUT; o++)
        for (int y = 0; y < EDGE; y++)
            for (int x = 0; x < EDGE; x++)
                right &= d[(o * EDGE + y) * EDGE + x] == convolved(s, w, o, y, x);
    free(s), free(w), free(d);
    return right;
}

static void compute_some(void)
{
    CHECK(multiply_floats(1, 1, 1) && multiply_floats(100, 70, 130));
    for (int i = 0; i < sized(2, 10, 100); i++)
        CHECK(multiply_floats(64, 64, 64) && convolve());
}

static void the_dropin_is_loaded(void)
{
    CHECK(dropin_is_loaded());
}

static void from_the_main_thread(void)
{
    compute_some();
}

static void from_two_threads(void)
{
    on_two_threads(compute_some);
}

static int compute_task(void *arg)
{
    (void)arg;
    compute_some();
    return 0;
}

static int compute_tasks(void *arg)
{
    filch_handle *h;
    REQUIRE(filch_spawn(&h, compute_task, arg) == 0);
    compute_some();
    return join(h);
}

static void from_tasks(void)
{
    in_task_of_each(compute_tasks);
}

static int compute_in_body(int64_t first, int64_t last, void *ctx)
{
    (void)ctx;
    for (int64_t i = first; i < last; i++)
        CHECK(multiply_floats(32, 48, 40) && convolve());
    return 0;
}

static int compute_nested(void *arg)
{
    (void)arg;
    return filch_for(0, sized(10, 40, 400), 1, compute_in_body, NULL);
}

static void nested_in_loops(void)
{
    filch_runtime *rt = runtime_open(2);
    CHECK(filch_run(rt, compute_nested, NULL) == 0);
    runtime_close(rt);
}

static void in_cancelled_tasks(void)
{
    in_cancelled_task_of_each(compute_some);
}

int main(int argc, char **argv)
{
    (void)argc;
    start_with_dropin(argv);
    REQUIRE(dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success);
    RUN(the_dropin_is_loaded);
    RUN(from_the_main_thread);
    RUN(from_two_threads);
    RUN(from_tasks);
    RUN(nested_in_loops);
    RUN(in_cancelled_tasks);
    dnnl_engine_destroy(engine);
    return summary();
}
