/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/seats.h"

#include "sched/os/memory.h"

#include <errno.h>
#include <string.h>

static size_t bytes(const struct filch__seats *seats)
{
    return (seats->count + 63) / 64 * sizeof *seats->taken;
}

int filch__seats_init(struct filch__seats *seats, struct filch__arena *arena, uint32_t own,
                      uint32_t shared)
{
    seats->shared = own;
    seats->count = own + shared;
    seats->taken = filch__alloc(arena, bytes(seats), 64);
    if (!seats->taken)
        return -ENOMEM;
    memset(seats->taken, 0, bytes(seats));
    return 0;
}

void filch__seats_destroy(struct filch__seats *seats, struct filch__arena *arena)
{
    if (seats->taken)
        filch__free(arena, seats->taken, bytes(seats), 64);
    seats->taken = NULL;
}

int32_t filch__seats_take_shared(struct filch__seats *seats)
{
    for (uint32_t number = seats->shared; number < seats->count; number++)
        if (filch__seats_try(seats, number))
            return (int32_t)number;
    return -1;
}
