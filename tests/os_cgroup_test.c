/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the control group quota: each case is a fake tree of files in a folder of its own. */
#define _GNU_SOURCE 1
#include "sched/os/cpus.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NO_LIMIT = 99 };

/* Mounts as mountinfo shows them; R is the group at the mount's top. */
#define V2_AT(R, POINT) "31 23 0:28 " R " " POINT " rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
#define V2(R)           V2_AT(R, "/sys/fs/cgroup")
#define V1_CPU(R) \
    "33 31 0:30 " R " /sys/fs/cgroup/cpu rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
#define OTHERS                                                  \
    "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n" \
    "24 22 0:22 / /proc rw,nosuid - proc proc rw\n"             \
    "35 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"

#define CG   "/sys/fs/cgroup"
#define CPU  "/sys/fs/cgroup/cpu"
#define CFSQ "cpu.cfs_quota_us"
#define CFSP "cpu.cfs_period_us"

static const struct test {
    const char *name;
    const char *cgroup;    /* content; NULL: no such file */
    const char *mountinfo; /* content; NULL: no such file */
    struct {
        const char *path, *content;
    } file[6];
    int limit;
} tests[] = {
    {"v2: rounded up", "0::/a/b\n", OTHERS V2("/"), {{CG "/a/b/cpu.max", "150000 100000\n"}}, 2},
    {"v2: whole", "0::/a\n", OTHERS V2("/"), {{CG "/a/cpu.max", "300000 100000\n"}}, 3},
    {"v2: at least 1", "0::/a\n", OTHERS V2("/"), {{CG "/a/cpu.max", "1000 100000\n"}}, 1},
    {"v2: no quota",
     "0::/a\n",
     OTHERS V2("/"),
     {{CG "/a/cpu.max", "max 100000\n"}, {CG "/cpu.max", "max 100000\n"}},
     NO_LIMIT},
    {"v2: the least of all ancestors",
     "0::/a/b/c\n",
     OTHERS V2("/"),
     {{CG "/a/b/c/cpu.max", "max 100000\n"},
      {CG "/a/b/cpu.max", "700000 100000\n"},
      {CG "/a/cpu.max", "200000 50000\n"},
      {CG "/cpu.max", "600000 100000\n"}},
     4},
    {"v2: the root's too", "0::/a\n", OTHERS V2("/"), {{CG "/cpu.max", "200000 100000\n"}}, 2},
    {"v2: nothing above the mount is read",
     "0::/a\n",
     OTHERS V2("/"),
     {{CG "/a/cpu.max", "300000 100000\n"}, {"/sys/fs/cpu.max", "100000 100000\n"}},
     3},
    {"v2: siblings do not count",
     "0::/a\n",
     OTHERS V2("/"),
     {{CG "/a/cpu.max", "300000 100000\n"}, {CG "/ab/cpu.max", "100000 100000\n"}},
     3},
    {"v2: container, its group on top",
     "0::/docker/abc\n",
     OTHERS V2("/docker/abc"),
     {{CG "/cpu.max", "200000 100000\n"}},
     2},
    {"v2: container, a group below its own",
     "0::/docker/abc/x/y\n",
     OTHERS V2("/docker/abc"),
     {{CG "/x/cpu.max", "500000 100000\n"}, {CG "/cpu.max", "700000 100000\n"}},
     5},
    {"v2: a root that only looks like a prefix",
     "0::/docker/abcd\n",
     OTHERS V2("/docker/abc"),
     {{CG "/cpu.max", "100000 100000\n"}, {CG "d/cpu.max", "100000 100000\n"}},
     NO_LIMIT},
    {"v2: a mount of another branch",
     "0::/user/me\n",
     OTHERS V2("/docker/abc"),
     {{CG "/cpu.max", "100000 100000\n"}},
     NO_LIMIT},
    {"v2: two mounts, one of them ours",
     "0::/docker/abc\n",
     OTHERS V2_AT("/docker/other", "/other") V2("/docker/abc"),
     {{"/other/cpu.max", "100000 100000\n"}, {CG "/cpu.max", "300000 100000\n"}},
     3},
    {"namespace: its root", "0::/\n", OTHERS V2("/"), {{CG "/cpu.max", "250000 100000\n"}}, 3},
    {"namespace: group outside, mount inside",
     "0::/../x\n",
     OTHERS V2("/"),
     {{CG "/cpu.max", "100000 100000\n"}, {"/sys/fs/x/cpu.max", "100000 100000\n"}},
     NO_LIMIT},
    {"namespace: mount above, group inside",
     "0::/a\n",
     OTHERS V2("/.."),
     {{CG "/cpu.max", "200000 100000\n"}, {CG "/a/cpu.max", "100000 100000\n"}},
     2},
    {"namespace: mount and group outside",
     "0::/../x\n",
     OTHERS V2("/.."),
     {{CG "/x/cpu.max", "400000 100000\n"}},
     4},
    {"namespace: group higher than the mount",
     "0::/../../x\n",
     OTHERS V2("/.."),
     {{CG "/cpu.max", "100000 100000\n"}, {"/sys/fs/x/cpu.max", "100000 100000\n"}},
     NO_LIMIT},
    {"namespace: mount of a branch outside",
     "0::/a\n",
     OTHERS V2("/../y"),
     {{CG "/cpu.max", "100000 100000\n"}},
     NO_LIMIT},
    {"names that start with two dots",
     "0::/..a/b\n",
     OTHERS V2("/"),
     {{CG "/..a/cpu.max", "200000 100000\n"}},
     2},
    {"a root that starts with two dots",
     "0::/a\n",
     OTHERS V2("/..a"),
     {{CG "/cpu.max", "100000 100000\n"}},
     NO_LIMIT},
    {"v1: rounded up",
     "4:cpu,cpuacct:/g\n",
     OTHERS V1_CPU("/"),
     {{CPU "/g/" CFSQ, "250000\n"}, {CPU "/g/" CFSP, "100000\n"}},
     3},
    {"v1: no quota",
     "4:cpu,cpuacct:/g\n",
     OTHERS V1_CPU("/"),
     {{CPU "/g/" CFSQ, "-1\n"}, {CPU "/g/" CFSP, "100000\n"}},
     NO_LIMIT},
    {"v1: an ancestor's",
     "4:cpuacct,cpu:/g/h\n",
     OTHERS V1_CPU("/"),
     {{CPU "/g/h/" CFSQ, "-1\n"},
      {CPU "/g/h/" CFSP, "100000\n"},
      {CPU "/g/" CFSQ, "200000\n"},
      {CPU "/g/" CFSP, "100000\n"}},
     2},
    {"v1: container",
     "4:cpu:/docker/abc\n",
     OTHERS V1_CPU("/docker/abc"),
     {{CPU "/" CFSQ, "200000\n"}, {CPU "/" CFSP, "50000\n"}},
     4},
    {"v1: a group that the container's mount does not name",
     "4:cpu:/docker/abc\n",
     OTHERS V1_CPU("/"),
     {{CPU "/" CFSQ, "200000\n"}, {CPU "/" CFSP, "100000\n"}},
     2},
    {"v1: other controllers' groups",
     "5:cpuset:/g\n4:cpuacct:/g\n3:name=cpu:/g\n",
     OTHERS V1_CPU("/"),
     {{CPU "/g/" CFSQ, "100000\n"}, {CPU "/g/" CFSP, "100000\n"}},
     NO_LIMIT},
    {"v1: no period", "4:cpu:/g\n", OTHERS V1_CPU("/"), {{CPU "/g/" CFSQ, "100000\n"}}, NO_LIMIT},
    {"hybrid: v2 without the controller",
     "4:cpu:/g\n0::/g\n",
     OTHERS V1_CPU("/") V2_AT("/", CG "/unified"),
     {{CPU "/g/" CFSQ, "200000\n"},
      {CPU "/g/" CFSP, "100000\n"},
      {CG "/unified/g/cgroup.procs", "1\n"}},
     2},
    {"hybrid: the lesser",
     "4:cpu:/g\n0::/g\n",
     OTHERS V1_CPU("/") V2_AT("/", CG "/unified"),
     {{CPU "/g/" CFSQ, "400000\n"},
      {CPU "/g/" CFSP, "100000\n"},
      {CG "/unified/g/cpu.max", "300000 100000\n"}},
     3},
    {"a mount point with a blank",
     "0::/a b\n",
     OTHERS V2_AT("/", "/sys/my\\040groups"),
     {{"/sys/my groups/a b/cpu.max", "200000 100000\n"}},
     2},
    {"a root with a backslash",
     "0::/a\\b/c\n",
     OTHERS V2("/a\\134b"),
     {{CG "/c/cpu.max", "200000 100000\n"}},
     2},
    {"a group with colons",
     "0::/a:b:c\n",
     OTHERS V2("/"),
     {{CG "/a:b:c/cpu.max", "200000 100000\n"}},
     2},
    {"a group that is gone",
     "0::/a/b (deleted)\n",
     OTHERS V2("/"),
     {{CG "/a/cpu.max", "200000 100000\n"}},
     2},
    {"a hierarchy mounted at /",
     "0::/a\n",
     V2_AT("/", "/"),
     {{"/a/cpu.max", "200000 100000\n"}, {"/cpu.max", "100000 100000\n"}},
     1},
    {"no optional fields",
     "0::/\n",
     "31 23 0:28 / " CG " rw - cgroup2 cgroup2 rw\n",
     {{CG "/cpu.max", "200000 100000\n"}},
     2},
    {"several optional fields",
     "0::/\n",
     "31 23 0:28 / " CG " rw shared:1 master:2 propagate_from:3 - cgroup2 cgroup2 rw\n",
     {{CG "/cpu.max", "200000 100000\n"}},
     2},
    {"an empty source",
     "0::/\n",
     "31 23 0:28 / " CG " rw - cgroup2  rw\n",
     {{CG "/cpu.max", "200000 100000\n"}},
     2},
    {"no newline at the end",
     "0::/a",
     "31 23 0:28 / " CG " rw - cgroup2 cgroup2 rw",
     {{CG "/a/cpu.max", "200000 100000"}},
     2},
    {"malformed lines are passed over",
     "\n0\n0:\n0::/a\nx::/b\n0::b\n:::\n",
     "\n31\n31 23 0:28 / /x\n31 23 0:28 / /x rw\n31 23 0:28 / /x rw - \n"
     "31 23 0:28 / /x rw - cgroup2\n31 23 0:28  /other rw - cgroup2 c rw\n" V2("/"),
     {{CG "/a/cpu.max", "200000 100000\n"},
      {CG "/b/cpu.max", "100000 100000\n"},
      {"/other/a/cpu.max", "100000 100000\n"}},
     2},
    {"value: empty", "0::/\n", V2("/"), {{CG "/cpu.max", ""}}, NO_LIMIT},
    {"value: a word", "0::/\n", V2("/"), {{CG "/cpu.max", "much 100000\n"}}, NO_LIMIT},
    {"value: no period", "0::/\n", V2("/"), {{CG "/cpu.max", "100000\n"}}, NO_LIMIT},
    {"value: negative", "0::/\n", V2("/"), {{CG "/cpu.max", "-5 100000\n"}}, NO_LIMIT},
    {"value: period 0", "0::/\n", V2("/"), {{CG "/cpu.max", "100000 0\n"}}, NO_LIMIT},
    {"value: too long",
     "0::/\n",
     V2("/"),
     {{CG "/cpu.max", "99999999999999999999 9223372036854775807\n"}},
     NO_LIMIT},
    {"value: too large", "0::/\n", V2("/"), {{CG "/cpu.max", "9223372036854775807 1\n"}}, NO_LIMIT},
    {"no cgroup file", NULL, V2("/"), {{CG "/cpu.max", "100000 100000\n"}}, NO_LIMIT},
    {"no mountinfo file", "0::/\n", NULL, {{CG "/cpu.max", "100000 100000\n"}}, NO_LIMIT},
    {"empty files", "", "", {{CG "/cpu.max", "100000 100000\n"}}, NO_LIMIT},
    {"no mount", "0::/\n", OTHERS, {{CG "/cpu.max", "100000 100000\n"}}, NO_LIMIT},
};

static int passed, failed;

static void result(bool good, const char *name, int limit)
{
    printf("%s %s (%d)\n", good ? "ok    " : "FAILED", name, limit);
    passed += good;
    failed += !good;
}

static void fail_setup(const char *what)
{
    perror(what);
    exit(1);
}

/* Writes root/path, with the folders on the way. */
static void write_file(const char *root, const char *path, const char *content)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *s = full + strlen(root) + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        if (mkdir(full, 0755) != 0 && errno != EEXIST)
            fail_setup(full);
        *s = '/';
    }
    FILE *f = fopen(full, "w");
    if (f == NULL || fputs(content, f) == EOF || fclose(f) != 0)
        fail_setup(full);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* The limit seen in a fresh tree that holds what the test describes. */
static int limit_of(const struct test *t)
{
    char root[] = "/tmp/filch-cgroup-XXXXXX";
    if (mkdtemp(root) == NULL)
        fail_setup(root);
    if (t->cgroup != NULL)
        write_file(root, "/proc/self/cgroup", t->cgroup);
    if (t->mountinfo != NULL)
        write_file(root, "/proc/self/mountinfo", t->mountinfo);
    for (int i = 0; i < 6 && t->file[i].path != NULL; i++)
        write_file(root, t->file[i].path, t->file[i].content);
    char cgroup[64], mountinfo[64];
    snprintf(cgroup, sizeof cgroup, "%s/proc/self/cgroup", root);
    snprintf(mountinfo, sizeof mountinfo, "%s/proc/self/mountinfo", root);
    int limit = filch__cpus_cgroup_limit(cgroup, mountinfo, root, NO_LIMIT);
    if (nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fail_setup(root);
    return limit;
}

/* Lines longer than any buffer of fixed size would be. */
static void long_lines(void)
{
    static char cgroup[20000], mountinfo[200000];
    memset(cgroup, 'x', 10000);
    memcpy(cgroup, "9:cpu:/", 7);
    strcpy(cgroup + 10000, "\n0::/a\n");
    memset(mountinfo, 'x', 100000);
    memcpy(mountinfo, "31 23 0:28 / /", 14);
    strcpy(mountinfo + 100000, " rw - cgroup2 cgroup2 rw\n" V2("/"));
    struct test t = {
        .cgroup = cgroup,
        .mountinfo = mountinfo,
        .file = {{CG "/a/cpu.max", "200000 100000\n"}},
    };
    int limit = limit_of(&t);
    result(limit == 2, "long lines", limit);
}

int main(void)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        int limit = limit_of(&tests[i]);
        result(limit == tests[i].limit, tests[i].name, limit);
    }
    long_lines();
    int real = filch__cpus_cgroup_limit("/proc/self/cgroup", "/proc/self/mountinfo", "", NO_LIMIT);
    result(real >= 1, "this system", real);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
