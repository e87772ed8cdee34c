/* What other libraries are known not to survive. */
#ifndef MBN_TESTS_FAULTS_KNOWN_H
#define MBN_TESTS_FAULTS_KNOWN_H

/* Leaves it out of what fails:
 *   cpuinfo (Debian's, of 2022), which is started here, where nothing fails.  It crashes where it
 *   cannot open or read the lists of CPUs in /sys.
 *   jansson 2.14 as it makes room for a longer token: that character is lost, and it goes on
 *   reading, or aborts (akheron/jansson, issue 362). */
void faults_leave_out_known(void);

#endif
