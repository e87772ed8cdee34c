/* mobilenet profile MODEL: where a model's time goes, step by step. */
#include "command.h"
#include "measure.h"
#include "plot.h"
#include "processor.h"
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { KEY_ROUNDS = 0x400, KEY_PLOT };

struct arguments {
    mbn_inspect_options inspect;
    int32_t rounds;
    const char *plot;
};

static const struct argp_option options[] = {
    {"rounds", KEY_ROUNDS, "N", 0,
     "Runs to take the median of, 1 to 100000 (default 50); as many go by without a clock inside",
     0},
    {"plot", KEY_PLOT, "FILE.svg", 0, "Draw it, as SVG", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->inspect; return 0;
    case KEY_ROUNDS:
        arguments->rounds = (int32_t)mbn_option_integer(state, "--rounds", argument, 1, 100000);
        return 0;
    case KEY_PLOT: arguments->plot = mbn_option_output(state, "--plot", argument, ".svg"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* ms, GFLOP/s, % of the peak, ms above it, ms less in cache, MB, % of the total; what has no
 * multiply-adds has no rate. */
static void print_cost(const mbn_cost *cost, const mbn_measurement *measurement) {
    char rate[16] = "-", share[16] = "-";
    if (cost->multiply_adds > 0) {
        const double flops = mbn_cost_flops(cost);
        snprintf(rate, sizeof rate, "%.1f", 1e-9 * flops);
        snprintf(share, sizeof share, "%.1f", 100 * flops / measurement->peak);
    }
    printf(" %9.4f %9s %8s %9.4f %9.4f %8.3f %8.1f\n", 1e3 * cost->seconds, rate, share,
           1e3 * (cost->seconds - mbn_cost_floor(cost, measurement)),
           1e3 * (cost->seconds - cost->again), 1e-6 * (double)cost->bytes,
           100 * cost->seconds / measurement->total.seconds);
}

static void print_cost_heading(void) {
    printf(" %9s %9s %8s %9s %9s %8s %8s\n", "ms", "GFLOP/s", "% peak", "over ms", "cold ms", "MB",
           "% time");
}

static void print_steps(const mbn_inspection *inspection, const mbn_measurement *measurement) {
    static const char name_heading[] = "first layer", kind_heading[] = "runs";
    const mbn_network *network = inspection->network;
    const int name_width = mbn_inspect_name_width(inspection, name_heading);
    const int kind_width = mbn_inspect_kind_width(inspection, kind_heading);
    printf("%5s  %-*s  %-*s  %11s", "step", name_width, name_heading, kind_width, kind_heading,
           "output");
    print_cost_heading();
    for (int32_t i = 0; i < measurement->step_count; i++) {
        const mbn_step_cost *step = &measurement->steps[i];
        printf("%5d  %-*s  %-*s  %11s", i, name_width, network->layers[step->info.first_layer].name,
               kind_width, measurement->kinds[step->kind].name.text,
               mbn_inspect_shape(network, &step->info).text);
        print_cost(&step->cost, measurement);
    }
    printf("%5s  %*s", "total", name_width + 2 + kind_width + 2 + 11, "");
    print_cost(&measurement->total, measurement);
}

static void print_kinds(const mbn_inspection *inspection, const mbn_measurement *measurement) {
    static const char heading[] = "by kind";
    const int width = mbn_inspect_kind_width(inspection, heading);
    printf("\n%-*s %5s", width, heading, "steps");
    print_cost_heading();
    for (int32_t i = 0; i < measurement->kind_count; i++) {
        const mbn_kind_cost *kind = &measurement->kinds[i];
        printf("%-*s %5d", width, kind->name.text, kind->steps);
        print_cost(&kind->cost, measurement);
    }
}

static void print_summary(const mbn_inspection *inspection, const mbn_measurement *measurement) {
    const int32_t threads = mbn_context_threads(inspection->context);
    const double floor = mbn_cost_floor(&measurement->total, measurement);
    printf("\n%9.4f ms  multiply-adds at the peak of %d core%s, %.1f GFLOP/s each\n", 1e3 * floor,
           threads, threads == 1 ? "" : "s", 1e-9 * measurement->core_peak);
    printf("%9.4f ms  a plain run, %.2f times that\n", 1e3 * measurement->run_seconds,
           measurement->run_seconds / floor);
    printf("%9.4f ms  a run with a clock at every step, %+.1f %%\n",
           1e3 * measurement->clocked_seconds,
           100 * (measurement->clocked_seconds / measurement->run_seconds - 1));
    printf("%9.4f ms  the steps' medians together; less than that run where others disturb it\n",
           1e3 * measurement->total.seconds);
}

static void print_text(const mbn_inspection *inspection, const mbn_measurement *measurement,
                       const char *date) {
    mbn_inspect_print(inspection);
    print_steps(inspection, measurement);
    print_kinds(inspection, measurement);
    print_summary(inspection, measurement);
    printf("\nMedians of %d rounds on %s, %s.\n", measurement->rounds, mbn_processor_name(), date);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Adds to an object what print_cost prints. */
static json_t *with_cost(json_t *object, const mbn_cost *cost, const mbn_measurement *measurement) {
    const double flops = cost->multiply_adds > 0 ? mbn_cost_flops(cost) : NAN;
    object = mbn_json_with(object, "ms", mbn_json_real(1e3 * cost->seconds));
    object = mbn_json_with(object, "gflops", mbn_json_real(1e-9 * flops));
    object =
        mbn_json_with(object, "percent_of_peak", mbn_json_real(100 * flops / measurement->peak));
    object =
        mbn_json_with(object, "ms_over_floor",
                      mbn_json_real(1e3 * (cost->seconds - mbn_cost_floor(cost, measurement))));
    object = mbn_json_with(object, "ms_cold", mbn_json_real(1e3 * (cost->seconds - cost->again)));
    return mbn_json_with(object, "percent_of_total",
                         mbn_json_real(100 * cost->seconds / measurement->total.seconds));
}

static json_t *kind_json(const mbn_kind_cost *kind, const mbn_measurement *measurement) {
    return with_cost(json_pack("{s:s, s:i, s:I, s:I}", "kind", kind->name.text, "steps",
                               kind->steps, "multiply_adds", (json_int_t)kind->cost.multiply_adds,
                               "bytes", (json_int_t)kind->cost.bytes),
                     &kind->cost, measurement);
}

static bool print_json(const mbn_inspection *inspection, const mbn_measurement *measurement,
                       const char *date) {
    json_t *steps = json_array(), *kinds = json_array();
    for (int32_t i = 0; i < measurement->step_count; i++) {
        mbn_json_append(&steps, with_cost(mbn_inspect_step_json(inspection, i),
                                          &measurement->steps[i].cost, measurement));
    }
    for (int32_t i = 0; i < measurement->kind_count; i++) {
        mbn_json_append(&kinds, kind_json(&measurement->kinds[i], measurement));
    }
    const double floor = mbn_cost_floor(&measurement->total, measurement);
    json_t *result = mbn_inspect_json(inspection);
    result = mbn_json_with(result, "machine", mbn_json_text(mbn_processor_name()));
    result = mbn_json_with(result, "date", json_string(date));
    result = mbn_json_with(result, "rounds", json_integer(measurement->rounds));
    result =
        mbn_json_with(result, "peak_gflops_per_core", mbn_json_real(1e-9 * measurement->core_peak));
    result = mbn_json_with(result, "floor_ms", mbn_json_real(1e3 * floor));
    result = mbn_json_with(result, "run_ms", mbn_json_real(1e3 * measurement->run_seconds));
    result =
        mbn_json_with(result, "clocked_run_ms", mbn_json_real(1e3 * measurement->clocked_seconds));
    result = mbn_json_with(result, "steps_ms", mbn_json_real(1e3 * measurement->total.seconds));
    result = mbn_json_with(result, "kinds", kinds);
    return mbn_json_print(mbn_json_with(result, "steps", steps));
}

/* ---- The command ----------------------------------------------------------------------------- */

static int show(const struct arguments *arguments, const mbn_inspection *inspection,
                const mbn_measurement *measurement) {
    char date[16];
    mbn_today(date);
    if (arguments->inspect.json) {
        if (!print_json(inspection, measurement, date)) return MBN_EXIT_FAILED;
    } else {
        print_text(inspection, measurement, date);
    }
    if (arguments->plot == NULL) return MBN_EXIT_OK;
    mbn_error error;
    if (mbn_plot(arguments->plot, inspection, measurement, mbn_processor_name(), date, &error) !=
        MBN_OK) {
        return mbn_inspect_failed(arguments->plot, &error);
    }
    return MBN_EXIT_OK;
}

int mbn_command_profile(int argc, char **argv) {
    static const struct argp_child children[] = {{&mbn_inspect_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "MODEL",
        .doc = "Time a model step by step, against the peak of this machine's multiply-adds, which "
               "is measured in between.",
        .children = children,
    };
    struct arguments arguments = {.inspect = {.run = {.isa_mask = MBN_ISA_MASK_ALL, .threads = 1}},
                                  .rounds = 50};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;

    mbn_inspection inspection;
    mbn_error error;
    if (mbn_inspect(&arguments.inspect, &inspection, &error) != MBN_OK) {
        return mbn_inspect_failed(NULL, &error);
    }
    mbn_measurement measurement;
    int status;
    if (mbn_measure(&inspection, arguments.rounds, &measurement, &error) == MBN_OK) {
        status = show(&arguments, &inspection, &measurement);
        mbn_measurement_free(&measurement);
    } else {
        status = mbn_inspect_failed(arguments.inspect.model, &error);
    }
    mbn_inspect_end(&inspection);
    return status;
}
