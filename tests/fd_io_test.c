/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes: on every kind of file, in blocking mode and not, whole, in part, at the end,
 * cancelled. */
#include "tests/fd_check.h"

#include <pty.h>
#include <signal.h>
#include <sys/stat.h>
#include <termios.h>

enum stream { OF_UNIX, OF_TCP, OF_PIPE, OF_FIFO, OF_TTY, STREAMS };

static const char *const stream_names[] = {"unix", "tcp", "pipe", "fifo", "tty"};

static struct pair open_fifo(void)
{
    char path[64];
    static uint32_t count;
    snprintf(path, sizeof path, "/tmp/filch-%d-%u", (int)getpid(), filch__add_acq_rel(&count, 1u));
    REQUIRE(mkfifo(path, 0600) == 0);
    int in = open(path, O_RDONLY | O_NONBLOCK), out = open(path, O_WRONLY | O_NONBLOCK);
    REQUIRE(in >= 0 && out >= 0 && unlink(path) == 0);
    return (struct pair){in, out};
}

/* Written to the terminal's own side, read from the other. */
static struct pair open_tty(void)
{
    struct pair p;
    struct termios raw;
    REQUIRE(openpty(&p.in, &p.out, NULL, NULL, NULL) == 0 && tcgetattr(p.out, &raw) == 0);
    cfmakeraw(&raw);
    REQUIRE(tcsetattr(p.out, TCSANOW, &raw) == 0);
    return p;
}

/* With little room in between. */
static struct pair stream_open(int stream, bool blocking)
{
    int little = 4096;
    struct pair p = stream == OF_FIFO  ? open_fifo()
                    : stream == OF_TTY ? open_tty()
                                       : pair_open(stream == OF_UNIX  ? UNIX
                                                   : stream == OF_TCP ? TCP
                                                                      : PIPE);
    if (stream <= OF_TCP)
        REQUIRE(setsockopt(p.out, SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0);
    set_blocking(p.in, blocking);
    set_blocking(p.out, blocking);
    return p;
}

struct transfer {
    struct pair p;
    size_t bytes;
    uint32_t begun, ended, ticked;
    unsigned char *data;
};

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 2654435761u >> 13);
}

static int write_everything(void *arg)
{
    struct transfer *t = arg;
    raise_flag(&t->begun);
    CHECK(filch_write_all(t->p.out, t->data, t->bytes) == (ssize_t)t->bytes);
    raise_flag(&t->ended);
    return 0;
}

/* By pieces of changing size. */
static int read_everything(void *arg)
{
    struct transfer *t = arg;
    unsigned char piece[3000];
    size_t got = 0;
    uint64_t random = test_seed();
    bool right = true;
    while (got < t->bytes) {
        size_t most = 1 + test_random(&random, sizeof piece);
        ssize_t n = filch_read(t->p.in, piece, most);
        CHECK(n > 0 && (size_t)n <= most);
        if (n <= 0)
            return 0;
        for (ssize_t i = 0; i < n; i++)
            right &= piece[i] == byte_at(got + (size_t)i);
        got += (size_t)n;
    }
    CHECK(right && got == t->bytes);
    return 0;
}

static int tick(void *arg)
{
    raise_flag(arg);
    return 0;
}

static void *read_on_thread(void *arg)
{
    (void)read_everything(arg);
    return NULL;
}

static void transfer_init(struct transfer *t, int stream, bool blocking, size_t bytes)
{
    *t = (struct transfer){.p = stream_open(stream, blocking), .bytes = bytes};
    t->data = malloc(bytes);
    REQUIRE(t->data);
    for (size_t i = 0; i < bytes; i++)
        t->data[i] = byte_at(i);
}

/* Reader and writer are tasks that share the workers: neither may keep one while it waits. */
static void megabytes_through(int stream, bool blocking)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct transfer t;
        filch_handle *reader, *writer;
        transfer_init(&t, stream, blocking, (size_t)sized(1 << 18, 1 << 20, 4 << 20));
        spawn_on(rt, &writer, write_everything, &t);
        spawn_on(rt, &reader, read_everything, &t);
        CHECK(join(writer) == 0 && join(reader) == 0);
        drain(rt);
        runtime_close(rt);
        pair_close(t.p);
        free(t.data);
    }
}

/* There is no room. A tty does not always say so; what it has to be read says that the write is
 * under way. */
static bool is_stuck(const struct transfer *t, int stream)
{
    return stream == OF_TTY ? filch_fd_wait(t->p.in, FILCH_READABLE, 0) == FILCH_READABLE
                            : filch_fd_wait(t->p.out, FILCH_WRITABLE, 0) == -ETIMEDOUT;
}

/* The only worker goes on while a task writes more than there is room for: another task runs before
 * anybody reads. If it does not in 5 s, it is the case that fails, not the program. */
static bool worker_stays_free(int stream, bool blocking)
{
    filch_runtime *rt = runtime_open(1);
    struct transfer t;
    filch_handle *writer;
    transfer_init(&t, stream, blocking, 1 << 20);
    spawn_on(rt, &writer, write_everything, &t);
    SPIN_UNTIL(flag_up(&t.begun) && is_stuck(&t, stream));
    spawn_on(rt, NULL, tick, &t.ticked);
    int64_t end = filch_now() + 5000 * MS;
    SPIN_UNTIL(flag_up(&t.ticked) || filch_now() > end);
    bool free_worker = flag_up(&t.ticked);
    CHECK(!flag_up(&t.ended));
    pthread_t reader = thread_start(read_on_thread, &t);
    CHECK(join(writer) == 0);
    thread_join(reader);
    drain(rt);
    runtime_close(rt);
    pair_close(t.p);
    free(t.data);
    return free_worker;
}

static void each_stream(bool blocking)
{
    for (int stream = 0; stream < STREAMS; stream++) {
        if (blocking && stream == OF_TTY)
            continue; /* does not say how much room it has: fd.h */
        if (!worker_stays_free(stream, blocking)) {
            fprintf(stderr, "a write to a %s blocks the worker\n", stream_names[stream]);
            CHECK(!"workers stay free");
            continue;
        }
        megabytes_through(stream, blocking);
    }
}

static void megabytes(void)
{
    each_stream(false);
}

static void megabytes_in_blocking_mode(void)
{
    each_stream(true);
}

/* ---- reads that wait ---- */

static int read_one(void *arg)
{
    struct transfer *t = arg;
    char byte = 0;
    raise_flag(&t->begun);
    int rc = (int)filch_read(t->p.in, &byte, 1);
    return rc == 1 ? byte : rc;
}

/* Of a worker that has it alone; then cancelled: nothing was read. */
static void readers_leave_the_worker(void)
{
    for (int i = 0; i < 2 * STREAMS; i++) {
        filch_runtime *rt = runtime_open(1);
        struct transfer t = {.p = stream_open(i / 2, i % 2)};
        filch_handle *reader, *others[2];
        spawn_on(rt, &reader, read_one, &t);
        SPIN_UNTIL(flag_up(&t.begun));
        spawn_on(rt, &others[0], tick, &t.ticked);
        CHECK(join(others[0]) == 0 && !filch_finished(reader));
        CHECK(filch_abort(reader) == 0 && join(reader) == -ECANCELED);
        CHECK(filch_write(t.p.out, "ab", 2) == 2);
        spawn_on(rt, &reader, read_one, &t);
        CHECK(join(reader) == 'a');
        spawn_on(rt, &others[1], read_one, &t);
        CHECK(join(others[1]) == 'b');
        drain(rt);
        runtime_close(rt);
        pair_close(t.p);
    }
}

/* ---- ends and errors ---- */

static uint32_t broken_pipes;

static void count_signal(int number)
{
    (void)number;
    tally(&broken_pipes);
}

static int ends(void *rt)
{
    static const char some[] = "some";
    char buffer[8] = "";
    (void)rt;
    for (int i = 0; i < 2 * OF_TTY; i++) {
        struct pair p = stream_open(i / 2, i % 2);
        CHECK(filch_write(p.out, some, 0) == 0 && filch_write_all(p.out, some, 0) == 0);
        CHECK(filch_write(p.out, some, 4) == 4);
        CHECK(filch_read(p.in, buffer, 0) == 0);
        CHECK(filch_read(p.in, buffer, 8) == 4 && memcmp(buffer, some, 4) == 0);
        close(p.out);
        CHECK(filch_read(p.in, buffer, 8) == 0 && filch_read(p.in, buffer, 8) == 0);
        close(p.in);
        p = stream_open(i / 2, i % 2);
        close(p.in);
        ssize_t n = filch_write(p.out, some, 4);
        if (i / 2 == OF_TCP) /* the other side says so only now */
            while (n == 4)
                n = filch_write(p.out, some, 4);
        CHECK(n == -EPIPE || (i / 2 == OF_TCP && n == -ECONNRESET));
        CHECK(filch_write_all(p.out, some, 4) == -EPIPE);
        close(p.out);
    }
    CHECK(filch__load_acquire(&broken_pipes) == 0);
    return 0;
}

/* As read(2), which does not wait for it; nor hangs the case if it does. */
static int nothing(void *rt)
{
    (void)rt;
    for (int i = 0; i < 2 * OF_TTY; i++) {
        struct pair p = stream_open(i / 2, i % 2);
        filch_scope s;
        char byte;
        REQUIRE(filch_scope_open(&s, &(filch_scope_options){.deadline = filch_now() + 200 * MS}) ==
                0);
        CHECK(filch_read(p.in, &byte, 0) == 0 && filch_read(p.in, NULL, 0) == 0);
        (void)filch_scope_close(&s);
        pair_close(p);
    }
    return 0;
}

static void reads_of_nothing(void)
{
    in_task_of_each(nothing);
}

static void ends_and_broken_pipes(void)
{
    in_task_of_each(ends);
}

/* On a thread, which has not blocked the signal. */
static void broken_pipes_on_threads(void)
{
    CHECK(ends(NULL) == 0);
    filch__store_release(&broken_pipes, 0u);
}

static int files(void *rt)
{
    char path[] = "/tmp/filch-XXXXXX", buffer[8] = "";
    int fd = mkstemp(path), directory = open("/", O_RDONLY);
    (void)rt;
    REQUIRE(fd >= 0 && directory >= 0);
    size_t n = 3 << 20;
    char *data = calloc(1, n);
    REQUIRE(data);
    CHECK(filch_write(fd, "file", 4) == 4 && filch_read(fd, buffer, 8) == 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && filch_read(fd, buffer, 8) == 4);
    CHECK(memcmp(buffer, "file", 4) == 0);
    CHECK(filch_write_all(fd, data, n) == (ssize_t)n); /* where the last one ended */
    CHECK(lseek(fd, 0, SEEK_END) == (off_t)n + 4);
    CHECK(lseek(fd, 2, SEEK_SET) == 2 && filch_read(fd, buffer, 3) == 3);
    CHECK(memcmp(buffer, "le", 3) == 0);
    CHECK(filch_read(directory, buffer, 8) == -EISDIR);
    CHECK(filch_write(directory, buffer, 8) == -EBADF);
    CHECK(filch_close(fd) == 0 && filch_close(directory) == 0);
    fd = open(path, O_WRONLY | O_APPEND);
    CHECK(filch_read(fd, buffer, 8) == -EBADF && filch_write(fd, "!", 1) == 1);
    CHECK(filch_close(fd) == 0);
    fd = open(path, O_RDONLY);
    CHECK(lseek(fd, -1, SEEK_END) == (off_t)n + 4 && filch_read(fd, buffer, 8) == 1);
    CHECK(buffer[0] == '!' && filch_write(fd, "x", 1) == -EBADF);
    CHECK(filch_close(fd) == 0 && unlink(path) == 0);
    fd = open("/dev/zero", O_RDWR);
    CHECK(filch_read(fd, buffer, 8) == 8 && buffer[0] == 0 && filch_write(fd, buffer, 8) == 8);
    CHECK(filch_close(fd) == 0);
    free(data);
    struct pair p = pair_open(UNIX);
    CHECK(write(p.out, "x", 1) == 1 && filch_read(p.in, (void *)8, 1) == -EFAULT);
    CHECK(filch_write(p.in, (void *)8, 1) == -EFAULT);
    pair_close(p);
    return 0;
}

static void regular_files(void)
{
    everywhere(files);
}

/* Cancelled before: nothing is read or written, though it could be at once. */
static int when_cancelled(void *rt)
{
    struct sockaddr_in at;
    char byte;
    (void)rt;
    struct pair p = pair_open(UNIX);
    int listener = listen_tcp(&at, 0, 5), fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    put(p.out, 'x');
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0 && filch_scope_cancel(&s, 0) == 0);
    CHECK(filch_read(p.in, &byte, 1) == -ECANCELED && filch_write(p.in, "y", 1) == -ECANCELED);
    CHECK(filch_write_all(p.in, "y", 1) == -ECANCELED);
    CHECK(filch_accept(listener, NULL, NULL) == -ECANCELED);
    CHECK(filch_fd_wait(p.in, FILCH_READABLE, 0) == -ECANCELED);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    CHECK(get(p.out) == -1 && get(p.in) == 'x');
    int accepted = filch_accept(listener, NULL, NULL);
    CHECK(accepted >= 0 && filch_close(accepted) == 0);
    close(listener);
    close(fd);
    pair_close(p);
    return 0;
}

static void cancelled_before(void)
{
    in_task_of_each(when_cancelled);
}

int main(void)
{
    struct sigaction count = {.sa_handler = count_signal};
    REQUIRE(sigaction(SIGPIPE, &count, NULL) == 0);
    RUN(readers_leave_the_worker);
    RUN(reads_of_nothing);
    RUN(ends_and_broken_pipes);
    RUN(broken_pipes_on_threads);
    RUN(regular_files);
    RUN(cancelled_before);
    RUN(megabytes);
    RUN(megabytes_in_blocking_mode);
    return summary();
}
