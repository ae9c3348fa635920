/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libjxl on filch: a runner for its encoders and decoders. The calling thread takes part, and workers
 * that have nothing else to do help. Any thread or task may encode and decode, several at once too.
 *
 *     JxlDecoder *decoder = JxlDecoderCreate(NULL);
 *     JxlDecoderSetParallelRunner(decoder, filch_jxl_runner, NULL);
 *
 *     filch_loop_options two = {.participants = 2};
 *     JxlEncoderSetParallelRunner(encoder, filch_jxl_runner, &two);
 */
#ifndef FILCH_JXL_H
#define FILCH_JXL_H

#include <filch/loop.h>
#include <jxl/parallel_runner.h>

FILCH_BEGIN_DECLS

/*
 * A JxlParallelRunner. options: a filch_loop_options that stays as it is while it is in use, or NULL.
 *
 * What init returns if it is not 0, and then func is not called. JXL_PARALLEL_RET_RUNNER_ERROR: a
 * range that ends before it starts, init or func is NULL, options are wrong; nothing was called.
 * Otherwise 0: libjxl ends the process at many a failure of a runner, so where the runtime closes,
 * or the caller is cancelled, the caller does what is left alone. An empty range: 0, no call.
 */
FILCH_API JxlParallelRetCode filch_jxl_runner(void *options, void *jpegxl_opaque,
                                              JxlParallelRunInit init, JxlParallelRunFunction func,
                                              uint32_t start_range, uint32_t end_range);

FILCH_END_DECLS

#endif
