/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes over sockets that stay registered: what is remembered of a socket must not make a call wait
 * for what is there already, whatever ended the call before it short, and whose number it was.
 */
#include "tests/fd_check.h"

#include <sys/un.h>

/* A read that ends in time: what it gave, or -ETIMEDOUT where it would have waited on. */
static int read_soon(int fd, void *buffer, size_t n)
{
    filch_scope s;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.deadline = filch_now() + 2000 * MS}) == 0);
    int rc = (int)filch_read(fd, buffer, n);
    int closed = filch_scope_close(&s);
    return closed < 0 ? closed : rc;
}

/* Makes the runtime know the socket, with nothing in it: a read has waited there. */
static void make_known(struct pair p)
{
    char byte;
    filch_scope s;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.deadline = filch_now() + MS / 2}) == 0);
    CHECK(filch_read(p.in, &byte, 1) == -ECANCELED);
    CHECK(filch_scope_close(&s) == -ETIMEDOUT);
}

/* ---- reads that end short though there is more ---- */

static void send_with_descriptor(int fd, char byte)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = ""};
    struct iovec data = {&byte, 1};
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    CHECK(sendmsg(fd, &m, 0) == 1);
}

/* The kernel ends a read after a message that brings descriptors. */
static int descriptors_between(void *rt)
{
    (void)rt;
    char buffer[16];
    struct pair p = pair_open(UNIX);
    make_known(p);
    send_with_descriptor(p.out, 'a');
    send_with_descriptor(p.out, 'b');
    put(p.out, 'c');
    fence();
    CHECK(read_soon(p.in, buffer, sizeof buffer) == 1 && buffer[0] == 'a');
    CHECK(read_soon(p.in, buffer, sizeof buffer) == 1 && buffer[0] == 'b');
    CHECK(read_soon(p.in, buffer, sizeof buffer) == 1 && buffer[0] == 'c');
    pair_close(p);
    return 0;
}

static void messages_with_descriptors(void)
{
    in_task_of_each(descriptors_between);
}

/* It ends one before urgent data. */
static int urgent_between(void *rt)
{
    (void)rt;
    char buffer[16];
    struct pair p = pair_open(TCP);
    make_known(p);
    put(p.out, 'a');
    CHECK(send(p.out, "!", 1, MSG_OOB) == 1);
    put(p.out, 'b');
    fence();
    CHECK(read_soon(p.in, buffer, sizeof buffer) == 1 && buffer[0] == 'a');
    CHECK(read_soon(p.in, buffer, sizeof buffer) == 1 && buffer[0] == 'b');
    pair_close(p);
    return 0;
}

static void urgent_data(void)
{
    in_task_of_each(urgent_between);
}

/* An end, or an error, after a read that ended short. */
static int ends_after_short_reads(void *rt)
{
    (void)rt;
    for (int i = 0; i < 6; i++) {
        char buffer[16];
        struct pair p = pair_open(i % 2 ? TCP : UNIX);
        make_known(p);
        put(p.out, 'a');
        if (i / 2 == 1)
            fence();
        CHECK(shutdown(p.out, SHUT_WR) == 0);
        if (i / 2 == 2)
            fence();
        CHECK(read_soon(p.in, buffer, sizeof buffer) == 1);
        CHECK(read_soon(p.in, buffer, sizeof buffer) == 0);
        CHECK(read_soon(p.in, buffer, sizeof buffer) == 0);
        pair_close(p);
    }
    return 0;
}

static void an_end_after_a_short_read(void)
{
    in_task_of_each(ends_after_short_reads);
}

/* ---- events that are none of reading and writing ---- */

static int read_task(void *arg)
{
    char byte;
    return read_soon(*(int *)arg, &byte, 1);
}

/* A datagram that nobody takes comes back as an error of the socket: no event but that. */
static int refused_datagrams(void *rt)
{
    for (int waits = 0; waits < 2; waits++) {
        struct sockaddr_in at = loopback(), own = loopback();
        socklen_t length = sizeof at;
        int nobody = socket(AF_INET, SOCK_DGRAM, 0), *fd = malloc(sizeof *fd);
        filch_handle *reader;
        REQUIRE(fd && bind(nobody, (struct sockaddr *)&at, length) == 0);
        REQUIRE(getsockname(nobody, (struct sockaddr *)&at, &length) == 0);
        *fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        /* While the other's port is taken, or it might be given that one, and talk to itself. */
        REQUIRE(bind(*fd, (struct sockaddr *)&own, length) == 0 && close(nobody) == 0);
        REQUIRE(connect(*fd, (struct sockaddr *)&at, sizeof at) == 0);
        make_known((struct pair){*fd, *fd});
        spawn_on(rt, &reader, read_task, fd);
        for (int i = 0; waits && i < 20; i++)
            CHECK(filch_yield() == 0);
        CHECK(send(*fd, "x", 1, 0) == 1);
        CHECK(join(reader) == -ECONNREFUSED);
        close(*fd);
        free(fd);
    }
    return 0;
}

static void datagrams_that_nobody_takes(void)
{
    in_task_of_each(refused_datagrams);
}

/* One's own shutdown ends reads that wait. */
static int shut_while_reading(void *rt)
{
    for (int i = 0; i < 4; i++) {
        struct pair p = pair_open(i % 2 ? TCP : UNIX);
        int *fd = malloc(sizeof *fd);
        filch_handle *reader;
        *fd = p.in;
        make_known(p);
        spawn_on(rt, &reader, read_task, fd);
        for (int k = 0; i / 2 && k < 20; k++)
            CHECK(filch_yield() == 0);
        CHECK(shutdown(p.in, SHUT_RD) == 0);
        CHECK(join(reader) == 0);
        free(fd);
        pair_close(p);
    }
    return 0;
}

static void a_shutdown_of_ones_own(void)
{
    in_task_of_each(shut_while_reading);
}

/* ---- another file at the number ---- */

/* The old one had nothing left; the new one has something before the runtime knows it. */
static int full_at_a_dry_number(void *rt)
{
    (void)rt;
    for (int i = 0; i < 2 * KINDS * 2; i++) {
        struct pair a = pair_open(i % 2 ? TCP : UNIX), b = pair_open((enum kind)(i / 2 % KINDS));
        int kept = i >= 2 * KINDS ? fcntl(a.in, F_DUPFD_CLOEXEC, 0) : -1;
        char byte = 0;
        make_known(a);
        put(b.out, 'b');
        take_number(b.in, a.in);
        fence();
        CHECK(read_soon(a.in, &byte, 1) == 1 && byte == 'b');
        if (kept >= 0) /* of the old file */
            put(a.out, 'a');
        CHECK(filch_fd_wait(a.in, FILCH_READABLE, filch_now() + MS) == -ETIMEDOUT);
        put(b.out, 'c');
        CHECK(read_soon(a.in, &byte, 1) == 1 && byte == 'c');
        pair_close(a);
        pair_close(b);
        if (kept >= 0)
            close(kept);
    }
    return 0;
}

static void new_data_at_a_dry_number(void)
{
    in_task_of_each(full_at_a_dry_number);
}

/* ---- flows ---- */

/* What several write and several read at once: each byte once. */
struct flow {
    struct pair p;
    bool datagrams;
    size_t each; /* bytes by each writer */
    uint32_t written, read, writers;
    uint64_t sum_written, sum_read, seed;
};

static int flow_writer(void *arg)
{
    struct flow *f = arg;
    unsigned char data[700];
    uint64_t random = f->seed + filch__add_acq_rel(&f->writers, 1u), sum = 0;
    for (size_t left = f->each; left > 0;) {
        size_t n = 1 + test_random(&random, sizeof data);
        n = n < left ? n : left;
        for (size_t i = 0; i < n; i++)
            sum += data[i] = (unsigned char)test_random(&random, 256);
        CHECK(filch_write_all(f->p.out, data, n) == (ssize_t)n);
        left -= n;
        if (test_random(&random, 4) == 0)
            CHECK(filch_yield() == 0);
    }
    filch__add_acq_rel(&f->sum_written, sum);
    filch__add_acq_rel(&f->written, (uint32_t)f->each);
    return 0;
}

static int flow_reader(void *arg)
{
    struct flow *f = arg;
    unsigned char data[1000];
    uint64_t random = f->seed + 77, sum = 0;
    for (;;) {
        size_t most = f->datagrams ? sizeof data : 1 + test_random(&random, sizeof data);
        ssize_t n = filch_read(f->p.in, data, most);
        CHECK(n >= 0);
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            sum += data[i];
        filch__add_acq_rel(&f->read, (uint32_t)n);
        if (test_random(&random, 8) == 0 && !f->datagrams) { /* somebody else takes some */
            ssize_t taken = recv(f->p.in, data, 10, MSG_DONTWAIT);
            for (ssize_t i = 0; i < taken; i++)
                sum += data[i];
            filch__add_acq_rel(&f->read, (uint32_t)(taken > 0 ? taken : 0));
        }
    }
    filch__add_acq_rel(&f->sum_read, sum);
    return 0;
}

static void flow_through(filch_runtime *rt, struct pair p, bool datagrams, uint64_t seed)
{
    enum { WRITERS = 3, READERS = 3 };
    struct flow f = {.p = p,
                     .datagrams = datagrams,
                     .each = (size_t)sized(20000, 300000, 3000000),
                     .seed = seed};
    filch_handle *writers[WRITERS], *readers[READERS];
    for (int i = 0; i < READERS; i++)
        spawn_on(rt, &readers[i], flow_reader, &f);
    for (int i = 0; i < WRITERS; i++)
        spawn_on(rt, &writers[i], flow_writer, &f);
    for (int i = 0; i < WRITERS; i++)
        CHECK(join(writers[i]) == 0);
    CHECK(shutdown(p.out, SHUT_WR) == 0);
    for (int i = 0; i < READERS; i++)
        CHECK(join(readers[i]) == 0);
    CHECK(f.read == f.written && f.sum_read == f.sum_written);
    pair_close(p);
}

static void several_read_and_write(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        int fd[2], little = 4096;
        for (int kind = UNIX; kind <= TCP; kind++) {
            struct pair p = pair_open((enum kind)kind);
            REQUIRE(setsockopt(p.out, SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0);
            flow_through(rt, p, false, test_seed() + w);
        }
        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd) == 0);
        flow_through(rt, (struct pair){fd[0], fd[1]}, true, test_seed() + w);
        drain(rt);
        runtime_close(rt);
    }
}

/* A named datagram socket whose queue is full stops its senders, though each of them has room of its own. */
struct post {
    int from, to, n;
};

static int send_datagrams(void *arg)
{
    struct post *p = arg;
    for (int i = 0; i < p->n; i++)
        CHECK(filch_write(p->from, &i, sizeof i) == sizeof i);
    return 0;
}

static int receive_datagrams(void *arg)
{
    struct post *p = arg;
    for (int i = 0, got = -1; i < p->n; i++)
        CHECK(filch_read(p->to, &got, sizeof got) == sizeof got && got == i);
    return 0;
}

static void full_datagram_queues(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        struct post p = {.n = (int)sized(500, 5000, 50000)};
        int length = snprintf(at.sun_path + 1, 60, "filch-post-%d", (int)getpid());
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
        filch_handle *h[2];
        p.to = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        p.from = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        REQUIRE(bind(p.to, (struct sockaddr *)&at, size) == 0);
        REQUIRE(connect(p.from, (struct sockaddr *)&at, size) == 0);
        spawn_on(rt, &h[0], send_datagrams, &p);
        spawn_on(rt, &h[1], receive_datagrams, &p);
        CHECK(join(h[0]) == 0 && join(h[1]) == 0);
        drain(rt);
        close(p.to);
        close(p.from);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(messages_with_descriptors);
    RUN(urgent_data);
    RUN(an_end_after_a_short_read);
    RUN(datagrams_that_nobody_takes);
    RUN(a_shutdown_of_ones_own);
    RUN(new_data_at_a_dry_number);
    RUN(several_read_and_write);
    RUN(full_datagram_queues);
    return summary();
}
