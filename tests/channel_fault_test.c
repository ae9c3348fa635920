/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels where the system refuses: the answer is -ENOMEM, the item stays its sender's, nobody is
 * left in a queue, and afterwards all works. Real only where faults can be injected
 * (-Dfaults=true).
 */
#include "tests/channel_check.h"

#ifdef FILCH_FAULTS
#include "sched/os/fault.h"

static void disarm(void)
{
    for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++)
        filch__fault_arm((enum filch__fault_kind)kind, -1, false);
}

static void no_slots(void)
{
    for (size_t k = 0; k < COUNT(capacities); k++) {
        filch_channel c = {.rendezvous = 77};
        filch_channel_options o = {.item_size = 8, .capacity = capacities[k]};
        filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
        int rc = filch_channel_create(&c, &o);
        disarm();
        CHECK(rc == (capacities[k] == FILCH_UNBOUNDED ? 0 : -ENOMEM));
        CHECK(rc == 0 || c.rendezvous == 77);
        CHECK(rc < 0 || filch_channel_destroy(&c) == 0);
    }
}

/* Each in turn; what was sent before and is sent after comes in order. */
static int refuse_each(void *rt)
{
    (void)rt;
    enum { N = 2000 };
    for (long nth = 0, refused = 1; refused > 0; nth++) {
        filch_channel c;
        uint64_t next = 0;
        channel_open(&c, sizeof(uint64_t), FILCH_UNBOUNDED, NULL);
        filch__fault_arm(FILCH__FAULT_ALLOC, nth, nth % 2);
        refused = 0;
        for (uint64_t i = 0; i < N; i++) {
            uint64_t item = i;
            filch_send_future send = FILCH_SEND_FUTURE(&c, &item);
            int rc = nth % 3 ? filch_channel_send(&c, &item) : filch_await(&send.future);
            CHECK((rc == 0 || rc == -ENOMEM) && item == i);
            CHECK(filch_channel_length(&c) == i + (rc == 0));
            if (rc == 0)
                continue;
            refused++;
            disarm();
            CHECK(filch_channel_send(&c, &item) == 0);
        }
        disarm();
        while (filch_channel_length(&c) > 0)
            CHECK(take(&c) == next++);
        CHECK(next == N);
        channel_end(&c);
    }
    return 0;
}

static void no_chunk(void)
{
    everywhere(refuse_each);
}

/* A thread that is new, and has nothing to wait on. */
static void *wait_without_memory(void *channel)
{
    uint64_t item = 5;
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    CHECK(filch_channel_receive(channel, &item) == -ENOMEM && item == 5);
    put(channel, 1);
    CHECK(filch_channel_send(channel, &item) == -ENOMEM);
    disarm();
    CHECK(filch_channel_destroy(channel) == 0);
    return NULL;
}

static int wait_without_stack(void *channel)
{
    uint64_t item = 5;
    filch__fault_arm(FILCH__FAULT_MMAP, 0, true);
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    CHECK(filch_channel_receive(channel, &item) == -ENOMEM && item == 5);
    put(channel, 1);
    CHECK(filch_channel_send(channel, &item) == -ENOMEM);
    disarm();
    CHECK(filch_channel_destroy(channel) == 0);
    return 0;
}

static void nothing_to_wait_on(void)
{
    filch_channel c;
    channel_open(&c, sizeof(uint64_t), 1, NULL);
    thread_join(thread_start(wait_without_memory, &c));
    filch_runtime *rt = runtime_open(1);
    channel_open(&c, sizeof(uint64_t), 1, NULL);
    CHECK(filch_run(rt, wait_without_stack, &c) == 0);
    runtime_close(rt);
}

int main(void)
{
    RUN(no_slots);
    RUN(no_chunk);
    RUN(nothing_to_wait_on);
    return summary();
}

#else

int main(void)
{
    printf("faults cannot be injected in this build\n");
    return summary();
}

#endif
