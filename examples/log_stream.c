/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log over HTTP, as `tail -f` shows it: a line a second to each client, and a heartbeat between.
 * When a client hangs up its stream ends at once, also while there is nothing to write.
 *
 *     example-log_stream 8080           serves; try: curl -N localhost:8080
 *     example-log_stream                shows itself: clients that come and vanish, what is left
 */
#include <filch/filch.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND      (1000 * MILLISECOND)

#define GREETING "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"

/* ---- the server ---- */

struct server {
    int listener;
    int streams;      /* live; atomic */
    int64_t ended_at; /* the last of them; atomic */
};

struct stream {
    struct server *server;
    int fd;
};

/* The guard of a stream: runs on every way out of it. */
static void end_stream(void *arg)
{
    struct stream *stream = arg;
    filch_close(stream->fd);
    __atomic_store_n(&stream->server->ended_at, filch_now(), __ATOMIC_RELAXED);
    __atomic_fetch_sub(&stream->server->streams, 1, __ATOMIC_RELEASE);
}

static int read_request(int fd)
{
    char request[1024];
    size_t got = 0;
    while (got < sizeof request - 1) {
        ssize_t n = filch_read(fd, request + got, sizeof request - 1 - got);
        if (n <= 0)
            return n < 0 ? (int)n : -EPIPE;
        got += (size_t)n;
        request[got] = 0;
        if (strstr(request, "\r\n\r\n"))
            return 0;
    }
    return -EMSGSIZE;
}

static ssize_t write_text(int fd, const char *text)
{
    return filch_write_all(fd, text, strlen(text));
}

/* Until the client is gone, or the server ends. */
static ssize_t write_log(int fd)
{
    enum { LINE, BEAT, GONE, EVENTS };
    filch_interval line, beat;
    filch_interval_init(&line, 1 * SECOND, FILCH_TICK_SKIP);
    filch_interval_init(&beat, 700 * MILLISECOND, FILCH_TICK_SKIP);
    filch_fd_future gone = FILCH_FD_FUTURE(fd, FILCH_PEER_CLOSED);
    filch_future *event[EVENTS] = {[GONE] = &gone.future};
    ssize_t rc = 0;
    for (int number = 1; rc >= 0;) {
        char text[32];
        event[LINE] = filch_interval_tick(&line);
        event[BEAT] = filch_interval_tick(&beat);
        int which = filch_select(event, EVENTS);
        if (which == LINE) {
            snprintf(text, sizeof text, "line %d\n", number++);
            rc = write_text(fd, text);
        } else if (which == BEAT) {
            rc = write_text(fd, "heartbeat\n");
        } else {
            rc = which == GONE ? -EPIPE : which;
        }
    }
    filch_future_drop_all(event, EVENTS);
    return rc;
}

static int serve_client(void *arg)
{
    struct stream *stream = arg;
    ssize_t rc = filch_defer(end_stream, stream);
    if (rc < 0) {
        end_stream(stream);
        return (int)rc;
    }
    rc = read_request(stream->fd);
    if (rc == 0)
        rc = write_text(stream->fd, GREETING);
    if (rc > 0)
        rc = write_log(stream->fd);
    return rc == -EPIPE || rc == -ECONNRESET ? 0 : (int)rc;
}

/* Accepts until it is cancelled; the streams end with it. */
static int serve(void *arg)
{
    struct server *server = arg;
    filch_scope clients;
    int rc = filch_scope_open(&clients, &(filch_scope_options){.policy = FILCH_SUPERVISE});
    if (rc < 0)
        return rc;
    while (rc >= 0) {
        struct stream stream = {server, filch_accept(server->listener, NULL, NULL)};
        if (stream.fd < 0) {
            rc = stream.fd;
            break;
        }
        __atomic_fetch_add(&server->streams, 1, __ATOMIC_RELAXED);
        filch_spawn_options moved = {.arg_size = sizeof stream};
        rc = filch_scope_spawn_with(&clients, NULL, &moved, serve_client, &stream);
        if (rc < 0)
            end_stream(&stream);
    }
    filch_scope_cancel(&clients, 0);
    filch_scope_close(&clients);
    filch_close(server->listener);
    return rc;
}

static int listen_on(int port, struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, (struct sockaddr *)address, length) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &length) < 0)
        return -errno;
    return fd;
}

/* ---- its clients ---- */

#define CROWD 1000

/* Connects, asks, and reads the beginning of the answer. */
static int open_stream(const struct sockaddr_in *address)
{
    char answer[sizeof GREETING];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    ssize_t rc = filch_connect(fd, (const struct sockaddr *)address, sizeof *address);
    if (rc == 0)
        rc = write_text(fd, "GET / HTTP/1.1\r\n\r\n");
    for (size_t got = 0; rc > 0 && got < sizeof GREETING - 1; got += (size_t)rc)
        rc = filch_read(fd, answer + got, sizeof GREETING - 1 - got);
    if (rc > 0)
        return fd;
    filch_close(fd);
    return rc < 0 ? (int)rc : -EPIPE;
}

/* Prints two lines of the log; the heartbeats between are counted. */
static int follow(const struct sockaddr_in *address)
{
    int fd = open_stream(address), lines = 0, beats = 0;
    char text[256];
    size_t got = 0;
    while (fd >= 0 && lines < 2) {
        ssize_t n = filch_read(fd, text + got, sizeof text - 1 - got);
        if (n <= 0)
            return n < 0 ? (int)n : -EPIPE;
        text[got += (size_t)n] = 0;
        for (char *end; (end = strchr(text, '\n')) != NULL;) {
            *end++ = 0;
            if (strcmp(text, "heartbeat") == 0)
                beats++;
            else
                lines += puts(text) >= 0;
            got -= (size_t)(end - text);
            memmove(text, end, got + 1);
        }
    }
    printf("heartbeats between: %s\n", beats > 0 ? "yes" : "no");
    return fd < 0 ? fd : filch_close(fd);
}

static int await_end(struct server *server)
{
    int rc = 0;
    while (rc == 0 && __atomic_load_n(&server->streams, __ATOMIC_ACQUIRE) > 0)
        rc = filch_sleep(1 * MILLISECOND);
    return rc;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A client hangs up while its stream has nothing to write; five of them, one after the other. */
static int hang_up_idle(struct server *server, const struct sockaddr_in *address)
{
    int64_t took[5];
    int rc = 0;
    for (int i = 0; i < 5 && rc == 0; i++) {
        int fd = open_stream(address);
        if (fd < 0)
            return fd;
        rc = filch_sleep(100 * MILLISECOND); /* the stream waits for its first heartbeat */
        int64_t left_at = filch_now();
        filch_close(fd);
        if (rc == 0)
            rc = await_end(server);
        took[i] = server->ended_at - left_at;
    }
    qsort(took, 5, sizeof took[0], by_time);
    printf("guard ran within 50 ms of a hang-up: %s\n", took[2] < 50 * MILLISECOND ? "yes" : "no");
    return rc;
}

static int come_and_vanish(void *arg)
{
    int fd = open_stream(arg);
    return fd < 0 ? fd : filch_close(fd);
}

static int files_open(void)
{
    DIR *files = opendir("/proc/self/fd");
    int count = 0;
    while (files && readdir(files))
        count++;
    if (files)
        closedir(files);
    return count;
}

static int crowd(struct server *server, struct sockaddr_in *address)
{
    int files = files_open();
    filch_scope scope;
    int rc = filch_scope_open(&scope, NULL);
    for (int i = 0; i < CROWD && rc == 0; i++)
        rc = filch_scope_spawn(&scope, NULL, come_and_vanish, address);
    int closed = filch_scope_close(&scope);
    rc = rc < 0 ? rc : closed;
    if (rc == 0)
        rc = await_end(server);
    printf("%d clients came and vanished; streams left: %d, files left: %d\n", CROWD,
           server->streams, files_open() - files);
    return rc;
}

static int show(void *arg)
{
    struct sockaddr_in address;
    struct server server = {.listener = listen_on(0, &address)};
    filch_scope scope;
    (void)arg;
    if (server.listener < 0)
        return server.listener;
    int rc = filch_scope_open(&scope, NULL);
    if (rc < 0)
        return rc;
    rc = filch_scope_spawn(&scope, NULL, serve, &server);
    if (rc == 0)
        rc = follow(&address);
    if (rc == 0)
        rc = await_end(&server);
    if (rc == 0)
        rc = hang_up_idle(&server, &address);
    if (rc == 0)
        rc = crowd(&server, &address);
    filch_scope_cancel(&scope, 0);
    filch_scope_close(&scope);
    return rc;
}

static int serve_port(void *arg)
{
    struct sockaddr_in address;
    struct server server = {.listener = listen_on((int)(intptr_t)arg, &address)};
    return server.listener < 0 ? server.listener : serve(&server);
}

int main(int argc, char **argv)
{
    filch_runtime *runtime;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int rc = filch_runtime_create(&runtime, NULL);
    if (rc < 0)
        return 1;
    rc = argc > 1 ? filch_run(runtime, serve_port, (void *)(intptr_t)atoi(argv[1]))
                  : filch_run(runtime, show, NULL);
    filch_runtime_destroy(runtime); /* and would say so if a byte of a task were left */
    if (rc == 0)
        puts("done");
    return rc != 0;
}
