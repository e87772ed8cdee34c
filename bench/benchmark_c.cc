#include "benchmark_c.h"

#include <benchmark/benchmark.h>

#include <vector>

namespace {

bool failed = false;

benchmark::State &unwrap(bench_state *state) {
    return *reinterpret_cast<benchmark::State *>(state);
}

benchmark::internal::Benchmark *unwrap(bench_entry *entry) {
    return reinterpret_cast<benchmark::internal::Benchmark *>(entry);
}

/* Stands before the reporter that --benchmark_format asks for, to run something once at the start,
 * and to drop the "/s" that the console appends to rates: our counters' names have their unit. */
class Reporter : public benchmark::BenchmarkReporter {
  public:
    Reporter(benchmark::BenchmarkReporter *to, void (*before)())
        : reporter(to), before_run(before) {
    }

    bool ReportContext(const Context &context) override {
        if (before_run != nullptr) before_run();
        return reporter->ReportContext(context);
    }

    void ReportRuns(const std::vector<Run> &runs) override {
        std::vector<Run> shown = runs;
        for (Run &run : shown) {
            for (auto &counter : run.counters) {
                counter.second.flags = benchmark::Counter::kDefaults;
            }
        }
        reporter->ReportRuns(shown);
    }

    void Finalize() override {
        reporter->Finalize();
    }

  private:
    benchmark::BenchmarkReporter *reporter;
    void (*before_run)();
};

} // namespace

extern "C" {

bench_entry *bench_register(const char *name, bench_function *function, const void *context) {
    benchmark::internal::Benchmark *entry =
        benchmark::RegisterBenchmark(name, [function, context](benchmark::State &state) {
            function(reinterpret_cast<bench_state *>(&state), context);
        });
    entry->Unit(benchmark::kMicrosecond);
    return reinterpret_cast<bench_entry *>(entry);
}

void bench_in_milliseconds(bench_entry *entry) {
    unwrap(entry)->Unit(benchmark::kMillisecond);
}

void bench_by_wall_clock(bench_entry *entry) {
    unwrap(entry)->UseRealTime();
}

bool bench_keep_running(bench_state *state) {
    return unwrap(state).KeepRunning();
}

void bench_pause(bench_state *state) {
    unwrap(state).PauseTiming();
}

void bench_resume(bench_state *state) {
    unwrap(state).ResumeTiming();
}

int64_t bench_iterations(const bench_state *state) {
    return static_cast<int64_t>(reinterpret_cast<const benchmark::State *>(state)->iterations());
}

void bench_counter(bench_state *state, const char *name, double value) {
    unwrap(state).counters[name] = benchmark::Counter(value);
}

void bench_rate(bench_state *state, const char *name, double value) {
    unwrap(state).counters[name] =
        benchmark::Counter(value, benchmark::Counter::kIsIterationInvariantRate);
}

void bench_label(bench_state *state, const char *text) {
    unwrap(state).SetLabel(text);
}

void bench_skip_with_error(bench_state *state, const char *message) {
    failed = true;
    unwrap(state).SkipWithError(message);
}

void bench_context(const char *key, const char *value) {
    benchmark::AddCustomContext(key, value);
}

int bench_main(int argc, char **argv, void (*before_run)(void)) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    Reporter reporter(benchmark::CreateDefaultDisplayReporter(), before_run);
    size_t matched = benchmark::RunSpecifiedBenchmarks(&reporter);
    benchmark::Shutdown();
    return matched == 0 || failed ? 1 : 0;
}

} // extern "C"
