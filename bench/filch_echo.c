/* SPDX-License-Identifier: Apache-2.0 */

/* Echo over connections on loopback, a task at each end. */

#include "bench/filch_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define CONNECTIONS 1000
#define MESSAGE     64

struct echo {
    uint64_t rounds; /* of each connection */
    int client[CONNECTIONS], server[CONNECTIONS];
    uint64_t done[CONNECTIONS];
    int64_t nanoseconds;
};

struct end {
    struct echo *echo;
    int index;
};

static ssize_t read_all(int fd, char *message)
{
    size_t got = 0;
    while (got < MESSAGE) {
        ssize_t n = filch_read(fd, message + got, MESSAGE - got);
        if (n <= 0)
            return n;
        got += (size_t)n;
    }
    return MESSAGE;
}

static int serve(void *p)
{
    const struct end *end = p;
    int fd = end->echo->server[end->index];
    char message[MESSAGE];
    while (read_all(fd, message) > 0)
        must((int)filch_write_all(fd, message, MESSAGE), "write");
    return filch_close(fd);
}

static int ask(void *p)
{
    const struct end *end = p;
    int fd = end->echo->client[end->index];
    char message[MESSAGE] = "hello";
    for (uint64_t i = 0; i < end->echo->rounds; i++) {
        must((int)filch_write_all(fd, message, MESSAGE), "write");
        if (read_all(fd, message) != MESSAGE)
            bench_fail("read", -EIO);
        end->echo->done[end->index]++;
    }
    return filch_close(fd);
}

static int tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        bench_fail("socket", -errno);
    return fd;
}

static void send_at_once(int fd)
{
    int yes = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0)
        bench_fail("TCP_NODELAY", -errno);
}

static void connect_all(struct echo *echo)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = tcp();
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 128) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        bench_fail("listen", -errno);
    for (int i = 0; i < CONNECTIONS; i++) {
        echo->client[i] = tcp();
        must(filch_connect(echo->client[i], (struct sockaddr *)&address, length), "connect");
        echo->server[i] = filch_accept(listener, NULL, NULL);
        must(echo->server[i], "accept");
        send_at_once(echo->client[i]);
        send_at_once(echo->server[i]);
    }
    must(filch_close(listener), "close");
}

static int echo_all(void *p)
{
    struct echo *echo = p;
    static struct end end[CONNECTIONS];
    filch_handle *server[CONNECTIONS], *client[CONNECTIONS];
    connect_all(echo);
    int64_t start = bench_now();
    for (int i = 0; i < CONNECTIONS; i++) {
        end[i] = (struct end){echo, i};
        must(filch_spawn(&server[i], serve, &end[i]), "spawn");
        must(filch_spawn(&client[i], ask, &end[i]), "spawn");
    }
    for (int i = 0; i < CONNECTIONS; i++)
        must(filch_join(client[i], NULL), "join");
    echo->nanoseconds = bench_now() - start;
    for (int i = 0; i < CONNECTIONS; i++)
        must(filch_join(server[i], NULL), "join");
    return 0;
}

static void allow_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int filch_bench_fd_echo(uint64_t count, unsigned workers, struct bench_result *out)
{
    static struct echo warm, echo;
    allow_files();
    filch_runtime *rt = filch_bench_runtime(workers);
    warm.rounds = 2;
    must(filch_run(rt, echo_all, &warm), "run");
    echo.rounds = count / CONNECTIONS;
    must(filch_run(rt, echo_all, &echo), "run");
    must(filch_runtime_destroy(rt), "destroy");
    uint64_t done = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        done += echo.done[i];
    out->value = (double)echo.nanoseconds / (double)done;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, done);
    return 0;
}
