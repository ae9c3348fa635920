/* SPDX-License-Identifier: Apache-2.0 */

/* main of a peer that has the common benchmarks and no others. */

#include "bench/driver.h"

int main(int argc, char **argv)
{
    return bench_main(argc, argv, NULL);
}
