#include "cgroup.h"

#include "file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

/* A group's file. */
static bool read_value(const char *group, const char *name, char *text, size_t size) {
    char path[PATH_BYTES];
    const int length = snprintf(path, sizeof path, "%s/%s", group, name);
    return length > 0 && (size_t)length < sizeof path && mbn_read_text(path, text, size);
}

static double ratio(double quota, double period) {
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* "150000 100000", or "max 100000", which is no number. */
static double quota_v2(const char *group) {
    char text[64], *period;
    if (!read_value(group, "cpu.max", text, sizeof text)) return 0;
    const double quota = strtod(text, &period);
    return ratio(quota, strtod(period, NULL));
}

/* -1: none */
static double quota_v1(const char *group) {
    char quota[32], period[32];
    if (!read_value(group, "cpu.cfs_quota_us", quota, sizeof quota) ||
        !read_value(group, "cpu.cfs_period_us", period, sizeof period)) {
        return 0;
    }
    return ratio(strtod(quota, NULL), strtod(period, NULL));
}

static void keep_smaller(double cpus, double *smallest) {
    if (cpus > 0 && (*smallest == 0 || cpus < *smallest)) *smallest = cpus;
}

/* From the group upwards.  Where the groups are mounted in a container, the path may be one that
 * only the host has: then the mount itself is the container's group. */
static void walk_up(const char *root, const char *mount, const char *path,
                    double (*quota)(const char *group), double *smallest) {
    char group[PATH_BYTES];
    const int top = snprintf(group, sizeof group, "%s/sys/fs/cgroup%s", root, mount);
    if (top < 0 || (size_t)top + strlen(path) >= sizeof group) return;
    strcpy(group + top, path);
    for (;;) {
        keep_smaller(quota(group), smallest);
        char *last = strrchr(group + top, '/');
        if (last == NULL) return;
        *last = '\0';
    }
}

/* Whether a list separated by commas has `cpu`. */
static bool has_cpu(const char *list) {
    for (const char *item = list; item != NULL; item = strchr(item, ',')) {
        if (*item == ',') item++;
        if (strncmp(item, "cpu", 3) == 0 && (item[3] == ',' || item[3] == '\0')) return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: "0::/path" of version 2, "4:cpu,cpuacct:/path" of version 1. */
static void read_line(const char *root, char *line, double *smallest) {
    char *controllers = strchr(line, ':');
    char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL || strstr(path, "/..") != NULL) return;
    *controllers++ = '\0';
    *path++ = '\0';
    if (controllers[0] == '\0') {
        walk_up(root, "", path, quota_v2, smallest);
        walk_up(root, "/unified", path, quota_v2, smallest);
    } else if (has_cpu(controllers)) {
        walk_up(root, "/cpu", path, quota_v1, smallest);
        walk_up(root, "/cpu,cpuacct", path, quota_v1, smallest);
    }
}

double mbn_cgroup_cpus(const char *root) {
    char path[PATH_BYTES], text[2 * PATH_BYTES];
    const int length = snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (length < 0 || (size_t)length >= sizeof path || !mbn_read_text(path, text, sizeof text))
        return 0;
    double smallest = 0;
    for (char *line = text, *end; *line != '\0'; line = end) {
        end = line + strcspn(line, "\n");
        if (*end == '\n') *end++ = '\0';
        read_line(root, line, &smallest);
    }
    return smallest;
}
