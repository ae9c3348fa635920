/* SPDX-License-Identifier: Apache-2.0 */

/* XNNPACK: five layers of the sizes that image networks have, one after the other, as an inference
 * calls them: some take a millisecond, some less than a tenth of it. */

#include "bench/compute.h"

#include <math.h>
#include <pthreadpool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

enum {
    LAYERS = 5,
    INPUT_FLOATS = 56 * 56 * 128, /* of the largest */
    WEIGHT_FLOATS = 512 * 512,
    MARGIN = XNN_EXTRA_BYTES / sizeof(float), /* may be read behind an input */
};

/* Sets up one layer; ops of it and of the reference differ in pool and output alone. */
typedef enum xnn_status layer_fn(xnn_operator_t *op, float *out, pthreadpool_t pool);

static float *input, *weights;

static enum xnn_status convolve(xnn_operator_t *op, float *out, pthreadpool_t pool, uint32_t side,
                                uint32_t kernel, uint32_t groups, size_t group_channels)
{
    uint32_t pad = kernel / 2;
    size_t channels = groups * group_channels;
    enum xnn_status rc = xnn_create_convolution2d_nhwc_f32(
        pad, pad, pad, pad, kernel, kernel, 1, 1, 1, 1, groups, group_channels, group_channels,
        channels, channels, weights, NULL, -INFINITY, INFINITY, 0, op);
    return rc != xnn_status_success
               ? rc
               : xnn_setup_convolution2d_nhwc_f32(*op, 1, side, side, input, out, pool);
}

static enum xnn_status convolution(xnn_operator_t *op, float *out, pthreadpool_t pool)
{
    return convolve(op, out, pool, 56, 3, 1, 64);
}

static enum xnn_status depthwise(xnn_operator_t *op, float *out, pthreadpool_t pool)
{
    return convolve(op, out, pool, 56, 3, 128, 1);
}

static enum xnn_status pointwise(xnn_operator_t *op, float *out, pthreadpool_t pool)
{
    return convolve(op, out, pool, 28, 1, 1, 128);
}

static enum xnn_status fully_connected(xnn_operator_t *op, float *out, pthreadpool_t pool)
{
    enum xnn_status rc = xnn_create_fully_connected_nc_f32(512, 512, 512, 512, weights, NULL,
                                                           -INFINITY, INFINITY, 0, op);
    return rc != xnn_status_success ? rc
                                    : xnn_setup_fully_connected_nc_f32(*op, 128, input, out, pool);
}

static enum xnn_status softmax(xnn_operator_t *op, float *out, pthreadpool_t pool)
{
    enum xnn_status rc = xnn_create_softmax_nc_f32(1000, 1000, 1000, 0, op);
    return rc != xnn_status_success ? rc : xnn_setup_softmax_nc_f32(*op, 200, input, out, pool);
}

static const struct {
    layer_fn *make;
    size_t floats; /* of the output */
} layers[LAYERS] = {
    {convolution, 56 * 56 * 64},  {depthwise, 56 * 56 * 128}, {pointwise, 28 * 28 * 128},
    {fully_connected, 128 * 512}, {softmax, 200 * 1000},
};

static xnn_operator_t ops[LAYERS];
static float *results[LAYERS], *expected[LAYERS];
static pthreadpool_t pool;

static float *new_floats(size_t n, uint32_t seed)
{
    float *x = malloc((n + MARGIN) * sizeof(*x));
    uint32_t random = seed;
    for (size_t i = 0; x && i < n + MARGIN; i++) {
        random = random * 1664525u + 1013904223u;
        x[i] = (float)(random >> 8) / (float)(1 << 23) - 1;
    }
    return x;
}

/* The reference is the same layer without a pool. */
static int start_layer(int i)
{
    xnn_operator_t serial;
    results[i] = new_floats(layers[i].floats, 3);
    expected[i] = new_floats(layers[i].floats, 4);
    if (!results[i] || !expected[i] ||
        layers[i].make(&serial, expected[i], NULL) != xnn_status_success ||
        xnn_run_operator(serial, NULL) != xnn_status_success ||
        xnn_delete_operator(serial) != xnn_status_success ||
        layers[i].make(&ops[i], results[i], pool) != xnn_status_success)
        return 1;
    return 0;
}

static int start(int threads, bool filch)
{
    (void)filch;
    input = new_floats(INPUT_FLOATS, 1);
    weights = new_floats(WEIGHT_FLOATS, 2);
    pool = pthreadpool_create((size_t)threads);
    if (!input || !weights || !pool || xnn_initialize(NULL) != xnn_status_success)
        return 1;
    for (int i = 0; i < LAYERS; i++)
        if (start_layer(i))
            return 1;
    return 0;
}

static void call(void)
{
    for (int i = 0; i < LAYERS; i++)
        (void)xnn_run_operator(ops[i], pool);
}

static void clear(void)
{
    for (int i = 0; i < LAYERS; i++)
        memset(results[i], 0xff, layers[i].floats * sizeof(float));
}

/* To the bit: how the work is cut does not change any sum. */
static bool right(void)
{
    for (int i = 0; i < LAYERS; i++)
        if (memcmp(results[i], expected[i], layers[i].floats * sizeof(float)) != 0)
            return false;
    return true;
}

static void stop(void)
{
    for (int i = 0; i < LAYERS; i++) {
        (void)xnn_delete_operator(ops[i]);
        free(results[i]);
        free(expected[i]);
    }
    pthreadpool_destroy(pool);
    free(input);
    free(weights);
}

/* It has no function that tells. */
static const char *version(void)
{
    return "XNNPACK (libXNNPACK.so.0), float32";
}

static const struct compute_work work = {
    .bench = "xnnpack",
    .dropin = "libpthreadpool.so.0",
    .version = version,
    .start = start,
    .call = call,
    .clear = clear,
    .right = right,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return compute_main(argc, argv, &work);
}
