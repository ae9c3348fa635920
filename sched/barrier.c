/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/barrier.h"

bool filch__asymmetric;

void filch__barrier_init_process(void)
{
#if !defined(FILCH_NO_MEMBARRIER)
    filch__store_release(&filch__asymmetric, filch__membarrier_available());
#endif
}
