/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/barrier.h"

bool filch__asymmetric;

/* When the library is loaded, before threads use it: mutexes do so without a runtime. */
__attribute__((constructor)) void filch__barrier_init_process(void)
{
    static bool done;
    if (done)
        return;
    done = true;
#if !defined(FILCH_NO_MEMBARRIER)
    filch__asymmetric = filch__membarrier_available();
#endif
}
