/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts and connects: TCP and unix, in blocking mode and not, refused, full, cancelled, in
 * crowds. */
#include "tests/fd_check.h"

#include <sys/un.h>

/* Where somebody listens. */
struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    } at;
    unsigned length;
    int listener;
};

static struct place place_open(enum kind kind, bool blocking, int backlog)
{
    static uint32_t count;
    struct place p = {.length = sizeof p.at.in};
    int type = blocking ? 0 : SOCK_NONBLOCK;
    if (kind == TCP) {
        p.listener = listen_tcp(&p.at.in, type, backlog);
        return p;
    }
    p.at.un.sun_family = AF_UNIX;
    /* An abstract name: the first byte is 0. */
    int n = snprintf(p.at.un.sun_path + 1, 60, "filch-%d-%u", (int)getpid(),
                     filch__add_acq_rel(&count, 1u));
    p.length = (unsigned)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    p.listener = socket(AF_UNIX, SOCK_STREAM | type, 0);
    REQUIRE(p.listener >= 0 && bind(p.listener, &p.at.any, p.length) == 0);
    REQUIRE(listen(p.listener, backlog) == 0);
    return p;
}

static int socket_of(const struct place *p, bool blocking)
{
    int fd = socket(p->at.any.sa_family, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0);
    REQUIRE(fd >= 0);
    return fd;
}

static bool is_blocking(int fd)
{
    return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* ---- one of each ---- */

struct server {
    struct place *place;
    uint32_t accepted;
    int connections;
};

/* Echoes one byte of each connection. */
static int serve(void *arg)
{
    struct server *s = arg;
    for (int i = 0; i < s->connections; i++) {
        struct sockaddr_storage from = {.ss_family = 0};
        unsigned length = sizeof from;
        char byte = 0;
        int fd = filch_accept(s->place->listener, (struct sockaddr *)&from, &length);
        CHECK(fd >= 0 && from.ss_family == s->place->at.any.sa_family && length <= sizeof from);
        CHECK(!is_blocking(fd) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
        tally(&s->accepted);
        CHECK(filch_read(fd, &byte, 1) == 1 && filch_write_all(fd, &byte, 1) == 1);
        CHECK(filch_read(fd, &byte, 1) == 0);
        CHECK(filch_close(fd) == 0);
    }
    return 0;
}

static void *serve_thread(void *arg)
{
    (void)serve(arg);
    return NULL;
}

/* Connects to it, as often as it takes connections. */
static void be_served(struct server *s, bool blocking)
{
    for (int i = 0; i < s->connections; i++) {
        int fd = socket_of(s->place, blocking);
        char byte = (char)i;
        CHECK(filch_connect(fd, &s->place->at.any, s->place->length) == 0);
        CHECK(is_blocking(fd) == blocking);
        CHECK(filch_connect(fd, &s->place->at.any, s->place->length) == -EISCONN);
        CHECK(is_blocking(fd) == blocking);
        CHECK(filch_write_all(fd, &byte, 1) == 1);
        CHECK(filch_read(fd, &byte, 1) == 1 && byte == (char)i);
        CHECK(filch_close(fd) == 0);
    }
}

static int connections(void *rt)
{
    for (int i = 0; i < 8; i++) {
        bool client_blocks = i & 1, server_blocks = i & 2;
        struct place place = place_open(i & 4 ? TCP : UNIX, server_blocks, 10);
        struct server s = {.place = &place, .connections = 20};
        filch_handle *task = NULL;
        pthread_t thread;
        if (rt)
            spawn_on(rt, &task, serve, &s);
        else
            thread = thread_start(serve_thread, &s);
        be_served(&s, client_blocks);
        if (rt)
            CHECK(join(task) == 0);
        else
            thread_join(thread);
        CHECK(s.accepted == (uint32_t)s.connections);
        close(place.listener);
    }
    return 0;
}

static void tcp_and_unix_in_both_modes(void)
{
    everywhere(connections);
}

/* ---- refusals ---- */

static int refusals(void *rt)
{
    (void)rt;
    for (int i = 0; i < 4; i++) {
        struct place place = place_open(i & 1 ? TCP : UNIX, false, 1);
        close(place.listener);
        int fd = socket_of(&place, i & 2);
        CHECK(filch_connect(fd, &place.at.any, place.length) == -ECONNREFUSED);
        CHECK(is_blocking(fd) == !!(i & 2));
        CHECK(filch_connect(fd, NULL, place.length) == -EFAULT);
        CHECK(filch_connect(fd, &place.at.any, 1) == -EINVAL);
        CHECK(filch_accept(fd, NULL, NULL) == -EINVAL); /* it does not listen */
        CHECK(filch_close(fd) == 0);
    }
    struct sockaddr_in at = loopback();
    struct pair p = pair_open(PIPE);
    CHECK(filch_accept(p.in, NULL, NULL) == -ENOTSOCK);
    CHECK(filch_connect(p.in, (struct sockaddr *)&at, sizeof at) == -ENOTSOCK);
    pair_close(p);
    return 0;
}

static void refused(void)
{
    everywhere(refusals);
}

/* ---- waits ---- */

struct waiting {
    struct place place;
    int fd;
    uint32_t begun, ticked, accepted;
};

static int accept_one(void *arg)
{
    struct waiting *w = arg;
    raise_flag(&w->begun);
    int fd = filch_accept(w->place.listener, NULL, NULL);
    if (fd >= 0)
        tally(&w->accepted);
    return fd;
}

static int connect_one(void *arg)
{
    struct waiting *w = arg;
    raise_flag(&w->begun);
    return filch_connect(w->fd, &w->place.at.any, w->place.length);
}

static int tick(void *arg)
{
    raise_flag(arg);
    return 0;
}

/* fn waits; the only worker goes on, and an abort ends the wait. */
static void leaves_the_worker(struct waiting *w, filch_fn *fn)
{
    filch_runtime *rt = runtime_open(1);
    filch_handle *h, *other;
    spawn_on(rt, &h, fn, w);
    SPIN_UNTIL(flag_up(&w->begun));
    spawn_on(rt, &other, tick, &w->ticked);
    CHECK(join(other) == 0 && !filch_finished(h));
    CHECK(filch_abort(h) == 0 && join(h) == -ECANCELED);
    runtime_close(rt);
}

static void accepts_wait(void)
{
    for (int i = 0; i < 4; i++) {
        struct waiting w = {.place = place_open(i & 1 ? TCP : UNIX, i & 2, 1)};
        leaves_the_worker(&w, accept_one);
        close(w.place.listener);
    }
}

/* Connects until one has to wait: the queue of the listener is full. Their number. */
static int fill_backlog(const struct place *place, int fds[], int most)
{
    for (int n = 0; n < most; n++) {
        fds[n] = socket_of(place, false);
        if (connect(fds[n], &place->at.any, place->length) == 0)
            continue;
        CHECK(errno == EINPROGRESS || errno == EAGAIN);
        if (filch_fd_wait(fds[n], FILCH_WRITABLE, filch_now() + 50 * MS) < 0)
            return n + 1;
        if (errno == EAGAIN)
            return n + 1;
    }
    CHECK(!"the backlog has an end");
    return most;
}

static void connect_to_a_full_backlog(void)
{
    enum { MOST = 20 };
    for (int blocking = 0; blocking < 2; blocking++) {
        int fds[MOST];
        struct waiting w = {.place = place_open(TCP, false, 1)};
        int n = fill_backlog(&w.place, fds, MOST);
        w.fd = socket_of(&w.place, blocking);
        leaves_the_worker(&w, connect_one);
        CHECK(is_blocking(w.fd) == blocking);
        close(w.fd);
        while (n-- > 0)
            close(fds[n]);
        close(w.place.listener);
    }
}

/* Blocking, connect(2) waits for room here; no worker does. */
static void connect_to_a_full_unix_backlog(void)
{
    for (int blocking = 0; blocking < 2; blocking++) {
        filch_runtime *rt = runtime_open(1);
        struct waiting w = {.place = place_open(UNIX, false, 0)};
        filch_handle *h, *other;
        int first = socket_of(&w.place, true);
        CHECK(filch_connect(first, &w.place.at.any, w.place.length) == 0);
        w.fd = socket_of(&w.place, blocking);
        spawn_on(rt, &h, connect_one, &w);
        SPIN_UNTIL(flag_up(&w.begun));
        spawn_on(rt, &other, tick, &w.ticked);
        CHECK(join(other) == 0);
        int accepted = filch_accept(w.place.listener, NULL, NULL);
        int rc = join(h);
        CHECK(rc == 0 || rc == -EAGAIN);
        close(accepted);
        close(first);
        close(w.fd);
        close(w.place.listener);
        runtime_close(rt);
    }
}

/* ---- crowds ---- */

struct crowd {
    struct place place;
    int clients;
    uint32_t served, answered;
};

static int echo_once(void *arg)
{
    struct crowd *c = *(struct crowd **)arg;
    int fd = (int)((intptr_t *)arg)[1];
    char byte;
    CHECK(filch_read(fd, &byte, 1) == 1 && filch_write_all(fd, &byte, 1) == 1);
    CHECK(filch_close(fd) == 0);
    tally(&c->served);
    return 0;
}

static int accept_all(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < c->clients; i++) {
        int fd = filch_accept(c->place.listener, NULL, NULL);
        CHECK(fd >= 0);
        intptr_t task[2] = {(intptr_t)c, fd};
        filch_spawn_options o = {.arg_size = sizeof task, .stack_size = 64 * 1024};
        CHECK(filch_spawn_with(NULL, &o, echo_once, task) == 0);
    }
    return 0;
}

static int ask_once(void *arg)
{
    struct crowd *c = arg;
    int fd = socket_of(&c->place, filch__add_acq_rel(&c->answered, 0u) % 2);
    char byte = 'q';
    CHECK(filch_connect(fd, &c->place.at.any, c->place.length) == 0);
    CHECK(filch_write_all(fd, &byte, 1) == 1 && filch_read(fd, &byte, 1) == 1 && byte == 'q');
    CHECK(filch_read(fd, &byte, 1) == 0);
    CHECK(filch_close(fd) == 0);
    tally(&c->answered);
    return 0;
}

static void two_hundred_at_once(void)
{
    enum { CLIENTS = 200 };
    for (int i = 0; i < 6; i++) {
        filch_runtime *rt = runtime_open(worker_counts[i / 2]);
        struct crowd c = {.place = place_open(i % 2 ? TCP : UNIX, false, 512), .clients = CLIENTS};
        filch_handle *h[CLIENTS], *acceptor;
        spawn_on(rt, &acceptor, accept_all, &c);
        for (int k = 0; k < CLIENTS; k++)
            spawn_on(rt, &h[k], ask_once, &c);
        for (int k = 0; k < CLIENTS; k++)
            CHECK(join(h[k]) == 0);
        CHECK(join(acceptor) == 0);
        drain(rt);
        CHECK(c.served == CLIENTS && c.answered == CLIENTS);
        close(c.place.listener);
        runtime_close(rt);
    }
}

/* Several accept on one listener, and some of them are cancelled: no connection is lost. */
static void many_accept(void)
{
    for (int i = 0; i < sized(6, 60, 600); i++) {
        enum { ACCEPTORS = 8 };
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct waiting w = {.place = place_open(i % 2 ? TCP : UNIX, false, 10)};
        filch_handle *h[ACCEPTORS];
        int fds[ACCEPTORS], accepted = 0;
        for (int k = 0; k < ACCEPTORS; k++)
            spawn_on(rt, &h[k], accept_one, &w);
        for (int k = 0; k < ACCEPTORS / 2; k++) {
            fds[k] = socket_of(&w.place, true);
            CHECK(filch_connect(fds[k], &w.place.at.any, w.place.length) == 0);
            CHECK(filch_abort(h[2 * k]) == 0);
        }
        SPIN_UNTIL(filch__load_acquire(&w.accepted) == ACCEPTORS / 2);
        for (int k = 0; k < ACCEPTORS; k++) {
            CHECK(k % 2 == 0 || filch_abort(h[k]) == 0);
            int rc = join(h[k]);
            CHECK(rc >= 0 || rc == -ECANCELED);
            accepted += rc >= 0;
            if (rc >= 0)
                close(rc);
        }
        CHECK(accepted == ACCEPTORS / 2 && accept(w.place.listener, NULL, NULL) == -1);
        for (int k = 0; k < ACCEPTORS / 2; k++)
            close(fds[k]);
        close(w.place.listener);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(tcp_and_unix_in_both_modes);
    RUN(refused);
    RUN(accepts_wait);
    RUN(connect_to_a_full_backlog);
    RUN(connect_to_a_full_unix_backlog);
    RUN(two_hundred_at_once);
    RUN(many_accept);
    return summary();
}
