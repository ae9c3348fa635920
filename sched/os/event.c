/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/os/event.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int filch__event_open(void)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return event < 0 ? -errno : event;
}

void filch__event_raise(int event)
{
    uint64_t one = 1;
    /* It can only fail when the count is full: then it is readable. */
    while (write(event, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void filch__event_close(int event)
{
    (void)close(event);
}
