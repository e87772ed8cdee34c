"""smoke.py BENCH: runs the smallest shape of every family on every table, and checks that
each is there with all its counters.  No times are judged."""

import json
import math
import re
import subprocess
import sys

WORK = ["%peak", "peak_GFLOP/s", "GFLOP/s", "GB/s"]
MOVE = ["GB/s"]
PAIR = [f"{what}_{which}" for what in ("us", "%peak", "parameters", "macs")
        for which in ("separable", "standard")] + ["macs_ratio", "time_ratio", "peak_GFLOP/s"]
COUNTERS = {
    "pointwise": WORK,
    "depthwise": WORK,
    "depthwise_border": WORK,
    "convolution": WORK,
    "batch_norm": WORK,
    "channel_scale": WORK,
    "add": WORK,
    "global_average_pool": WORK,
    "max_pool": MOVE,
    "fully_connected": WORK,
    "softmax": MOVE,
    "to_blocked_nhwc": MOVE,
    "to_blocked_nchw": MOVE,
    "from_blocked_nhwc": MOVE,
    "from_blocked_nchw": MOVE,
    "packing": MOVE,
    "compare_separable": PAIR,
    "network": ["%peak", "peak_GFLOP/s", "GFLOP/s", "images/s", "floor_ms"],
}


# Other libraries, where the program has them (MOBILENET_BENCH_PEERS).
PEERS = {"xnnpack", "onednn"}
PEER_FAMILIES = ["pointwise", "depthwise", "convolution", "fully_connected"]


def run(bench, *flags):
    done = subprocess.run([bench, *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    return done.stdout


def size(name):
    """Product of the numbers in a shape; a network's size is its place in order of work."""
    networks = ["v3_small/", "v3_small_article", "v3_large", "v2", "v1"]
    for place, network in enumerate(networks):
        if "mobilenet_" + network in name:
            return place + 0.5 * ("threads:1" not in name)
    return math.prod(map(int, re.findall(r"\d+", name.split("/", 2)[2])))


def main(bench):
    names = run(bench, "--benchmark_list_tests").splitlines()
    assert all(re.fullmatch(r"[\w:/-]+", name) for name in names), "a name that needs quoting"
    assert len(names) == len(set(names)), "a name is registered twice"
    smallest = {}
    for name in names:
        key = tuple(name.split("/")[:2])
        if key not in smallest or size(name) < size(smallest[key]):
            smallest[key] = name
    peers = {by for _, by in smallest} & PEERS
    tables = {by for _, by in smallest} - PEERS
    assert {"scalar", "scalar:bf16", "scalar:q8"} <= tables
    assert set(smallest) == ({(family, table) for family in COUNTERS for table in tables
                              if family != "network" or not table.endswith(":q8")} |
                             {(family, peer) for family in PEER_FAMILIES for peer in peers})

    chosen = set(smallest.values())
    report = json.loads(run(bench, f"--benchmark_filter=^({'|'.join(sorted(chosen))})$",
                            "--benchmark_min_time=0.001", "--benchmark_format=json"))
    context = report["context"]
    assert set(context["tables"].split(",")) == tables
    for table in tables:
        assert float(context[f"peak GFLOP/s {table}"]) > 0
    assert all(context[peer] != "does not start" for peer in peers)
    for level in ("L1", "L2", "DRAM"):
        assert float(context[f"read GB/s {level}"].split()[0]) > 0

    def same(a, b):
        return math.isclose(a, b, rel_tol=1e-6)

    results = {result["name"]: result for result in report["benchmarks"]}
    assert set(results) == chosen
    for name, result in results.items():
        family = name.split("/")[0]
        for counter in COUNTERS[family]:
            value = result[counter]
            assert math.isfinite(value) and value > 0, f"{name}: {counter} = {value}"
        assert result["cpu_time"] > 0
        # Counters agree with each other, whatever the time was.
        if name.split("/")[1] in PEERS:
            continue
        peak = result.get("peak_GFLOP/s")
        if family == "compare_separable":
            for which in ("separable", "standard"):
                gflops = 2e-3 * result["macs_" + which] / result["us_" + which]
                assert same(result["%peak_" + which], 100 * gflops / peak), name
            assert same(result["time_ratio"], result["us_standard"] / result["us_separable"]), name
        elif "%peak" in result:
            assert same(result["%peak"], 100 * result["GFLOP/s"] / peak), name


if __name__ == "__main__":
    main(sys.argv[1])
