/* An input that loops: by the processor's time, which other work on the machine does not use up.
 * The clock (tests/patience.h, libFuzzer's -timeout) finds those that wait. */
#include "input.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

enum { MOST_SECONDS = 25 };

static void too_long(int number) {
    (void)number;
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    signal(SIGPROF, too_long);
    const struct itimerval most = {.it_value.tv_sec = MOST_SECONDS}, none = {0};
    setitimer(ITIMER_PROF, &most, NULL);
    const int result = fuzz_input(data, size);
    setitimer(ITIMER_PROF, &none, NULL);
    return result;
}
