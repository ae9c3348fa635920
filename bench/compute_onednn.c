/* SPDX-License-Identifier: Apache-2.0 */

/* A convolution of a layer's size. The numbers are small integers, so that each sum is exact whatever
 * its order. */

#include "bench/compute.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 56, CHANNELS = 64, WINDOW = 3 };
enum {
    IMAGE = SIDE * SIDE * CHANNELS,
    WEIGHTS = CHANNELS * CHANNELS * WINDOW * WINDOW,
};

static float source[IMAGE], result[IMAGE], expected[IMAGE], weights[WEIGHTS];
static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_primitive_t convolution;
static dnnl_memory_t source_memory, result_memory, plain_weights, packed_weights;

static const char *version(void)
{
    static char text[64];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof(text), "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

/* Images are by row, column, channel; weights by output channel, input channel, row, column. */
static float *pixel(float *image, int row, int column)
{
    return image + (row * SIDE + column) * CHANNELS;
}

static float convolve_at(int row, int column, int out)
{
    float sum = 0;
    for (int y = 0; y < WINDOW; y++)
        for (int x = 0; x < WINDOW; x++) {
            int r = row + y - 1;
            int c = column + x - 1;
            if (r < 0 || r >= SIDE || c < 0 || c >= SIDE)
                continue;
            const float *in = pixel(source, r, c);
            for (int i = 0; i < CHANNELS; i++)
                sum += in[i] * weights[((out * CHANNELS + i) * WINDOW + y) * WINDOW + x];
        }
    return sum;
}

static void convolve_serially(void)
{
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < SIDE; column++)
            for (int out = 0; out < CHANNELS; out++)
                pixel(expected, row, column)[out] = convolve_at(row, column, out);
}

static void require(dnnl_status_t status)
{
    if (status == dnnl_success)
        return;
    fprintf(stderr, "onednn: status %d\n", (int)status);
    exit(1);
}

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *desc, void *data)
{
    dnnl_memory_t memory;
    require(dnnl_memory_create(&memory, desc, engine, data));
    return memory;
}

static void reorder_weights(void)
{
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t reorder;
    const dnnl_memory_desc_t *from;
    const dnnl_memory_desc_t *to;
    require(dnnl_memory_get_memory_desc(plain_weights, &from));
    require(dnnl_memory_get_memory_desc(packed_weights, &to));
    require(dnnl_reorder_primitive_desc_create(&desc, from, engine, to, engine, NULL));
    require(dnnl_primitive_create(&reorder, desc));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, plain_weights}, {DNNL_ARG_TO, packed_weights}};
    require(dnnl_primitive_execute(reorder, stream, 2, args));
    require(dnnl_stream_wait(stream));
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(desc);
}

static void make_convolution(void)
{
    const dnnl_dims_t image = {1, CHANNELS, SIDE, SIDE};
    const dnnl_dims_t window = {CHANNELS, CHANNELS, WINDOW, WINDOW};
    const dnnl_dims_t ones = {1, 1};
    dnnl_memory_desc_t image_desc;
    dnnl_memory_desc_t plain_desc;
    dnnl_memory_desc_t any_desc;
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t chosen;
    require(dnnl_memory_desc_init_by_tag(&image_desc, 4, image, dnnl_f32, dnnl_nhwc));
    require(dnnl_memory_desc_init_by_tag(&plain_desc, 4, window, dnnl_f32, dnnl_oihw));
    require(dnnl_memory_desc_init_by_tag(&any_desc, 4, window, dnnl_f32, dnnl_format_tag_any));
    require(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference,
                                               dnnl_convolution_direct, &image_desc, &any_desc,
                                               NULL, &image_desc, ones, ones, ones));
    require(dnnl_primitive_desc_create(&chosen, &desc, NULL, engine, NULL));
    source_memory = memory_of(&image_desc, source);
    result_memory = memory_of(&image_desc, result);
    plain_weights = memory_of(&plain_desc, weights);
    packed_weights = memory_of(dnnl_primitive_desc_query_md(chosen, dnnl_query_weights_md, 0),
                               DNNL_MEMORY_ALLOCATE);
    require(dnnl_primitive_create(&convolution, chosen));
    dnnl_primitive_desc_destroy(chosen);
    reorder_weights();
}

/* The number of threads comes from OMP_NUM_THREADS, and filch by the library that is loaded. */
static int start(int threads, bool filch)
{
    (void)threads;
    (void)filch;
    for (int i = 0; i < IMAGE; i++)
        source[i] = (float)(i * 7 % 31 % 9 - 4);
    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = (float)(i * 11 % 29 % 7 - 3);
    convolve_serially();
    require(dnnl_engine_create(&engine, dnnl_cpu, 0));
    require(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    make_convolution();
    return 0;
}

static void call(void)
{
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, source_memory},
        {DNNL_ARG_WEIGHTS, packed_weights},
        {DNNL_ARG_DST, result_memory},
    };
    require(dnnl_primitive_execute(convolution, stream, 3, args));
    require(dnnl_stream_wait(stream));
}

static void clear(void)
{
    memset(result, 0x55, sizeof(result));
}

static bool right(void)
{
    for (int i = 0; i < IMAGE; i++)
        if (result[i] != expected[i])
            return false;
    return true;
}

static void stop(void)
{
    dnnl_primitive_destroy(convolution);
    dnnl_memory_destroy(source_memory);
    dnnl_memory_destroy(result_memory);
    dnnl_memory_destroy(plain_weights);
    dnnl_memory_destroy(packed_weights);
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
}

int main(int argc, char **argv)
{
    static const struct compute_work work = {
        "onednn", "libgomp.so.1", version, start, call, clear, right, stop,
    };
    return compute_main(argc, argv, &work);
}
