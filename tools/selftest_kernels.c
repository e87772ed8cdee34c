#include "selftest.h"

#include <checks.h>
#include <kernels/float_state.h>

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- What can go wrong ---------------------------------------------------------------------- */

static struct {
    sigjmp_buf end;
    char message[1024];
} failure;

void check_failed(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure.message, sizeof failure.message, format, arguments);
    va_end(arguments);
    siglongjmp(failure.end, 1);
}

/* Kernels are called with memory between guard pages, and with instructions that this CPU claims to
 * have.  Nothing of theirs is half done where they fault: they take no locks and own no memory. */
static void on_signal(int number) {
    snprintf(failure.message, sizeof failure.message, "%s: %s", described_case(),
             number == SIGILL   ? "illegal instruction"
             : number == SIGFPE ? "arithmetic exception"
                                : "memory fault");
    siglongjmp(failure.end, 1);
}

static const int signals[] = {SIGILL, SIGFPE, SIGSEGV, SIGBUS};
enum { SIGNALS = sizeof signals / sizeof *signals };

static void catch_signals(struct sigaction before[SIGNALS]) {
    describe_case("nothing"); /* which sets a handler of its own the first time */
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &action, &before[i]);
}

/* ---- Cases ---------------------------------------------------------------------------------- */

static convolution_case make_case(int32_t index, mbn_element element, random_state *r) {
    static const int32_t kernels[] = {3, 5, 3, 1};
    const int32_t kernel = kernels[index % 4];
    convolution_case c = awkward_case(index * 7, kernel, kernel, r);
    const int32_t most = element == MBN_ELEMENT_Q8 ? 110 : 40;
    c.channels = random_int(r, 1, most);
    c.outputs = random_int(r, 1, most);
    if (index % 5 == 0) { /* a row of the widest tiles */
        c.channels = random_int(r, 1, 8);
        c.height = c.output_height = 1 + index % 3;
        c.width = random_int(r, 28, 80);
        c.kernel_height = c.kernel_width = 3;
        c.stride_vertical = c.stride_horizontal = c.pad_top = c.pad_left = 1;
        c.output_width = c.width;
    }
    return c;
}

/* Of a family, for every table. */
typedef struct result {
    check_tally tally;
    bool failed;
} result;

typedef result results[MBN_ELEMENT_COUNT][MBN_ISA_COUNT];

/* A table that fails is left out of the family's other cases. */
static void check_all(const kernel_family *family, uint64_t seed, int32_t cases, results found) {
    static operands memory;
    volatile int32_t next = 0;
    volatile bool goes_on = true;
    const uint64_t state = mbn_float_state_set();
    mbn_float_state_restore(state);
    checks_begin();
    if (sigsetjmp(failure.end, 1) != 0) {
        mbn_float_state_restore(state);
        printf("FAILED %s\n", failure.message);
        fflush(stdout);
        const mbn_kernels *table = checks_current();
        if (table != NULL) {
            found[table->element][table->isa].failed = true;
            checks_leave_out(table->element, table->isa);
        }
        /* Scalar bytes are what those of other tables are held against. */
        goes_on =
            table != NULL && !(table->isa == MBN_ISA_SCALAR && family->element == MBN_ELEMENT_Q8);
    }
    /* From the case that failed on. */
    for (; goes_on && next < cases; next++) {
        random_state r = {seed + (uint64_t)next * 1000};
        const convolution_case c = make_case(next, family->element, &r);
        family->check(&c, false, &memory, &r);
    }
    operands_free(&memory);
    for (int element = 0; element < MBN_ELEMENT_COUNT; element++) {
        for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
            found[element][isa].tally = checks_tally((mbn_element)element, (mbn_isa)isa);
        }
    }
}

/* ---- Report --------------------------------------------------------------------------------- */

static bool is_usable(int element, int isa) {
    return (mbn_isa_usable() >> isa & 1u) != 0 &&
           mbn_kernels_for((mbn_element)element, (mbn_isa)isa) != NULL;
}

static void print_result(const result *r, int element) {
    if (r->failed) {
        printf(" %10s", "FAILED");
    } else if (r->tally.calls == 0) {
        printf(" %10s", "");
    } else if (r->tally.worst > 0.0) {
        printf(" %10.2g", r->tally.worst);
    } else {
        printf(" %10s", element == MBN_ELEMENT_Q8 ? "same" : "exact");
    }
}

/* A row for each family, a column for each table. */
static void print_element(int element, results found[KERNEL_FAMILIES]) {
    int64_t calls[MBN_ISA_COUNT] = {0};
    printf("  %-15s", mbn_element_name((mbn_element)element));
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if (is_usable(element, isa)) printf(" %10s", mbn_isa_name((mbn_isa)isa));
    }
    putchar('\n');
    for (int f = 0; f < KERNEL_FAMILIES; f++) {
        const result *row = found[f][element];
        if (row[MBN_ISA_SCALAR].tally.calls == 0) continue;
        printf("    %-13s", kernel_families[f].name);
        for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if (!is_usable(element, isa)) continue;
            print_result(&row[isa], element);
            calls[isa] += row[isa].tally.calls;
        }
        putchar('\n');
    }
    printf("    %-13s", "checks");
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if (is_usable(element, isa)) printf(" %10" PRId64, calls[isa]);
    }
    putchar('\n');
}

int mbn_selftest_kernels(int32_t cases) {
    static results found[KERNEL_FAMILIES];
    struct sigaction before[SIGNALS];
    puts("Kernels, each by itself: the largest difference from exact arithmetic, as a part of what "
         "is allowed;\nof 8-bit integers, from the bytes of scalar code:");
    memset(found, 0, sizeof found);
    catch_signals(before);
    for (int f = 0; f < KERNEL_FAMILIES; f++) {
        check_all(&kernel_families[f], (uint64_t)f, cases, found[f]);
    }
    for (int i = 0; i < SIGNALS; i++) sigaction(signals[i], &before[i], NULL);
    int failed = 0;
    for (int element = 0; element < MBN_ELEMENT_COUNT; element++) {
        print_element(element, found);
        for (int f = 0; f < KERNEL_FAMILIES; f++) {
            for (int isa = 0; isa < MBN_ISA_COUNT; isa++) failed += found[f][element][isa].failed;
        }
    }
    return failed;
}
