/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of sched/os share: children that must end in a certain way, refused system calls.
 */
#ifndef FILCH_TESTS_OS_CHECK_H
#define FILCH_TESTS_OS_CHECK_H

#include "tests/check.h"

#include <filch/atomic.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Runs fn in a child; true if it returned true. */
static inline bool in_child(bool (*fn)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn() ? 0 : 1);
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* Runs fn in a child; true if it aborted and its standard error was the line. */
static inline bool dies(void (*fn)(void), const char *line)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    close(ends[1]);
    char out[256] = "";
    size_t n = 0;
    for (ssize_t r; n < sizeof out - 1 && (r = read(ends[0], out + n, sizeof out - 1 - n)) > 0;)
        n += (size_t)r;
    close(ends[0]);
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT && strcmp(out, line) == 0;
}

/* From here on, system call nr fails with the error where its second argument is below the bound.
 */
static inline bool refuse(unsigned nr, unsigned error, uint32_t bound)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, bound, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Arrives at a meeting of `count` threads and spins until all have. */
static inline void meet(unsigned *arrived, unsigned count)
{
    filch__add_acq_rel(arrived, 1u);
    while (filch__load_acquire(arrived) < count)
        sched_yield();
}

#endif
