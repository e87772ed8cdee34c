"""check_wrapper.py PROGRAM: what the C wrapper passes on to Google Benchmark and back."""

import json
import subprocess
import sys


def run(program, *flags):
    done = subprocess.run([program, *flags], capture_output=True, text=True)
    return done.returncode, done.stdout


def main(program):
    status, listed = run(program, "--benchmark_list_tests")
    assert status == 0
    assert listed.split() == ["counts/real_time", "pauses", "fails"], listed

    json_flag = "--benchmark_format=json"
    # Half a second: a busy machine may take long to wake a sleep of 1 ms, and two are needed.
    status, text = run(program, "--benchmark_filter=counts", "--benchmark_min_time=0.5", json_flag)
    assert status == 0, text
    report = json.loads(text)
    assert report["context"]["key"] == "value"
    (counts,) = report["benchmarks"]
    assert counts["time_unit"] == "ms" and counts["label"] == "a label"
    assert counts["plain"] == 42 and counts["missed"] == 0
    # A rate is what was given per iteration over the time of one iteration.
    assert abs(counts["rate"] * counts["real_time"] / 1e3 / 7 - 1) < 1e-6, counts
    assert counts["iterations"] > 1

    # The 5 ms that each iteration computes while paused are not in its time.
    status, text = run(program, "--benchmark_filter=pauses", "--benchmark_min_time=1e-5", json_flag)
    assert status == 0, text
    (pauses,) = json.loads(text)["benchmarks"]
    assert pauses["time_unit"] == "us" and 0 < pauses["cpu_time"] < 5000, pauses

    status, text = run(program, "--benchmark_filter=fails", json_flag)
    assert status == 1
    (fails,) = json.loads(text)["benchmarks"]
    assert fails["error_occurred"] and fails["error_message"] == "the reason"
    assert "never" not in fails

    assert run(program, "--benchmark_filter=nothing")[0] == 1
    assert run(program, "--unknown")[0] == 1

    # The console shows counters without "/s": their names have the unit.
    status, text = run(program, "--benchmark_filter=counts", "--benchmark_min_time=0.02")
    assert "plain=42" in text and "/s" not in text, text


if __name__ == "__main__":
    main(sys.argv[1])
