/* How much of the CPUs this process's control groups leave it. */
#ifndef MBN_ARCH_CGROUP_H
#define MBN_ARCH_CGROUP_H

/* The smallest quota of its groups and of those that they are in, versions 1 and 2, in CPUs; 0:
 * none.  The system's files are those under `root`: "" for its own. */
double mbn_cgroup_cpus(const char *root);

#endif
