/* SPDX-License-Identifier: Apache-2.0 */

/* launch PROGRAM ARGUMENT...: runs a program, then adds a line to its output with the peak of its
 * memory and its CPU time: {"peak_kib":..., "cpu_s":...}. Exits with the program's status, or 128 +
 * the signal that killed it.
 *
 * The peak that wait4 reports includes what the child's address space held before exec. A child of
 * the harness would show the harness's size; a child of this small program shows its own. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s PROGRAM ARGUMENT...\n", argv[0]);
        return 2;
    }
    pid_t child = fork();
    if (child < 0) {
        fprintf(stderr, "fork: %s\n", strerror(errno));
        return 1;
    }
    if (child == 0) {
        execv(argv[1], argv + 1);
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0) {
        fprintf(stderr, "wait4: %s\n", strerror(errno));
        return 1;
    }
    printf("{\"peak_kib\":%ld,\"cpu_s\":%.6f}\n", usage.ru_maxrss,
           seconds(usage.ru_utime) + seconds(usage.ru_stime));
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
