/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A full barrier on every thread of the process, paid by the one who calls.
 *
 * The frequent side of an asymmetric pair orders only the compiler (filch__fence_compiler), the
 * rare side calls filch__membarrier: for every other thread, all its accesses fall before the
 * barrier or after it, as if it had executed a full fence at that point.
 */
#ifndef FILCH_SCHED_OS_MEMBARRIER_H
#define FILCH_SCHED_OS_MEMBARRIER_H

#include <stdbool.h>

/*
 * Any thread. Whether the kernel provides it to this process; false on old kernels, in sandboxes
 * that refuse the call, and under some emulators. The first call registers the process (slow: it
 * may take milliseconds in a process of several threads), the answer then never changes.
 */
bool filch__membarrier_available(void);

/*
 * Any thread, once filch__membarrier_available was true; also in a child after fork. A sandbox put
 * up later that refuses the call leaves no correct way on: says so on standard error and aborts.
 */
void filch__membarrier(void);

#endif
