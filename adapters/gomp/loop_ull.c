/* SPDX-License-Identifier: Apache-2.0 */
/* The starts and nexts of loops whose variable is an unsigned long long. */
#include "adapters/gomp/loop.h"

/* With what GCC 9 and later add for task reductions, and for memory in common. Without first: the
 * program divides the loop itself. */
static bool start_with(struct filch__omp_share *model, bool ordered, unsigned long long *first,
                       unsigned long long *last, uintptr_t *reductions, void **mem)
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
    *first = (unsigned long long)from;
    *last = (unsigned long long)to;
    return true;
}

static bool start(struct filch__omp_share *model, bool ordered, unsigned long long *first,
                  unsigned long long *last)
{
    return start_with(model, ordered, first, last, NULL, NULL);
}

/* ---- starts ---- */

bool GOMP_loop_ull_static_start(bool up, unsigned long long begin, unsigned long long end,
                                unsigned long long step, unsigned long long chunk,
                                unsigned long long *first, unsigned long long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_ull(up, begin, end, step, FILCH__OMP_STATIC, chunk);
    return start(&model, false, first, last);
}

bool GOMP_loop_ull_ordered_static_start(bool up, unsigned long long begin, unsigned long long end,
                                        unsigned long long step, unsigned long long chunk,
                                        unsigned long long *first, unsigned long long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_ull(up, begin, end, step, FILCH__OMP_STATIC, chunk);
    return start(&model, true, first, last);
}

bool GOMP_loop_ull_dynamic_start(bool up, unsigned long long begin, unsigned long long end,
                                 unsigned long long step, unsigned long long chunk,
                                 unsigned long long *first, unsigned long long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_ull(up, begin, end, step, FILCH__OMP_DYNAMIC, chunk);
    return start(&model, false, first, last);
}

bool GOMP_loop_ull_ordered_dynamic_start(bool up, unsigned long long begin, unsigned long long end,
                                         unsigned long long step, unsigned long long chunk,
                                         unsigned long long *first, unsigned long long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_ull(up, begin, end, step, FILCH__OMP_DYNAMIC, chunk);
    return start(&model, true, first, last);
}

bool GOMP_loop_ull_guided_start(bool up, unsigned long long begin, unsigned long long end,
                                unsigned long long step, unsigned long long chunk,
                                unsigned long long *first, unsigned long long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_ull(up, begin, end, step, FILCH__OMP_GUIDED, chunk);
    return start(&model, false, first, last);
}

bool GOMP_loop_ull_ordered_guided_start(bool up, unsigned long long begin, unsigned long long end,
                                        unsigned long long step, unsigned long long chunk,
                                        unsigned long long *first, unsigned long long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_ull(up, begin, end, step, FILCH__OMP_GUIDED, chunk);
    return start(&model, true, first, last);
}

bool GOMP_loop_ull_runtime_start(bool up, unsigned long long begin, unsigned long long end,
                                 unsigned long long step, unsigned long long *first,
                                 unsigned long long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_ull(up, begin, end, step, FILCH__OMP_RUNTIME, 0);
    return start(&model, false, first, last);
}

bool GOMP_loop_ull_ordered_runtime_start(bool up, unsigned long long begin, unsigned long long end,
                                         unsigned long long step, unsigned long long *first,
                                         unsigned long long *last)
{
    struct filch__omp_share model =
        filch__omp_loop_ull(up, begin, end, step, FILCH__OMP_RUNTIME, 0);
    return start(&model, true, first, last);
}

bool GOMP_loop_ull_start(bool up, unsigned long long begin, unsigned long long end,
                         unsigned long long step, long schedule, unsigned long long chunk,
                         unsigned long long *first, unsigned long long *last, uintptr_t *reductions,
                         void **mem)
{
    struct filch__omp_share model = filch__omp_loop_ull(up, begin, end, step, schedule, chunk);
    return start_with(&model, false, first, last, reductions, mem);
}

bool GOMP_loop_ull_ordered_start(bool up, unsigned long long begin, unsigned long long end,
                                 unsigned long long step, long schedule, unsigned long long chunk,
                                 unsigned long long *first, unsigned long long *last,
                                 uintptr_t *reductions, void **mem)
{
    struct filch__omp_share model = filch__omp_loop_ull(up, begin, end, step, schedule, chunk);
    return start_with(&model, true, first, last, reductions, mem);
}

/* A claim in ascending order is right for all of them. */
bool GOMP_loop_ull_nonmonotonic_dynamic_start(bool up, unsigned long long begin,
                                              unsigned long long end, unsigned long long step,
                                              unsigned long long chunk, unsigned long long *first,
                                              unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_start);
bool GOMP_loop_ull_nonmonotonic_guided_start(bool up, unsigned long long begin,
                                             unsigned long long end, unsigned long long step,
                                             unsigned long long chunk, unsigned long long *first,
                                             unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_guided_start);
bool GOMP_loop_ull_nonmonotonic_runtime_start(bool up, unsigned long long begin,
                                              unsigned long long end, unsigned long long step,
                                              unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_runtime_start);
bool GOMP_loop_ull_maybe_nonmonotonic_runtime_start(bool up, unsigned long long begin,
                                                    unsigned long long end, unsigned long long step,
                                                    unsigned long long *first,
                                                    unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_runtime_start);

/* ---- nexts: what a loop is its work-share knows ---- */

bool GOMP_loop_ull_dynamic_next(unsigned long long *first, unsigned long long *last)
{
    uint64_t from, to;
    if (!filch__omp_loop_next(filch__omp_self(), &from, &to))
        return false;
    *first = (unsigned long long)from;
    *last = (unsigned long long)to;
    return true;
}

bool GOMP_loop_ull_static_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_guided_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_runtime_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_ordered_static_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_ordered_dynamic_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_ordered_guided_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_ordered_runtime_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_nonmonotonic_dynamic_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_nonmonotonic_guided_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_nonmonotonic_runtime_next(unsigned long long *first, unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
bool GOMP_loop_ull_maybe_nonmonotonic_runtime_next(unsigned long long *first,
                                                   unsigned long long *last)
    FILCH__OMP_SAME_AS(GOMP_loop_ull_dynamic_next);
