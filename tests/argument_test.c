/* SPDX-License-Identifier: Apache-2.0 */
/* What debug builds say of a free task whose argument lies on its spawner's stack. */
#include "tests/support.h"

#ifdef NDEBUG
enum { DEBUG_BUILD = 0 };
#else
enum { DEBUG_BUILD = 1 };
#endif

/* Standard error, between begin and end. */
static int saved_stderr, pipe_ends[2];

static void capture_begin(void)
{
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    REQUIRE(saved_stderr >= 0 && pipe(pipe_ends) == 0);
    REQUIRE(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
}

static size_t capture_end(char *text, size_t cap)
{
    REQUIRE(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    close(pipe_ends[1]);
    size_t length = 0;
    for (ssize_t n;
         length + 1 < cap && (n = read(pipe_ends[0], text + length, cap - 1 - length)) > 0;)
        length += (size_t)n;
    close(pipe_ends[0]);
    text[length] = 0;
    return length;
}

static int lines_with(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

/* One of its own for each way, since each is said once. */
#define READER(name)                     \
    static int name(void *arg)           \
    {                                    \
        return *(volatile int *)arg - 7; \
    }
READER(read_borrowed)
READER(read_again)
READER(read_moved)
READER(read_static)
READER(read_in_scope)

static int spawner(void *arg)
{
    static int seven_static = 7;
    int seven = 7;
    filch_handle *h;
    filch_scope s;
    filch_spawn_options named = {.name = "borrower"}, moved = {.arg_size = sizeof seven};
    CHECK(filch_spawn_with(&h, &named, read_borrowed, &seven) == 0 && join(h) == 0);
    CHECK(filch_spawn_with(&h, &named, read_borrowed, &seven) == 0 && join(h) == 0);
    CHECK(filch_spawn(&h, read_again, &seven) == 0 && join(h) == 0);
    CHECK(filch_spawn_with(&h, &moved, read_moved, &seven) == 0 && join(h) == 0);
    CHECK(filch_spawn(&h, read_static, &seven_static) == 0 && join(h) == 0);
    CHECK(filch_run(NULL, read_static, &seven) == 0); /* waits for it, whatever happens */
    CHECK(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn(&s, NULL, read_in_scope, &seven) == 0);
    CHECK(filch_scope_close(&s) == 0);
    (void)arg;
    return 0;
}

static void told_once_and_by_name(void)
{
    char text[4096];
    filch_runtime *rt = runtime_open(2);
    capture_begin();
    filch_handle *h;
    filch_spawn_options lender = {.runtime = rt, .name = "lender"};
    int rc = filch_spawn_with(&h, &lender, spawner, NULL);
    if (rc == 0)
        rc = join(h);
    size_t length = capture_end(text, sizeof text);
    CHECK(rc == 0);
    runtime_close(rt);
    CHECK(DEBUG_BUILD || length == 0);
    /* Under AddressSanitizer variables may live elsewhere than on the stack. */
    if (DEBUG_BUILD && !WITH_ASAN) {
        CHECK(lines_with(text, "\n") == 2);
        CHECK(lines_with(text, "free task") == 2);
        CHECK(lines_with(text, ": borrower\n") == 1);
        CHECK(lines_with(text, ": lender\n") == 1);
    }
}

int main(void)
{
    RUN(told_once_and_by_name);
    return summary();
}
