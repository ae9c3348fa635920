/* SPDX-License-Identifier: Apache-2.0 */
/* libjxl on filch writes and reads the bytes that it does alone. */
#include "tests/adapter_check.h"

#include <filch/jxl.h>
#include <jxl/decode.h>
#include <jxl/encode.h>

/* Its threads hand pixels to each other by atomics that ThreadSanitizer does not see, as the library
 * is not instrumented: it reports libjxl's copies on any runner, one of plain threads too. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libjxl.so\n";
}

/* ---- encode and decode ---- */

enum { CHANNELS = 3 };

struct bytes {
    uint8_t *data;
    size_t size;
};

struct picture {
    uint32_t width, height;
    struct bytes pixels;
    struct bytes file[2], decoded[2]; /* lossy, lossless; without a runner */
};

static const JxlPixelFormat format = {CHANNELS, JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0};

static struct picture picture;

static struct bytes bytes_of(size_t size)
{
    struct bytes b = {malloc(size), size};
    REQUIRE(b.data);
    return b;
}

static bool same(struct bytes a, struct bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static struct bytes output_of(JxlEncoder *encoder)
{
    struct bytes file = bytes_of(4096);
    uint8_t *next = file.data;
    size_t left = file.size;
    JxlEncoderStatus status;
    while ((status = JxlEncoderProcessOutput(encoder, &next, &left)) == JXL_ENC_NEED_MORE_OUTPUT) {
        size_t used = (size_t)(next - file.data);
        file.size *= 2;
        file.data = realloc(file.data, file.size);
        REQUIRE(file.data);
        next = file.data + used;
        left = file.size - used;
    }
    REQUIRE(status == JXL_ENC_SUCCESS);
    file.size -= left;
    return file;
}

static struct bytes encode(bool lossless, JxlParallelRunner runner, void *options)
{
    JxlEncoder *encoder = JxlEncoderCreate(NULL);
    REQUIRE(encoder && JxlEncoderSetParallelRunner(encoder, runner, options) == JXL_ENC_SUCCESS);
    JxlBasicInfo info;
    JxlEncoderInitBasicInfo(&info);
    info.xsize = picture.width;
    info.ysize = picture.height;
    info.bits_per_sample = 8;
    info.num_color_channels = CHANNELS;
    info.uses_original_profile = lossless;
    REQUIRE(JxlEncoderSetBasicInfo(encoder, &info) == JXL_ENC_SUCCESS);
    JxlColorEncoding srgb;
    JxlColorEncodingSetToSRGB(&srgb, JXL_FALSE);
    REQUIRE(JxlEncoderSetColorEncoding(encoder, &srgb) == JXL_ENC_SUCCESS);
    JxlEncoderFrameSettings *frame = JxlEncoderFrameSettingsCreate(encoder, NULL);
    REQUIRE(JxlEncoderSetFrameLossless(frame, lossless) == JXL_ENC_SUCCESS);
    REQUIRE(JxlEncoderFrameSettingsSetOption(frame, JXL_ENC_FRAME_SETTING_EFFORT,
                                             lossless ? 2 : 3) == JXL_ENC_SUCCESS);
    REQUIRE(JxlEncoderAddImageFrame(frame, &format, picture.pixels.data, picture.pixels.size) ==
            JXL_ENC_SUCCESS);
    JxlEncoderCloseInput(encoder);
    struct bytes file = output_of(encoder);
    JxlEncoderDestroy(encoder);
    return file;
}

static struct bytes decode(struct bytes file, JxlParallelRunner runner, void *options)
{
    JxlDecoder *decoder = JxlDecoderCreate(NULL);
    REQUIRE(decoder && JxlDecoderSetParallelRunner(decoder, runner, options) == JXL_DEC_SUCCESS);
    REQUIRE(JxlDecoderSubscribeEvents(decoder, JXL_DEC_FULL_IMAGE) == JXL_DEC_SUCCESS);
    REQUIRE(JxlDecoderSetInput(decoder, file.data, file.size) == JXL_DEC_SUCCESS);
    JxlDecoderCloseInput(decoder);
    REQUIRE(JxlDecoderProcessInput(decoder) == JXL_DEC_NEED_IMAGE_OUT_BUFFER);
    struct bytes pixels = {NULL, 0};
    REQUIRE(JxlDecoderImageOutBufferSize(decoder, &format, &pixels.size) == JXL_DEC_SUCCESS);
    pixels = bytes_of(pixels.size);
    REQUIRE(JxlDecoderSetImageOutBuffer(decoder, &format, pixels.data, pixels.size) ==
            JXL_DEC_SUCCESS);
    REQUIRE(JxlDecoderProcessInput(decoder) == JXL_DEC_FULL_IMAGE);
    JxlDecoderDestroy(decoder);
    return pixels;
}

static uint8_t pixel(uint32_t x, uint32_t y, uint32_t channel)
{
    uint32_t ripples = (x * x + 3 * y * y) >> (9 + channel);
    uint32_t grain = ((x * 2654435761u) ^ (y * 40503u)) >> 28;
    return (uint8_t)(ripples + grain + x / 8);
}

static void picture_open(uint32_t width, uint32_t height)
{
    picture =
        (struct picture){width, height, bytes_of((size_t)width * height * CHANNELS), {{0}}, {{0}}};
    uint8_t *p = picture.pixels.data;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < CHANNELS; c++)
                *p++ = pixel(x, y, c);
    for (int lossless = 0; lossless < 2; lossless++) {
        picture.file[lossless] = encode(lossless, NULL, NULL);
        picture.decoded[lossless] = decode(picture.file[lossless], NULL, NULL);
    }
    REQUIRE(same(picture.decoded[1], picture.pixels));
    REQUIRE(!same(picture.decoded[0], picture.pixels));
}

static void picture_close(void)
{
    free(picture.pixels.data);
    for (int lossless = 0; lossless < 2; lossless++) {
        free(picture.file[lossless].data);
        free(picture.decoded[lossless].data);
    }
}

static void round_trip_with(filch_loop_options *options)
{
    for (int lossless = 0; lossless < 2; lossless++) {
        struct bytes file = encode(lossless, filch_jxl_runner, options);
        CHECK(same(file, picture.file[lossless]));
        struct bytes pixels = decode(file, filch_jxl_runner, options);
        CHECK(same(pixels, picture.decoded[lossless]));
        free(file.data);
        free(pixels.data);
    }
}

static void round_trip(void)
{
    round_trip_with(NULL);
}

static int round_trip_in_task(void *arg)
{
    (void)arg;
    round_trip();
    return 0;
}

static void from_the_main_thread(void)
{
    round_trip();
}

static void from_tasks(void)
{
    in_task_of_each(round_trip_in_task);
}

static void from_two_threads_at_once(void)
{
    on_two_threads(round_trip);
}

static int round_trips(int64_t first, int64_t last, void *arg)
{
    (void)arg;
    for (int64_t i = first; i < last; i++)
        round_trip();
    return 0;
}

static int loop_of_round_trips(void *arg)
{
    (void)arg;
    return filch_for(0, 4, 1, round_trips, NULL);
}

static void nested_in_loops(void)
{
    filch_runtime *rt = runtime_open(2);
    CHECK(filch_run(rt, loop_of_round_trips, NULL) == 0);
    runtime_close(rt);
}

static void with_options(void)
{
    filch_runtime *rt = runtime_open(3);
    for (int participants = 0; participants < 5; participants++)
        round_trip_with(&(filch_loop_options){.runtime = rt, .participants = participants});
    int before = threads_now();
    round_trip_with(&(filch_loop_options){.runtime = rt});
    CHECK(threads_now() == before);
    runtime_close(rt);
}

static void cancelled_callers_finish_alone(void)
{
    in_cancelled_task_of_each(round_trip);
}

static void closing_runtimes_finish(void)
{
    while_runtimes_close(round_trip);
}

static filch_runtime *lost;

static void round_trip_with_lost(void)
{
    round_trip_with(&(filch_loop_options){.runtime = lost});
}

static void children_of_a_fork_finish_alone(void)
{
    lost = runtime_open(2);
    in_forked_child(round_trip_with_lost);
    runtime_close(lost);
}

/* ---- the runner's contract ---- */

enum { VALUES = 1000, THREADS = 64 };

struct calls {
    pthread_t caller;
    int inits, answer;
    size_t threads;
    uint32_t first;
    uint32_t called[VALUES], busy[THREADS];
};

static JxlParallelRetCode count_init(void *arg, size_t threads)
{
    struct calls *calls = arg;
    calls->inits++;
    calls->threads = threads;
    CHECK(threads > 0 && threads <= THREADS);
    CHECK(pthread_equal(pthread_self(), calls->caller));
    return calls->answer;
}

static void count_call(void *arg, uint32_t value, size_t thread)
{
    struct calls *calls = arg;
    CHECK(calls->inits == 1 && thread < calls->threads);
    tally(&calls->busy[thread]);
    CHECK(filch__load_acquire(&calls->busy[thread]) == 1);
    for (int i = 0; i < 100; i++)
        filch__fence_compiler();
    tally(&calls->called[value - calls->first]);
    filch__sub_acq_rel(&calls->busy[thread], 1u);
}

static void each_value_once(uint32_t first, uint32_t n, filch_loop_options *options)
{
    struct calls calls = {.caller = pthread_self(), .first = first};
    CHECK(filch_jxl_runner(options, &calls, count_init, count_call, first, first + n) == 0);
    CHECK(calls.inits == 1 && calls.threads <= n);
    CHECK(!options || options->participants == 0 || calls.threads <= (size_t)options->participants);
    for (uint32_t i = 0; i < n; i++)
        CHECK(calls.called[i] == 1);
}

static int each_value_once_in_task(void *arg)
{
    (void)arg;
    each_value_once(0, VALUES, NULL);
    for (uint32_t n = 1; n <= VALUES; n += 1 + n / 2) {
        each_value_once(0, n, NULL);
        each_value_once(UINT32_MAX - n, n, NULL);
        each_value_once(7, n, &(filch_loop_options){.participants = 2});
    }
    return 0;
}

static void each_value_once_of_all(void)
{
    each_value_once_in_task(NULL);
}

static void each_value_once_and_no_thread_twice(void)
{
    in_task_of_each(each_value_once_in_task);
    on_two_threads(each_value_once_of_all);
}

static void each_value_once_when_closing(void)
{
    while_runtimes_close(each_value_once_of_all);
}

static void an_init_that_fails_is_passed_on(void)
{
    struct calls calls = {.caller = pthread_self(), .answer = 42};
    CHECK(filch_jxl_runner(NULL, &calls, count_init, count_call, 0, VALUES) == 42);
    CHECK(calls.inits == 1);
    for (uint32_t i = 0; i < VALUES; i++)
        CHECK(calls.called[i] == 0);
}

static void nothing_is_called_for_bad_or_empty_ranges(void)
{
    struct calls calls = {.caller = pthread_self()};
    filch_loop_options bad = {.participants = -1};
    CHECK(filch_jxl_runner(NULL, &calls, count_init, count_call, 5, 5) == 0);
    CHECK(filch_jxl_runner(NULL, &calls, count_init, count_call, 5, 4) ==
          JXL_PARALLEL_RET_RUNNER_ERROR);
    CHECK(filch_jxl_runner(&bad, &calls, count_init, count_call, 0, 5) ==
          JXL_PARALLEL_RET_RUNNER_ERROR);
    CHECK(filch_jxl_runner(NULL, &calls, NULL, count_call, 0, 5) == JXL_PARALLEL_RET_RUNNER_ERROR);
    CHECK(filch_jxl_runner(NULL, &calls, count_init, NULL, 0, 5) == JXL_PARALLEL_RET_RUNNER_ERROR);
    CHECK(calls.inits == 0);
}

int main(void)
{
    picture_open((uint32_t)sized(300, 1000, 1000), (uint32_t)sized(280, 700, 700));
    RUN(each_value_once_and_no_thread_twice);
    RUN(each_value_once_when_closing);
    RUN(an_init_that_fails_is_passed_on);
    RUN(nothing_is_called_for_bad_or_empty_ranges);
    RUN(from_the_main_thread);
    RUN(from_tasks);
    RUN(from_two_threads_at_once);
    RUN(nested_in_loops);
    RUN(with_options);
    RUN(cancelled_callers_finish_alone);
    RUN(closing_runtimes_finish);
    RUN(children_of_a_fork_finish_alone);
    picture_close();
    return summary();
}
