/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU quota of the control groups above this process.
 *
 * /proc/self/cgroup names the process's group in each hierarchy, /proc/self/mountinfo says where a
 * hierarchy is mounted and which of its groups is the mount's root. In a container the latter is
 * often a group of its own, whose name is then a prefix of the former. In a cgroup namespace names
 * count from the namespace's root, and what lies above it is spelled "/..". Every mount that shows
 * the process's group, or an ancestor of it, is read, from the group up to the mount's root.
 */
#define _GNU_SOURCE 1
#include "sched/os/cpus.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Name of the process's group in the v2 hierarchy and in v1's with the cpu controller; "": none. */
struct groups {
    char v2[PATH_MAX];
    char v1[PATH_MAX];
};

struct mount {
    char *root;  /* group that the mount shows at its top */
    char *point; /* where */
    bool v2;
};

/* False, and out is "", where it does not fit. */
static bool copy(char out[PATH_MAX], const char *s)
{
    size_t n = strlen(s);
    if (n >= PATH_MAX)
        n = 0;
    memcpy(out, s, n);
    out[n] = '\0';
    return n != 0;
}

static bool list_has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = list; s != NULL; s = strchr(s, ',')) {
        s += *s == ',';
        if (strncmp(s, word, n) == 0 && (s[n] == ',' || s[n] == '\0'))
            return true;
    }
    return false;
}

/* Reads the next line without its newline into the buffer of getline. */
static char *next_line(FILE *f, char **buffer, size_t *size)
{
    ssize_t n = getline(buffer, size, f);
    if (n < 0)
        return NULL;
    if (n > 0 && (*buffer)[n - 1] == '\n')
        (*buffer)[n - 1] = '\0';
    return *buffer;
}

/* Lines are "id:controllers:name", for v2 "0::name"; the name may hold colons. */
static void read_groups(struct groups *g, const char *file)
{
    g->v1[0] = g->v2[0] = '\0';
    FILE *f = fopen(file, "re");
    if (f == NULL)
        return;
    char *buffer = NULL, *line;
    size_t size = 0;
    while ((line = next_line(f, &buffer, &size)) != NULL) {
        const char *id = strsep(&line, ":"), *controllers = strsep(&line, ":");
        if (controllers == NULL || line == NULL || line[0] != '/')
            continue;
        if (strcmp(id, "0") == 0 && controllers[0] == '\0')
            copy(g->v2, line);
        else if (list_has(controllers, "cpu"))
            copy(g->v1, line);
    }
    free(buffer);
    fclose(f);
}

/* In place: mountinfo writes blanks and backslashes as a backslash and three octal digits. */
static void unescape(char *s)
{
    char *out = s;
    while (*s != '\0') {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 4;
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

/*
 * "id parent dev root point options [optional ...] - type source super-options". False: not a
 * mount of a hierarchy that may bound the CPU. m points into the line.
 */
static bool parse_mount(struct mount *m, char *line)
{
    char *field[6];
    for (int i = 0; i < 6; i++) {
        field[i] = strsep(&line, " ");
        if (field[i] == NULL)
            return false;
    }
    char *s;
    do {
        s = strsep(&line, " ");
    } while (s != NULL && strcmp(s, "-") != 0);
    const char *type = strsep(&line, " "), *source = strsep(&line, " ");
    if (type == NULL || source == NULL || line == NULL)
        return false;
    m->v2 = strcmp(type, "cgroup2") == 0;
    if (!m->v2 && !(strcmp(type, "cgroup") == 0 && list_has(line, "cpu")))
        return false;
    m->root = field[3];
    m->point = field[4];
    unescape(m->root);
    unescape(m->point);
    return m->root[0] == '/' && m->point[0] == '/';
}

/* How many "/.." the name starts with; *rest is what follows them. */
static int leading_ups(const char *name, const char **rest)
{
    int n = 0;
    while (strncmp(name, "/..", 3) == 0 && (name[3] == '/' || name[3] == '\0')) {
        name += 3;
        n++;
    }
    *rest = name;
    return n;
}

/*
 * Where the mount shows the group: the part of its name below the mount's root, "" for the root
 * itself. NULL: the mount does not show it nor, at its root, an ancestor of it.
 */
static const char *below_root(const char *root, const char *group)
{
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
    const char *root_rest, *group_rest, *rest;
    if (strncmp(group, root, n) == 0 && (group[n] == '/' || group[n] == '\0')) {
        rest = group + n;
        /* Only leading components can be "..": one left here lies above the mount's root. */
        if (leading_ups(rest, &group_rest) != 0)
            return NULL;
        return rest;
    }
    /* The root is so far above the namespace that the group must lie below; by which way is
     * unknown. */
    if (leading_ups(root, &root_rest) > leading_ups(group, &group_rest) && root_rest[0] == '\0')
        return "";
    return NULL;
}

/* The first line of dir/file in out. */
static bool read_value(const char *dir, const char *file, char *out, int size)
{
    char path[PATH_MAX + 32];
    int n = snprintf(path, sizeof path, "%s/%s", dir, file);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool read = fgets(out, size, f) != NULL;
    fclose(f);
    return read;
}

/* A positive number at *s, which then points behind it; -1: none, or too large. */
static long long positive(const char *s, char **end)
{
    errno = 0;
    long long v = strtoll(s, end, 10);
    return *end != s && errno == 0 && v > 0 ? v : -1;
}

/* Quota of the one group in CPUs, rounded up; INT_MAX where it has none. */
static int group_limit(const char *dir, bool v2)
{
    char value[128], *end;
    long long quota, period;
    if (v2) {
        if (!read_value(dir, "cpu.max", value, sizeof value))
            return INT_MAX;
        quota = positive(value, &end); /* "max" is no number */
        period = positive(end, &end);
    } else {
        if (!read_value(dir, "cpu.cfs_quota_us", value, sizeof value))
            return INT_MAX;
        quota = positive(value, &end);
        if (!read_value(dir, "cpu.cfs_period_us", value, sizeof value))
            return INT_MAX;
        period = positive(value, &end);
    }
    if (quota < 0 || period < 0)
        return INT_MAX;
    long long cpus = quota / period + (quota % period != 0);
    return cpus < INT_MAX ? (int)cpus : INT_MAX;
}

/* The least quota from the group up to the root of the mount. */
static int mount_limit(const struct mount *m, const char *group, const char *root_prefix)
{
    const char *below = below_root(m->root, group);
    if (below == NULL)
        return INT_MAX;
    char dir[PATH_MAX];
    int n = snprintf(dir, sizeof dir, "%s%s%s", root_prefix, m->point, below);
    if (n < 0 || (size_t)n >= sizeof dir)
        return INT_MAX;
    char *top = dir + strlen(root_prefix) + strlen(m->point);
    int least = INT_MAX;
    for (;;) {
        int limit = group_limit(dir, m->v2);
        if (limit < least)
            least = limit;
        char *slash = strrchr(top, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

int filch__cpus_cgroup_limit(const char *proc_self_cgroup, const char *proc_self_mountinfo,
                             const char *root_prefix, int fallback)
{
    struct groups g;
    read_groups(&g, proc_self_cgroup);
    FILE *f = fopen(proc_self_mountinfo, "re");
    if (f == NULL)
        return fallback;
    char *buffer = NULL, *line;
    size_t size = 0;
    int least = INT_MAX;
    while ((line = next_line(f, &buffer, &size)) != NULL) {
        struct mount m;
        if (!parse_mount(&m, line))
            continue;
        const char *group = m.v2 ? g.v2 : g.v1;
        int limit = group[0] == '/' ? mount_limit(&m, group, root_prefix) : INT_MAX;
        if (limit < least)
            least = limit;
    }
    free(buffer);
    fclose(f);
    return least != INT_MAX ? least : fallback;
}
