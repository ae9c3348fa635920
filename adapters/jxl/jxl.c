/* SPDX-License-Identifier: Apache-2.0 */
#include <filch/atomic.h>
#include <filch/jxl.h>

/*
 * As many strands as there may be participants, each of which claims values until none is left. The
 * strand's index is libjxl's thread number: below what init was told, and at work for one caller at a
 * time. (A participant's number is not: it may be above the cap.) A strand that begins late finds
 * nothing to do.
 */
struct range {
    JxlParallelRunFunction func;
    void *opaque;
    uint64_t next, end; /* wider than the values: each strand claims one beyond the end */
};

static void drain(struct range *range, size_t thread)
{
    /* A claim hands over nothing: what func reads was there before the loop began. */
    uint64_t value;
    while ((value = filch__add_relaxed(&range->next, 1u)) < range->end)
        range->func(range->opaque, (uint32_t)value, thread);
}

static int strand(int64_t index, int participant, void *range)
{
    (void)participant;
    drain(range, (size_t)index);
    return 0;
}

/* At most as many as there are values; 1 where the runtime cannot be had. */
static int64_t strands_for(const filch_loop_options *o, uint64_t values)
{
    int64_t n = filch_participants(o->runtime) - FILCH_PARTICIPANTS_MORE;
    if (o->participants > 0 && o->participants < n)
        n = o->participants;
    if ((uint64_t)n > values)
        n = (int64_t)values;
    return n > 0 ? n : 1;
}

JxlParallelRetCode filch_jxl_runner(void *options, void *jpegxl_opaque, JxlParallelRunInit init,
                                    JxlParallelRunFunction func, uint32_t start_range,
                                    uint32_t end_range)
{
    filch_loop_options o = options ? *(filch_loop_options *)options : (filch_loop_options){0};
    o.hold_thread = true; /* C++ below the caller may keep things by thread */
    if (init == NULL || func == NULL || start_range > end_range || o.participants < 0)
        return JXL_PARALLEL_RET_RUNNER_ERROR;
    if (start_range == end_range)
        return 0;
    int64_t n = strands_for(&o, end_range - start_range);
    JxlParallelRetCode rc = init(jpegxl_opaque, (size_t)n);
    if (rc != 0)
        return rc;
    struct range range = {func, jpegxl_opaque, start_range, end_range};
    if (n == 1 || filch_run_n_with(&o, n, strand, &range) != 0)
        drain(&range, 0); /* refused or cancelled: the strands that were begun have ended */
    return 0;
}
