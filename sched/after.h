/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done when a lock has been left that was held when it became known. */
#ifndef FILCH_SCHED_AFTER_H
#define FILCH_SCHED_AFTER_H

struct filch__after {
    void (*fn)(void *arg); /* NULL: nothing */
    void *arg;
};

#endif
