/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parallel loops, from main as from anywhere: a picture of the Mandelbrot set, row by row; the sum
 * over it, which has the same value on any machine; its rows in the order of their cost. And a team, for
 * steps that all must have finished before the next begins: heat that spreads in a rod.
 */
#include <filch/filch.h>

#include <stdio.h>

enum { SIDE = 256, STEPS_MAX = 500, CELLS = 1000, SECONDS = 2000 };

static int steps[SIDE][SIDE];

static int escape(double cr, double ci)
{
    double zr = 0, zi = 0;
    int n = 0;
    for (; n < STEPS_MAX && zr * zr + zi * zi < 4; n++) {
        double next = zr * zr - zi * zi + cr;
        zi = 2 * zr * zi + ci;
        zr = next;
    }
    return n;
}

/* Some rows; how many at once is filch's choice, for some are a hundred times dearer than others. */
static int paint(int64_t first, int64_t last, void *ctx)
{
    (void)ctx;
    for (int64_t row = first; row < last; row++)
        for (int column = 0; column < SIDE; column++)
            steps[row][column] = escape(-2 + 2.5 * column / SIDE, -1.25 + 2.5 * (double)row / SIDE);
    return 0;
}

static int add_rows(int64_t first, int64_t last, void *sum, void *ctx)
{
    (void)ctx;
    for (int64_t row = first; row < last; row++)
        for (int column = 0; column < SIDE; column++)
            *(double *)sum += 1.0 / (1 + steps[row][column]);
    return 0;
}

static void add(void *left, const void *right, void *ctx)
{
    (void)ctx;
    *(double *)left += *(const double *)right;
}

struct row {
    int number;
    long cost;
};

#define CHEAPER(a, b, ctx) \
    ((a)->cost != (b)->cost ? (a)->cost < (b)->cost : (a)->number < (b)->number)
FILCH_SORT_DEFINE(sort_rows, struct row, CHEAPER)

static double rod[2][CELLS];

/* Each member has a part of the rod, and needs its neighbours' of the second before. */
static int spread(filch_member *me, void *ctx)
{
    (void)ctx;
    int first = 1 + (CELLS - 2) * me->rank / me->size;
    int last = 1 + (CELLS - 2) * (me->rank + 1) / me->size;
    for (int second = 0; second < SECONDS; second++) {
        const double *now = rod[second % 2];
        double *then = rod[(second + 1) % 2];
        for (int i = first; i < last; i++)
            then[i] = now[i] + 0.25 * (now[i - 1] - 2 * now[i] + now[i + 1]);
        int rc = filch_team_barrier(me);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int main(void)
{
    static const filch_reducer sum = {.size = sizeof(double), .body = add_rows, .combine = add};
    static struct row rows[SIDE];
    double total;
    if (filch_for(0, SIDE, 0, paint, NULL) < 0 || filch_reduce(0, SIDE, 0, &sum, &total, NULL) < 0)
        return 1;
    for (int r = 0; r < SIDE; r++) {
        rows[r].number = r;
        for (int c = 0; c < SIDE; c++)
            rows[r].cost += steps[r][c];
    }
    if (sort_rows(NULL, rows, SIDE, NULL) < 0)
        return 1;
    printf("sum %.17g\n", total);
    printf("cheapest row %d, dearest row %d\n", rows[0].number, rows[SIDE - 1].number);

    rod[0][0] = rod[1][0] = 100;
    int members = filch_concurrency(NULL);
    if (filch_team(members < 2 ? 2 : members, spread, NULL) < 0)
        return 1;
    printf("after %d seconds cell 10 has %.12f degrees\n", SECONDS, rod[0][10]);
    return 0;
}
