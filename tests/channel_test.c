/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: what each call answers, items of any size, the memory of many. */
#include "tests/channel_check.h"

/* ---- answers ---- */

static int answer_nothing(void *rt)
{
    (void)rt;
    filch_channel c = {.rendezvous = 77};
    uint64_t item = 5;
    filch_send_future send = FILCH_SEND_FUTURE(NULL, &item);
    filch_receive_future receive = FILCH_RECEIVE_FUTURE(NULL, &item);
    filch_channel_closed_future closed = FILCH_CHANNEL_CLOSED_FUTURE(NULL);
    CHECK(filch_channel_create(NULL, &(filch_channel_options){.item_size = 8}) == -EINVAL);
    CHECK(filch_channel_create(&c, NULL) == -EINVAL && c.rendezvous == 77);
    CHECK(filch_channel_destroy(NULL) == -EINVAL && filch_channel_length(NULL) == 0);
    CHECK(filch_channel_close(NULL) == -EINVAL && filch_channel_close_receiving(NULL) == -EINVAL);
    CHECK(filch_channel_send(NULL, &item) == -EINVAL);
    CHECK(filch_channel_try_send(NULL, &item) == -EINVAL);
    CHECK(filch_channel_receive(NULL, &item) == -EINVAL);
    CHECK(filch_channel_try_receive(NULL, &item) == -EINVAL);
    CHECK(filch_await(&send.future) == -EINVAL && filch_await(&receive.future) == -EINVAL);
    CHECK(filch_await(&closed.future) == -EINVAL && item == 5);
    return 0;
}

static int answer_no_item(void *rt)
{
    (void)rt;
    for (size_t k = 0; k < COUNT(capacities); k++) {
        filch_channel c;
        channel_open(&c, sizeof(uint64_t), capacities[k], NULL);
        filch_send_future send = FILCH_SEND_FUTURE(&c, NULL);
        filch_receive_future receive = FILCH_RECEIVE_FUTURE(&c, NULL);
        CHECK(filch_channel_send(&c, NULL) == -EINVAL &&
              filch_channel_receive(&c, NULL) == -EINVAL);
        CHECK(filch_channel_try_send(&c, NULL) == -EINVAL);
        CHECK(filch_channel_try_receive(&c, NULL) == -EINVAL);
        CHECK(filch_await(&send.future) == -EINVAL && filch_await(&receive.future) == -EINVAL);
        channel_end(&c);
    }
    return 0;
}

static int answer_too_large(void *rt)
{
    (void)rt;
    static const size_t sizes[][2] = {{8, SIZE_MAX / 8 + 1},
                                      {8, SIZE_MAX - 1},
                                      {SIZE_MAX, 2},
                                      {SIZE_MAX / 2 + 2, 1},
                                      {SIZE_MAX, 0}};
    filch_channel c = {.rendezvous = 77};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        filch_channel_options o = {.item_size = sizes[i][0], .capacity = sizes[i][1]};
        CHECK(filch_channel_create(&c, &o) == -EOVERFLOW && c.rendezvous == 77);
    }
    channel_open(&c, SIZE_MAX, FILCH_UNBOUNDED, NULL); /* where no item can be */
    CHECK(filch_channel_try_send(&c, &c) == -ENOMEM && filch_channel_length(&c) == 0);
    channel_end(&c);
    return 0;
}

static int answer_full_and_empty(void *rt)
{
    (void)rt;
    for (size_t k = 0; k < COUNT(capacities); k++) {
        filch_channel c;
        uint64_t item = 5, room = capacities[k] == FILCH_UNBOUNDED ? 5000 : capacities[k];
        channel_open(&c, sizeof item, capacities[k], NULL);
        for (int turns = 0; turns < 3; turns++) {
            for (uint64_t i = 0; i < room; i++) {
                CHECK(filch_channel_length(&c) == i && filch_channel_send(&c, &i) == 0);
            }
            if (capacities[k] != FILCH_UNBOUNDED) {
                filch_send_future late = FILCH_SEND_FUTURE(&c, &item);
                CHECK(filch_channel_try_send(&c, &item) == -EAGAIN);
                CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT);
                CHECK(filch_await(&late.future) == -EALREADY);
            }
            for (uint64_t i = 0; i < room; i++)
                CHECK(filch_channel_receive(&c, &item) == 0 && item == i);
            filch_receive_future late = FILCH_RECEIVE_FUTURE(&c, &item);
            item = 5;
            CHECK(filch_channel_try_receive(&c, &item) == -EAGAIN);
            CHECK(filch_await_until(&late.future, 0) == -ETIMEDOUT && item == 5);
        }
        channel_end(&c);
    }
    return 0;
}

static int answer_static(void *rt)
{
    (void)rt;
    static short slots[3];
    static filch_channel c = FILCH_CHANNEL(slots);
    filch_channel again = FILCH_CHANNEL(slots);
    short item;
    for (short i = 0; i < 3; i++)
        CHECK(filch_channel_send(&c, &i) == 0);
    CHECK(filch_channel_try_send(&c, slots) == -EAGAIN);
    for (short i = 0; i < 3; i++)
        CHECK(filch_channel_receive(&c, &item) == 0 && item == i);
    CHECK(filch_channel_destroy(&c) == 0 && filch_channel_destroy(&c) == 0);
    CHECK(filch_channel_try_send(&c, &item) == -EPIPE);
    c = again;
    return 0;
}

static void answers_of_each_call(void)
{
    everywhere(answer_nothing);
    everywhere(answer_no_item);
    everywhere(answer_too_large);
    everywhere(answer_full_and_empty);
    everywhere(answer_static);
}

/* ---- items of any size ---- */

struct pipe {
    filch_channel channel;
    size_t size;
    uint32_t count;
};

/* The byte at that place of the i-th item. */
static unsigned char byte_of(uint32_t i, size_t at)
{
    return (unsigned char)(i * 31 + at * 7 + (at >> 8));
}

static int send_sized(void *pipe)
{
    struct pipe *p = pipe;
    unsigned char *item = malloc(p->size + 1);
    REQUIRE(item);
    for (uint32_t i = 0; i < p->count; i++) {
        for (size_t at = 0; at < p->size; at++)
            item[at] = byte_of(i, at);
        CHECK(filch_channel_send(&p->channel, p->size ? item : NULL) == 0);
        memset(item, 0xee, p->size);
    }
    free(item);
    CHECK(filch_channel_close(&p->channel) == 0);
    return 0;
}

static int receive_sized(void *pipe)
{
    struct pipe *p = pipe;
    unsigned char *item = malloc(p->size + 2);
    uint32_t i = 0;
    int rc;
    REQUIRE(item);
    item[0] = item[p->size + 1] = 0x55;
    while ((rc = filch_channel_receive(&p->channel, p->size ? item + 1 : NULL)) == 0) {
        bool good = item[0] == 0x55 && item[p->size + 1] == 0x55;
        for (size_t at = 0; at < p->size; at++)
            good = good && item[at + 1] == byte_of(i, at);
        CHECK(good);
        i++;
    }
    CHECK(rc == -EPIPE && i == p->count);
    free(item);
    return 0;
}

static int sizes(void *rt)
{
    static const size_t each[] = {0, 1, 3, 7, 8, 9, 16, 100, 3999, 4000, 4096, 1 << 20};
    for (size_t k = 0; k < COUNT(capacities); k++)
        for (size_t i = 0; i < COUNT(each); i++) {
            static struct pipe p;
            filch_handle *h;
            p.size = each[i];
            p.count = each[i] > 4096 ? 2 : each[i] > 100 ? 20 : 200;
            if (each[i] > 4096 && capacities[k] == 64)
                continue;
            channel_open(&p.channel, p.size, capacities[k], NULL);
            spawn_on(rt, &h, send_sized, &p);
            (void)receive_sized(&p);
            CHECK(join(h) == 0);
            channel_end(&p.channel);
        }
    return 0;
}

static void items_of_any_size(void)
{
    everywhere(sizes);
}

/* ---- memory ---- */

static long resident(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    REQUIRE(f && fscanf(f, "%*d %ld", &pages) == 1);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* Much goes through, and is left behind, in all far more than may stay. */
static void memory_comes_back(void)
{
    long before = 0, rounds = sized(10, 60, 300);
    for (long i = 0; i < rounds; i++) {
        filch_channel c;
        uint64_t n = 100000 + (uint64_t)i;
        channel_open(&c, sizeof(uint64_t), FILCH_UNBOUNDED, NULL);
        for (uint64_t k = 0; k < n; k++)
            put(&c, k);
        for (uint64_t k = 0; k < (i % 3 ? n : n / 2); k++)
            CHECK(take(&c) == k);
        if (i % 3)
            CHECK(c.items.chunks[0] == c.items.chunks[1]); /* and one to spare */
        channel_end(&c);
        if (i == 2)
            before = resident();
    }
    if (!instrumented())
        CHECK(resident() - before < 4 << 20);
}

int main(void)
{
    RUN(answers_of_each_call);
    RUN(items_of_any_size);
    RUN(memory_comes_back);
    return summary();
}
