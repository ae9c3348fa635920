/* SPDX-License-Identifier: Apache-2.0 */

/* A complex transform in two dimensions, and back. The plans are FFTW's estimates, so that they are
 * the same in each run. */

#include "bench/compute.h"

#include <fftw3.h>
#include <filch/fftw.h>
#include <math.h>
#include <string.h>

enum { ROWS = 512, COLUMNS = 768, POINTS = ROWS * COLUMNS };

static fftw_complex *input, *spectrum, *output, *expected;
static fftw_plan there, back;

static const char *version(void)
{
    return fftw_version;
}

static int start(int threads, bool filch)
{
    input = fftw_alloc_complex(POINTS);
    spectrum = fftw_alloc_complex(POINTS);
    output = fftw_alloc_complex(POINTS);
    expected = fftw_alloc_complex(POINTS);
    if (!input || !spectrum || !output || !expected)
        return -1;
    for (int i = 0; i < POINTS; i++) {
        input[i][0] = (double)(i % 4001 * 79 % 1009) / 1009;
        input[i][1] = (double)(i % 7919 * 31 % 2003) / 2003;
    }
    fftw_plan serial =
        fftw_plan_dft_2d(ROWS, COLUMNS, input, expected, FFTW_FORWARD, FFTW_ESTIMATE);
    fftw_execute(serial);
    fftw_destroy_plan(serial);
    if (filch ? filch_fftw_attach() != 0 : fftw_init_threads() == 0)
        return -1;
    fftw_plan_with_nthreads(threads);
    there = fftw_plan_dft_2d(ROWS, COLUMNS, input, spectrum, FFTW_FORWARD, FFTW_ESTIMATE);
    back = fftw_plan_dft_2d(ROWS, COLUMNS, spectrum, output, FFTW_BACKWARD, FFTW_ESTIMATE);
    return there && back ? 0 : -1;
}

static void call(void)
{
    fftw_execute(there);
    fftw_execute(back);
}

static void clear(void)
{
    memset(spectrum, 0, POINTS * sizeof(*spectrum));
    memset(output, 0, POINTS * sizeof(*output));
}

static double distance(const fftw_complex a, const fftw_complex b, double scale)
{
    return fmax(fabs(a[0] - scale * b[0]), fabs(a[1] - scale * b[1]));
}

static bool right(void)
{
    double worst = 0;
    for (int i = 0; i < POINTS; i++) {
        worst = fmax(worst, distance(spectrum[i], expected[i], 1) / POINTS);
        worst = fmax(worst, distance(output[i], input[i], POINTS) / POINTS);
    }
    return worst < 1e-12;
}

static void stop(void)
{
    fftw_destroy_plan(there);
    fftw_destroy_plan(back);
    fftw_cleanup_threads();
    fftw_free(input);
    fftw_free(spectrum);
    fftw_free(output);
    fftw_free(expected);
}

int main(int argc, char **argv)
{
    static const struct compute_work work = {"fftw", NULL,  version, start,
                                             call,   clear, right,   stop};
    return compute_main(argc, argv, &work);
}
