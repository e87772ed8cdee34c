/* Which CPUs a process may use, by files that say so: those of cgroups, versions 1 and 2, as they
 * are mounted on machines and in containers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_setaffinity */
#endif

#include "arch/system/cgroup.h"
#include "arch/system/cpus.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FILES = 8 };

/* Files of the system, and the CPUs that they leave; 0: no quota. */
static const struct machine {
    const char *name;
    struct {
        const char *path, *text;
    } files[MOST_FILES];
    double cpus;
} machines[] = {
    {"no /proc", {{NULL, NULL}}, 0},
    {"no groups", {{"proc/self/cgroup", ""}}, 0},
    {"version 2, no limit",
     {{"proc/self/cgroup", "0::/app\n"}, {"sys/fs/cgroup/app/cpu.max", "max 100000\n"}},
     0},
    {"version 2",
     {{"proc/self/cgroup", "0::/app\n"}, {"sys/fs/cgroup/app/cpu.max", "150000 100000\n"}},
     1.5},
    {"version 2, another period",
     {{"proc/self/cgroup", "0::/app\n"}, {"sys/fs/cgroup/app/cpu.max", "10000 40000\n"}},
     0.25},
    {"a container's own root",
     {{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "200000 100000\n"}},
     2},
    {"nested, the outer is smaller",
     {{"proc/self/cgroup", "0::/a/b/c\n"},
      {"sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n"},
      {"sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
      {"sys/fs/cgroup/a/cpu.max", "300000 100000\n"}},
     3},
    {"nested, the inner is smaller",
     {{"proc/self/cgroup", "0::/a/b\n"},
      {"sys/fs/cgroup/a/b/cpu.max", "100000 100000\n"},
      {"sys/fs/cgroup/a/cpu.max", "300000 100000\n"}},
     1},
    {"a neighbour's quota",
     {{"proc/self/cgroup", "0::/a\n"},
      {"sys/fs/cgroup/a/cpu.max", "max 100000\n"},
      {"sys/fs/cgroup/b/cpu.max", "100000 100000\n"}},
     0},
    {"a path that only the host has",
     {{"proc/self/cgroup", "0::/docker/0123\n"}, {"sys/fs/cgroup/cpu.max", "50000 100000\n"}},
     0.5},
    {"outside of the container's groups",
     {{"proc/self/cgroup", "0::/../other\n"}, {"sys/fs/other/cpu.max", "50000 100000\n"}},
     0},
    {"version 1, no limit",
     {{"proc/self/cgroup", "4:cpu,cpuacct:/app\n"},
      {"sys/fs/cgroup/cpu/app/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu/app/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 1",
     {{"proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/app/x\n3:cpuset:/\n"},
      {"sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "250000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/app/x/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu,cpuacct/app/x/cpu.cfs_period_us", "100000\n"}},
     2.5},
    {"version 1, another controller's group",
     {{"proc/self/cgroup", "4:cpuacct:/app\n3:cpuset:/app\n"},
      {"sys/fs/cgroup/cpu/app/cpu.cfs_quota_us", "100000\n"},
      {"sys/fs/cgroup/cpu/app/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 1, in a container",
     {{"proc/self/cgroup", "2:cpu:/docker/0123\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
     4},
    {"both versions",
     {{"proc/self/cgroup", "1:cpu:/a\n0::/b\n"},
      {"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "300000\n"},
      {"sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/unified/b/cpu.max", "200000 100000\n"}},
     2},
    {"what makes no sense",
     {{"proc/self/cgroup", "0::\n:\n::\nx\n1:cpu\n0::/a\n0::/b\n0::/c"},
      {"sys/fs/cgroup/a/cpu.max", "100000 0\n"},
      {"sys/fs/cgroup/b/cpu.max", "\n"},
      {"sys/fs/cgroup/c/cpu.max", "-5 100000\n"}},
     0},
};

static char root[] = "/tmp/mobilenet-cgroup-XXXXXX";

/* Tests may share a process. */
static void make_root(void) {
    memset(root + sizeof root - 7, 'X', 6);
    cr_assert_not_null(mkdtemp(root));
}

/* With the folders that it is in. */
static void write_file(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *c = full + sizeof root; *c != '\0'; c++) {
        if (*c != '/') continue;
        *c = '\0';
        cr_assert(mkdir(full, 0700) == 0 || errno == EEXIST, "%s", full);
        *c = '/';
    }
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file, "%s", full);
    fputs(text, file);
    fclose(file);
}

/* The files, and the folders that are empty then. */
static void remove_file(const char *path) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    cr_assert_eq(unlink(full), 0);
    for (char *last; (last = strrchr(full, '/')) > full + sizeof root - 2;) {
        *last = '\0';
        if (strlen(full) < sizeof root || rmdir(full) != 0) break;
    }
}

Test(cgroup, quotas) {
    make_root();
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        const struct machine *m = &machines[i];
        for (int f = 0; f < MOST_FILES && m->files[f].path != NULL; f++) {
            write_file(m->files[f].path, m->files[f].text);
        }
        const double cpus = mbn_cgroup_cpus(root);
        cr_expect(cpus == m->cpus, "%s: %g CPUs, not %g", m->name, cpus, m->cpus);
        for (int f = 0; f < MOST_FILES && m->files[f].path != NULL; f++) {
            remove_file(m->files[f].path);
        }
    }
    cr_expect_eq(rmdir(root), 0);
}

#if defined(__linux__)
static void expect_usable(const char *quota, int32_t affinity) {
    char text[64];
    mbn_cpus cpus;
    snprintf(text, sizeof text, "%s 100000\n", quota);
    write_file("sys/fs/cgroup/cpu.max", text);
    mbn_count_cpus(root, &cpus);
    const double limit = strtod(quota, NULL) / 100000;
    const int32_t whole = (int32_t)limit + (limit > (int32_t)limit ? 1 : 0);
    const int32_t usable = limit > 0 && whole < affinity ? whole : affinity;
    cr_expect_eq(cpus.affinity, affinity);
    cr_expect(cpus.quota == limit, "quota %g", cpus.quota);
    cr_expect_eq(cpus.usable, usable, "quota %s, affinity %d: %d usable", quota, (int)affinity,
                 (int)cpus.usable);
    cr_expect_geq(cpus.online, affinity);
}

/* The system's list of CPUs; 0: none, and what counts is asked of the C library. */
Test(cgroup, online) {
    static const struct {
        const char *list;
        int32_t count;
    } lists[] = {{"0\n", 1},
                 {"0-1\n", 2},
                 {"0-1,4,8-63\n", 59},
                 {"3,5", 2},
                 {"0-1023\n", 1024},
                 {"0-1,\n", 0},
                 {"\n", 0},
                 {"", 0},
                 {"x", 0},
                 {"1-0\n", 0},
                 {"-1\n", 0},
                 {"0-\n", 0},
                 {"0;1\n", 0},
                 {"0-99999999999999999999\n", 0}};
    mbn_cpus own, cpus;
    make_root();
    mbn_count_cpus(root, &own);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        write_file("sys/devices/system/cpu/online", lists[i].list);
        mbn_count_cpus(root, &cpus);
        const int32_t online = lists[i].count > 0 ? lists[i].count : own.online;
        const int32_t usable = own.affinity < online ? own.affinity : online;
        cr_expect_eq(cpus.online, online, "%s: %d", lists[i].list, (int)cpus.online);
        cr_expect_eq(cpus.affinity, usable, "%s: %d", lists[i].list, (int)cpus.affinity);
        cr_expect_eq(cpus.usable, usable, "%s: %d", lists[i].list, (int)cpus.usable);
    }
    remove_file("sys/devices/system/cpu/online");
    cr_expect_eq(rmdir(root), 0);
}

/* The affinity mask of a test is its own: Criterion gives it a process. */
Test(cgroup, affinity_and_quota) {
    cpu_set_t all, some;
    make_root();
    write_file("proc/self/cgroup", "0::/\n");
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&some);
    int32_t count = 0;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && count < 4; cpu++) {
        if (!CPU_ISSET(cpu, &all)) continue;
        CPU_SET(cpu, &some);
        count++;
        cr_assert_eq(sched_setaffinity(0, sizeof some, &some), 0);
        static const char *const quotas[] = {"max", "10000", "100000", "150000", "400000"};
        for (size_t q = 0; q < sizeof quotas / sizeof *quotas; q++) expect_usable(quotas[q], count);
    }
    remove_file("sys/fs/cgroup/cpu.max");
    remove_file("proc/self/cgroup");
    cr_expect_eq(rmdir(root), 0);
}
#endif
