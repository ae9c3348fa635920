/* SPDX-License-Identifier: Apache-2.0 */
/* The diagnosis of stack overflows, and that other faults are handed on. */
#define _GNU_SOURCE 1
#include "sched/fiber/overflow.h"
#include "tests/fiber_check.h"

#include <signal.h>
#include <sys/wait.h>

static struct pair *running;

static bool describe(const void *addr, char *name, size_t cap)
{
    if (running == NULL || !filch__stack_guard_hit(&running->stack, addr))
        return false;
    snprintf(name, cap, "digger\n%d", 7);
    return true;
}

/* Runs body in a child; returns its wait status, and what it wrote to standard error. */
static int in_child(void (*body)(void), char *said, size_t cap)
{
    int fds[2], status = 0;
    size_t got = 0;
    ssize_t n;
    pid_t pid;

    if (pipe(fds) != 0 || (pid = fork()) < 0)
        return -1;
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        body();
        _exit(0);
    }
    close(fds[1]);
    while ((n = read(fds[0], said + got, got < cap - 1 ? cap - 1 - got : 0)) > 0)
        got += (size_t)n;
    said[got] = '\0';
    close(fds[0]);
    waitpid(pid, &status, 0);
    return status;
}

static void dig(void *arg)
{
    deep(1L << 40);
    pair_end(arg);
}

static void overflow(void)
{
    struct pair p;

    filch__overflow_set_describe(describe);
    if (filch__overflow_attach() != 0)
        _exit(3);
    pair_open(&p, 64 * 1024, dig);
    running = &p;
    pair_resume(&p);
}

static void overflow_names_the_task(void)
{
    char said[4096];
    int status = in_child(overflow, said, sizeof(said));

    CHECK(strstr(said, "filch: stack overflow in task \"digger?7\" at 0x") != NULL);
    CHECK(strstr(said, " (stack_size can be raised in filch_spawn_options)\n") != NULL);
    /* A sanitizer's own handler comes after ours, and exits. */
    CHECK(SANITIZED ? status != 0 : WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void exit_42(int sig)
{
    (void)sig;
    _exit(42);
}

static void exit_43(int sig, siginfo_t *info, void *ucontext)
{
    (void)sig;
    (void)ucontext;
    _exit(info->si_code > 0 ? 43 : 44);
}

/* On purpose: the undefined behaviour sanitizer would end it before the fault does. */
__attribute__((no_sanitize("undefined"))) static void touch_null(void)
{
    volatile char *volatile null = NULL;

    *null = 1;
}

static void attach_over(struct sigaction *previous)
{
    sigaction(SIGSEGV, previous, NULL);
    filch__overflow_set_describe(describe);
    if (filch__overflow_attach() != 0 || filch__overflow_attach() != 0)
        _exit(3);
}

static void miss_with_handler(void)
{
    attach_over(&(struct sigaction){.sa_handler = exit_42});
    touch_null();
}

static void miss_with_siginfo_handler(void)
{
    attach_over(&(struct sigaction){.sa_sigaction = exit_43, .sa_flags = SA_SIGINFO});
    touch_null();
}

static void miss_with_one_shot_handler(void)
{
    attach_over(&(struct sigaction){.sa_handler = exit_42, .sa_flags = (int)SA_RESETHAND});
    touch_null();
}

static void miss_with_default(void)
{
    attach_over(&(struct sigaction){.sa_handler = SIG_DFL});
    touch_null();
}

static void sent_with_default(void)
{
    attach_over(&(struct sigaction){.sa_handler = SIG_DFL});
    kill(getpid(), SIGSEGV);
}

static void sent_with_ignore(void)
{
    attach_over(&(struct sigaction){.sa_handler = SIG_IGN});
    kill(getpid(), SIGSEGV);
    _exit(45);
}

static void overflow_after_detach(void)
{
    stack_t now;

    attach_over(&(struct sigaction){.sa_handler = SIG_DFL});
    filch__overflow_detach();
    filch__overflow_detach();
    sigaltstack(NULL, &now);
    _exit(now.ss_flags & SS_DISABLE || SANITIZED ? 46 : 1);
}

static void other_faults_are_handed_on(void)
{
    static const struct {
        void (*body)(void);
        int exit_status; /* 0: dies of SIGSEGV */
    } table[] = {
        {miss_with_handler, 42},          {miss_with_siginfo_handler, 43},
        {miss_with_one_shot_handler, 42}, {miss_with_default, 0},
        {sent_with_default, 0},           {sent_with_ignore, 45},
        {overflow_after_detach, 46},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        char said[4096];
        int status = in_child(table[i].body, said, sizeof(said));

        CHECK(strstr(said, "filch:") == NULL);
        if (table[i].exit_status != 0)
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == table[i].exit_status);
        else
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
}

int main(void)
{
    RUN(overflow_names_the_task);
    RUN(other_faults_are_handed_on);
    return summary();
}
