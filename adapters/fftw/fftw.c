/* SPDX-License-Identifier: Apache-2.0 */
/* Built once for each precision: FFTW_PREFIX is fftw, fftwf or fftwl. */
#include <errno.h>
#include <fftw3.h>
#include <filch/atomic.h>
#include <filch/fftw.h>

#define JOIN(a, b)  a##b
#define NAME(a, b)  JOIN(a, b)
#define BACKEND(fn) NAME(FFTW_PREFIX, _##fn)
#define ADAPTER(fn) NAME(filch_, BACKEND(fn))

/* Jobs 0 to count - 1, each claimed from next by whoever is free. */
struct jobs {
    void *(*work)(char *);
    char *data;
    size_t size;
    uint32_t count, next;
};

static bool run_next(struct jobs *jobs)
{
    /* A claim hands over nothing: what a job reads was there before the loop began. */
    uint32_t i = filch__add_relaxed(&jobs->next, 1u);
    if (i >= jobs->count)
        return false;
    jobs->work(jobs->data + i * jobs->size);
    return true;
}

static int run_one(int64_t index, int participant, void *jobs)
{
    (void)index;
    (void)participant;
    run_next(jobs);
    return 0;
}

static void parallel_loop(void *(*work)(char *), char *data, size_t size, int count, void *options)
{
    struct jobs jobs = {work, data, size, count > 0 ? (uint32_t)count : 0, 0};
    if (filch_run_n_with(options, count, run_one, &jobs) == 0)
        return;
    /* Refused or cancelled: what was begun has ended. */
    while (run_next(&jobs))
        ;
}

int ADAPTER(attach_with)(const filch_loop_options *o)
{
    static filch_loop_options options; /* read by each loop, as long as the process runs */
    if (!BACKEND(init_threads)())
        return -EAGAIN;
    options = o ? *o : (filch_loop_options){0};
    options.hold_thread = true; /* FFTW's code below the caller is not made for another thread */
    BACKEND(threads_set_callback)(parallel_loop, &options);
    return 0;
}

int ADAPTER(attach)(void)
{
    return ADAPTER(attach_with)(NULL);
}
