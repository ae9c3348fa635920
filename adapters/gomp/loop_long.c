/* SPDX-License-Identifier: Apache-2.0 */
/* The starts and nexts of loops whose variable is a long, or less. */
#include "adapters/gomp/loop.h"

/* With what GCC 9 and later add for task reductions, and for memory in common. Without first: the
 * program divides the loop itself. */
static bool start_with(struct filch__omp_share *model, bool ordered, long *first, long *last,
                       uintptr_t *reductions, void **mem)
{
    struct filch__omp_self *self = filch__omp_self();
    uint64_t from, to;
    if (!first) {
        filch__omp_share_extras(self, reductions, mem);
        return true;
    }
    model->ordered = ordered;
    filch__omp_loop_enter(self, model, reductions, mem);
    if (!filch__omp_loop_next(self, &from, &to))
        return false;
    *first = (long)from;
    *last = (long)to;
    return true;
}

static bool start(struct filch__omp_share *model, bool ordered, long *first, long *last)
{
    return start_with(model, ordered, first, last, NULL, NULL);
}

/* ---- starts ---- */

bool GOMP_loop_static_start(long begin, long end, long step, long chunk, long *first, long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_STATIC, chunk);
    return start(&model, false, first, last);
}

bool GOMP_loop_ordered_static_start(long begin, long end, long step, long chunk, long *first,
                                    long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_STATIC, chunk);
    return start(&model, true, first, last);
}

bool GOMP_loop_dynamic_start(long begin, long end, long step, long chunk, long *first, long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_DYNAMIC, chunk);
    return start(&model, false, first, last);
}

bool GOMP_loop_ordered_dynamic_start(long begin, long end, long step, long chunk, long *first,
                                     long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_DYNAMIC, chunk);
    return start(&model, true, first, last);
}

bool GOMP_loop_guided_start(long begin, long end, long step, long chunk, long *first, long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_GUIDED, chunk);
    return start(&model, false, first, last);
}

bool GOMP_loop_ordered_guided_start(long begin, long end, long step, long chunk, long *first,
                                    long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_long(begin, end, step, FILCH__OMP_GUIDED, chunk);
    return start(&model, true, first, last);
}

bool GOMP_loop_runtime_start(long begin, long end, long step, long *first, long *last)
{
    struct filch__omp_share model = filch__omp_loop_long(begin, end, step, FILCH__OMP_RUNTIME, 0);
    return start(&model, false, first, last);
}

bool GOMP_loop_ordered_runtime_start(long begin, long end, long step, long *first, long *last)
{
    struct filch__omp_share model = filch__omp_loop_long(begin, end, step, FILCH__OMP_RUNTIME, 0);
    return start(&model, true, first, last);
}

bool GOMP_loop_start(long begin, long end, long step, long schedule, long chunk, long *first,
                     long *last, uintptr_t *reductions, void **mem)
{
    struct filch__omp_share model = filch__omp_loop_long(begin, end, step, schedule, chunk);
    return start_with(&model, false, first, last, reductions, mem);
}

bool GOMP_loop_ordered_start(long begin, long end, long step, long schedule, long chunk,
                             long *first, long *last, uintptr_t *reductions, void **mem)
{
    struct filch__omp_share model = filch__omp_loop_long(begin, end, step, schedule, chunk);
    return start_with(&model, true, first, last, reductions, mem);
}

/* A claim in ascending order is right for all of them. */
bool GOMP_loop_nonmonotonic_dynamic_start(long begin, long end, long step, long chunk, long *first,
                                          long *last) FILCH__OMP_SAME_AS(GOMP_loop_dynamic_start);
bool GOMP_loop_nonmonotonic_guided_start(long begin, long end, long step, long chunk, long *first,
                                         long *last) FILCH__OMP_SAME_AS(GOMP_loop_guided_start);
bool GOMP_loop_nonmonotonic_runtime_start(long begin, long end, long step, long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_runtime_start);
bool GOMP_loop_maybe_nonmonotonic_runtime_start(long begin, long end, long step, long *first,
                                                long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_runtime_start);

/* ---- nexts: what a loop is its work-share knows ---- */

bool GOMP_loop_dynamic_next(long *first, long *last)
{
    uint64_t from, to;
    if (!filch__omp_loop_next(filch__omp_self(), &from, &to))
        return false;
    *first = (long)from;
    *last = (long)to;
    return true;
}

bool GOMP_loop_static_next(long *first, long *last) FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_guided_next(long *first, long *last) FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_runtime_next(long *first, long *last) FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_ordered_static_next(long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_ordered_dynamic_next(long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_ordered_guided_next(long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_ordered_runtime_next(long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_nonmonotonic_dynamic_next(long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_nonmonotonic_guided_next(long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_nonmonotonic_runtime_next(long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
bool GOMP_loop_maybe_nonmonotonic_runtime_next(long *first, long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_dynamic_next);
