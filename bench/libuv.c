/* SPDX-License-Identifier: Apache-2.0 */

/* Peer: libuv, one loop on one thread; timers alone, since it has no tasks. The program that
 * bench/harness.py starts: PROGRAM BENCH PARAM WORKERS prints one line of JSON; PROGRAM --version. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define OTHERS   1000
#define HOUR_MS  3600000
#define ATTEMPTS 4

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

struct result {
    double value;
    uint64_t check;
};

static void fail(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, uv_strerror(rc));
    exit(1);
}

static void must(int rc, const char *what)
{
    if (rc < 0)
        fail(what, rc);
}

static void *allocate(uint64_t count, size_t size)
{
    void *p = calloc(count, size);
    if (p == NULL)
        fail("memory", UV_ENOMEM);
    return p;
}

static void nothing(uv_timer_t *timer)
{
    (void)timer;
}

/* The timers' memory is free to go after this. */
static void close_all(uv_loop_t *loop, uv_timer_t *timer, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        uv_close((uv_handle_t *)&timer[i], NULL);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* libuv reads the clock once in a round of its loop, and not at all here. */
static void arm_and_cancel(uv_loop_t *loop, uint64_t count, struct result *out)
{
    uv_timer_t timer[OTHERS + 1];
    for (uint64_t i = 0; i <= OTHERS; i++) {
        must(uv_timer_init(loop, &timer[i]), "timer");
        if (i < OTHERS)
            must(uv_timer_start(&timer[i], nothing, HOUR_MS + 1000 * i, 0), "timer");
    }
    uint64_t armed = 0;
    uint64_t start = uv_hrtime();
    for (uint64_t i = 0; i < count; i++) {
        must(uv_timer_start(&timer[OTHERS], nothing, 1000 + i % 1000, 0), "timer");
        armed += (uint64_t)uv_is_active((uv_handle_t *)&timer[OTHERS]);
        must(uv_timer_stop(&timer[OTHERS]), "timer");
    }
    out->value = (double)(uv_hrtime() - start) / (double)count;
    out->check = armed;
    close_all(loop, timer, OTHERS + 1);
}

struct alarm {
    uint64_t deadline; /* by uv_hrtime */
    uint64_t ran;
};

static void note(uv_timer_t *timer)
{
    struct alarm *alarm = timer->data;
    alarm->ran = uv_hrtime();
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The nanoseconds by which each that was not early ran late; their number in *sound, smallest first. */
static uint64_t *sorted_lateness(const struct alarm *alarm, uint64_t count, uint64_t *sound)
{
    uint64_t *late = allocate(count, sizeof(*late));
    *sound = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (alarm[i].ran >= alarm[i].deadline)
            late[(*sound)++] = alarm[i].ran - alarm[i].deadline;
    }
    qsort(late, *sound, sizeof(*late), compare);
    return late;
}

/* The loop counts whole milliseconds, to which a deadline is rounded up; the lateness is from the
 * deadline itself. Returns 1, or 0 if the first was due before all were armed. */
static int run_alarms(uv_loop_t *loop, uint64_t count, uint64_t lead, struct result *out)
{
    uv_timer_t *timer = allocate(count, sizeof(*timer));
    struct alarm *alarm = allocate(count, sizeof(*alarm));
    uint64_t first = uv_hrtime() + lead;
    uv_update_time(loop);
    for (uint64_t i = 0; i < count; i++) {
        alarm[i].deadline = first + 1000 * i;
        uint64_t due_ms = (alarm[i].deadline + 999999) / 1000000;
        must(uv_timer_init(loop, &timer[i]), "timer");
        timer[i].data = &alarm[i];
        must(uv_timer_start(&timer[i], note, due_ms - uv_now(loop), 0), "timer");
    }
    int in_time = uv_hrtime() < first;
    uv_run(loop, UV_RUN_DEFAULT);
    uint64_t *late = sorted_lateness(alarm, count, &out->check);
    if (out->check > 0)
        out->value = (double)late[out->check * 99 / 100];
    close_all(loop, timer, count);
    free(late);
    free(alarm);
    free(timer);
    return in_time;
}

static void lateness_p99(uv_loop_t *loop, uint64_t count, struct result *out)
{
    run_alarms(loop, count < 1000 ? count : 1000, 20000000, out);
    uint64_t lead = 4000 * count;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++, lead *= 2) {
        if (run_alarms(loop, count, lead, out))
            return;
        fprintf(stderr, "timer-lateness-p99: not all were armed after %" PRIu64 " ns\n", lead);
    }
    exit(1);
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s BENCH PARAM 1\n", program);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("libuv %s, %s\n", uv_version_string(), COMPILER);
        return 0;
    }
    if (argc != 4 || strcmp(argv[3], "1") != 0)
        return usage(argv[0]);
    uint64_t count = strtoull(argv[2], NULL, 10);
    uv_loop_t loop;
    struct result out = {0};
    must(uv_loop_init(&loop), "loop");
    if (strcmp(argv[1], "timer-arm-cancel") == 0) {
        arm_and_cancel(&loop, count < 1000 ? count : 1000, &out);
        arm_and_cancel(&loop, count, &out);
    } else if (strcmp(argv[1], "timer-lateness-p99") == 0) {
        lateness_p99(&loop, count, &out);
    } else {
        fprintf(stderr, "%s: no benchmark %s\n", argv[0], argv[1]);
        return 2;
    }
    must(uv_loop_close(&loop), "loop");
    printf("{\"value\":%.9g,\"check\":\"%" PRIu64 "\"}\n", out.value, out.check);
    return 0;
}
