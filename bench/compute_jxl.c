/* SPDX-License-Identifier: Apache-2.0 */

/* Decodes a lossy picture, on filch or on libjxl's own runner of threads. */

#include "bench/compute.h"

#include <filch/jxl.h>
#include <jxl/decode.h>
#include <jxl/encode.h>
#include <jxl/thread_parallel_runner.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1000, HEIGHT = 700, CHANNELS = 3, SIZE = WIDTH * HEIGHT * CHANNELS };

static const JxlPixelFormat format = {CHANNELS, JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0};

static uint8_t pixels[SIZE], expected[SIZE], file[SIZE];
static size_t file_size;
static JxlDecoder *decoder;
static JxlParallelRunner runner;
static void *runner_data;
static filch_loop_options options;

static const char *version(void)
{
    static char text[64];
    uint32_t v = JxlDecoderVersion();
    snprintf(text, sizeof(text), "libjxl %u.%u.%u", v / 1000000, v / 1000 % 1000, v % 1000);
    return text;
}

static void paint(void)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < CHANNELS; c++)
                pixels[(y * WIDTH + x) * CHANNELS + c] =
                    (uint8_t)(((x * x + 3 * y * y) >> (9 + c)) + x / 8 + (x * 31 ^ y * 17) % 13);
}

static int encode(void)
{
    JxlEncoder *encoder = JxlEncoderCreate(NULL);
    JxlBasicInfo info;
    JxlColorEncoding srgb;
    JxlEncoderInitBasicInfo(&info);
    JxlColorEncodingSetToSRGB(&srgb, JXL_FALSE);
    info.xsize = WIDTH;
    info.ysize = HEIGHT;
    info.bits_per_sample = 8;
    info.num_color_channels = CHANNELS;
    if (JxlEncoderSetBasicInfo(encoder, &info) != JXL_ENC_SUCCESS ||
        JxlEncoderSetColorEncoding(encoder, &srgb) != JXL_ENC_SUCCESS ||
        JxlEncoderAddImageFrame(JxlEncoderFrameSettingsCreate(encoder, NULL), &format, pixels,
                                sizeof(pixels)) != JXL_ENC_SUCCESS)
        return -1;
    JxlEncoderCloseInput(encoder);
    uint8_t *next = file;
    size_t left = sizeof(file);
    JxlEncoderStatus status = JxlEncoderProcessOutput(encoder, &next, &left);
    file_size = sizeof(file) - left;
    JxlEncoderDestroy(encoder);
    return status == JXL_ENC_SUCCESS ? 0 : -1;
}

/* Leaves pixels as they are where it fails, which then are not right. */
static void call(void)
{
    JxlDecoderReset(decoder);
    if (JxlDecoderSetParallelRunner(decoder, runner, runner_data) != JXL_DEC_SUCCESS ||
        JxlDecoderSubscribeEvents(decoder, JXL_DEC_FULL_IMAGE) != JXL_DEC_SUCCESS ||
        JxlDecoderSetInput(decoder, file, file_size) != JXL_DEC_SUCCESS)
        return;
    JxlDecoderCloseInput(decoder);
    if (JxlDecoderProcessInput(decoder) != JXL_DEC_NEED_IMAGE_OUT_BUFFER ||
        JxlDecoderSetImageOutBuffer(decoder, &format, pixels, sizeof(pixels)) != JXL_DEC_SUCCESS)
        return;
    JxlDecoderProcessInput(decoder);
}

static void clear(void)
{
    memset(pixels, 0, sizeof(pixels));
}

static bool right(void)
{
    return memcmp(pixels, expected, sizeof(pixels)) == 0;
}

static int start(int threads, bool filch)
{
    decoder = JxlDecoderCreate(NULL);
    paint();
    if (!decoder || encode() != 0)
        return -1;
    clear();
    call();
    memcpy(expected, pixels, sizeof(pixels));
    runner = filch ? filch_jxl_runner : JxlThreadParallelRunner;
    options.participants = threads;
    runner_data = filch ? &options : JxlThreadParallelRunnerCreate(NULL, (size_t)threads);
    return runner_data ? 0 : -1;
}

static void stop(void)
{
    JxlDecoderDestroy(decoder);
    if (runner == JxlThreadParallelRunner)
        JxlThreadParallelRunnerDestroy(runner_data);
}

int main(int argc, char **argv)
{
    static const struct compute_work work = {"jxl", NULL, version, start, call, clear, right, stop};
    return compute_main(argc, argv, &work);
}
