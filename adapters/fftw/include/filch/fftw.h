/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FFTW 3.3.9 or later on filch: the parallel loops of its plans run as loops of filch (loop.h), in
 * place of threads that FFTW starts for each transform. Any thread or task may execute plans, several
 * at once too, and in loops of its own: no more threads compute than there are.
 *
 *     filch_fftw_attach();                        // once, before the first plan
 *     fftw_plan_with_nthreads(8);                 // parts that a plan is cut into
 *     fftw_plan plan = fftw_plan_dft_1d(n, in, out, FFTW_FORWARD, FFTW_ESTIMATE);
 *     fftw_execute(plan);
 *
 * A plan has the number of parts that it was made with; more than there are workers does little harm.
 * Each precision is a library of its own: filch-fftw (double), filch-fftwf (float), filch-fftwl (long
 * double).
 */
#ifndef FILCH_FFTW_H
#define FILCH_FFTW_H

#include <filch/loop.h>

FILCH_BEGIN_DECLS

/*
 * Makes FFTW's threads known to it (fftw_init_threads) and gives all its loops to filch. Any thread,
 * while no plan is made or executed: what it sets is the process's. fftw_cleanup_threads undoes it.
 * -EAGAIN: FFTW could not be prepared; nothing was set.
 *
 * Who executes a plan takes part in it, and helpers come from the caller's runtime; on other threads,
 * from the default one. A transform has no way to fail: where the runtime closes, or the caller is
 * cancelled, the caller computes what is left alone.
 */
FILCH_API int filch_fftw_attach(void);
FILCH_API int filch_fftwf_attach(void);
FILCH_API int filch_fftwl_attach(void);

/* The same with another runtime, or fewer participants. *o is copied. NULL: as above. */
FILCH_API int filch_fftw_attach_with(const filch_loop_options *o);
FILCH_API int filch_fftwf_attach_with(const filch_loop_options *o);
FILCH_API int filch_fftwl_attach_with(const filch_loop_options *o);

FILCH_END_DECLS

#endif
