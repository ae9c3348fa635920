/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/eintr.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

static void do_nothing(int signal)
{
    (void)signal;
}

static void install(void)
{
    int saved_errno = errno;
    struct sigaction present, empty = {.sa_handler = do_nothing};
    sigemptyset(&empty.sa_mask);
    if (sigaction(SIGURG, NULL, &present) == 0 &&
        (present.sa_handler == SIG_DFL || present.sa_handler == SIG_IGN))
        (void)sigaction(SIGURG, &empty, NULL);
    errno = saved_errno;
}

static void mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    (void)pthread_sigmask(how, &set, NULL);
}

void filch__eintr_allow(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    mask(SIG_UNBLOCK);
}

void filch__eintr_forbid(void)
{
    mask(SIG_BLOCK);
}

void filch__eintr_send(pthread_t thread)
{
    (void)pthread_kill(thread, SIGURG);
}
