/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "sched/fiber/overflow.h"

#include "sched/fiber/sanitizer.h"
#include "sched/fiber/stack.h"

#include <errno.h>
#include <filch/atomic.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 128, LINE_MAX_BYTES = 320 };

/* What the handler and whatever it chains to may use beyond the frame that the kernel writes. */
#define HANDLER_ROOM ((size_t)32 * 1024)

static filch__overflow_describe *describe;
static struct sigaction previous_segv; /* written before the handler is in place */
static struct sigaction previous_bus;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local struct filch__stack alternate; /* map is NULL: none */

static char *put_text(char *at, const char *end, const char *text)
{
    while (*text != '\0' && at < end)
        *at++ = *text++;
    return at;
}

/* The line stays one line, whatever the name is. */
static char *put_name(char *at, const char *end, const char *name)
{
    for (; *name != '\0' && at < end; name++)
        *at++ = (unsigned char)*name < ' ' || *name == '\x7f' ? '?' : *name;
    return at;
}

static char *put_address(char *at, const char *end, uintptr_t address)
{
    char digits[2 * sizeof(address) + 1];
    char *digit = digits + sizeof(digits) - 1;

    *digit = '\0';
    do {
        *--digit = "0123456789abcdef"[address % 16];
        address /= 16;
    } while (address != 0);
    return put_text(put_text(at, end, "0x"), end, digit);
}

static void report(const char *name, const void *addr)
{
    char line[LINE_MAX_BYTES];
    const char *end = line + sizeof(line);
    char *at = put_text(line, end, "filch: stack overflow in task \"");
    const char *rest = line;

    at = put_name(at, end, name);
    at = put_text(at, end, "\" at ");
    at = put_address(at, end, (uintptr_t)addr);
    at = put_text(at, end, " (stack_size can be raised in filch_spawn_options)\n");
    while (rest < at) {
        ssize_t n = write(STDERR_FILENO, rest, (size_t)(at - rest));

        if (n <= 0 && errno != EINTR)
            return;
        rest += n > 0 ? n : 0;
    }
}

/*
 * A fault strikes again when the handler returns, and then meets the previous disposition; a signal
 * that someone sent does not, so send it again: it is blocked until the handler returns.
 */
static void give_way(int sig, const struct sigaction *previous, bool sent)
{
    sigaction(sig, previous, NULL);
    if (sent)
        raise(sig);
}

static void chain(int sig, siginfo_t *info, void *ucontext, const struct sigaction *previous)
{
    bool sent = info->si_code <= 0;

    if ((previous->sa_flags & (int)SA_RESETHAND) != 0)
        give_way(sig, previous, sent);
    else if ((previous->sa_flags & SA_SIGINFO) != 0)
        previous->sa_sigaction(sig, info, ucontext);
    else if (previous->sa_handler == SIG_IGN && sent)
        return;
    else if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN)
        give_way(sig, previous, sent);
    else
        previous->sa_handler(sig);
}

static void handle(int sig, siginfo_t *info, void *ucontext)
{
    const struct sigaction *previous = sig == SIGSEGV ? &previous_segv : &previous_bus;
    filch__overflow_describe *fn = filch__load_acquire(&describe);
    int saved_errno = errno;
    char name[NAME_MAX_BYTES] = "";

    if (info->si_code > 0 && fn != NULL && fn(info->si_addr, name, sizeof(name))) {
        name[sizeof(name) - 1] = '\0';
        report(name, info->si_addr);
        give_way(sig, previous, false);
    } else {
        chain(sig, info, ucontext, previous);
    }
    errno = saved_errno;
}

/* The previous handler runs inside ours: with the mask and the flags that it asked for. */
static void install(int sig, struct sigaction *previous)
{
    struct sigaction mine;

    sigaction(sig, NULL, previous);
    mine = *previous;
    mine.sa_sigaction = handle;
    mine.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous->sa_flags & (SA_NODEFER | SA_RESTART));
    sigaction(sig, &mine, NULL);
}

static void install_all(void)
{
    install(SIGSEGV, &previous_segv);
    install(SIGBUS, &previous_bus);
}

void filch__overflow_set_describe(filch__overflow_describe *fn)
{
    filch__store_release(&describe, fn); /* pairs with the load in handle */
}

int filch__overflow_attach(void)
{
    long frame = sysconf(_SC_MINSIGSTKSZ);
    stack_t now;
    int rc;

    pthread_once(&once, install_all);
    sigaltstack(NULL, &now);
    if ((now.ss_flags & SS_DISABLE) == 0)
        return 0;
    rc = filch__stack_create(&alternate, HANDLER_ROOM + (size_t)(frame > 0 ? frame : MINSIGSTKSZ));
    if (rc != 0)
        return rc;
    /* It knows signal stacks by itself, and a registered one makes it lose track on the return. */
    filch__valgrind_deregister(alternate.valgrind_id);
    now = (stack_t){.ss_sp = alternate.base, .ss_size = alternate.size};
    sigaltstack(&now, NULL);
    return 0;
}

void filch__overflow_detach(void)
{
    const stack_t none = {.ss_flags = SS_DISABLE};

    if (alternate.map == NULL)
        return;
    sigaltstack(&none, NULL);
    filch__stack_destroy(&alternate);
    alternate = (struct filch__stack){0};
}
