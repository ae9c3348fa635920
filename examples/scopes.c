/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: tasks that end together, whatever happens. */
#include <filch/filch.h>

#include <errno.h>
#include <stdio.h>

#define MILLISECOND 1000000

struct server {
    const char *name;
    int64_t delay; /* until it answers; FILCH_NEVER: it does not */
    int answer;    /* < 0: it fails */
};

static void hang_up(void *arg)
{
    const struct server *server = arg;
    printf("  %s: hung up\n", server->name);
}

/* Borrows the server from whoever opened the scope. */
static int ask(void *arg)
{
    const struct server *server = arg;
    int rc = filch_defer(hang_up, arg); /* on every way out */
    if (rc == 0)
        rc = server->delay == FILCH_NEVER ? filch_sleep_until(FILCH_NEVER)
                                          : filch_sleep(server->delay);
    return rc < 0 ? rc : server->answer;
}

/* Asks all of them in a scope, and says what became of it. */
static int ask_all(const char *what, const filch_scope_options *options, struct server *servers,
                   int count)
{
    filch_scope scope;
    filch_report report;
    int rc = filch_scope_open(&scope, options);
    if (rc < 0)
        return rc;
    for (int i = 0; i < count && rc == 0; i++) {
        filch_spawn_options named = {.name = servers[i].name};
        rc = filch_scope_spawn_with(&scope, NULL, &named, ask, &servers[i]);
    }
    if (rc < 0)
        filch_scope_cancel(&scope, rc);
    int closed = filch_scope_close(&scope); /* here nobody uses `servers` any more */
    if (rc < 0)
        return rc;
    rc = filch_scope_report(&scope, &report);
    printf("%s: close %d, %d succeeded, %d failed, %d cancelled, cause: %d %s\n", what, closed,
           (int)report.succeeded, (int)report.failed, (int)report.cancelled, report.cause.code,
           report.cause.task);
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    struct server good[] = {{"ham", FILCH_NEVER, 1}, {"oak", 0, 2}};
    struct server bad[] = {{"elm", FILCH_NEVER, 1}, {"fir", 0, -EIO}};
    struct server slow[] = {{"yew", FILCH_NEVER, 1}};
    int rc = ask_all("race", &(filch_scope_options){.policy = FILCH_RACE}, good, 2);
    if (rc == 0)
        rc = ask_all("fail fast", NULL, bad, 2);
    if (rc == 0)
        rc = ask_all("deadline", &(filch_scope_options){.deadline = filch_now() + 20 * MILLISECOND},
                     slow, 1);
    return rc;
}

int main(void)
{
    return filch_run(NULL, program, NULL) != 0;
}
