"""The comparison as a bar chart: a panel for each thread count, bars in multiples of the floor."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot

import process

# Ours stands out; the others can be told apart, also without telling red from green (Okabe and Ito).
COLORS = {process.OURS: "#0b5394", process.FLOATS: "#9fc5e8", "openvino": "#cc79a7",
          "nncf": "#009e73", "litert": "#e69f00", "onnxruntime": "#56b4e9", "ncnn": "#999999"}
BAR, GROUP = 0.16, 0.96  # the widest bar; all of a network


def draw(results, stem):
    """Writes STEM.svg and STEM.png; returns (path, alternative text) of those to show."""
    matplotlib.rcParams["svg.hashsalt"] = "mobilenet"
    counts = sorted({row["threads"] for row in results["latency"]})
    figure, axes = pyplot.subplots(len(counts), 1, figsize=(10, 0.6 + 3.4 * len(counts)),
                                   squeeze=False, layout="constrained")
    titles = process.titles(results)
    for axis, threads in zip(axes[:, 0], counts):
        _panel(axis, [row for row in results["latency"] if row["threads"] == threads], threads,
               titles)
    axes[0, 0].legend(ncols=3 if process.FLOATS in titles else len(titles), frameon=False,
                      fontsize=8.5, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0,
                      columnspacing=1.2, handlelength=1)
    machine = results["machine"]
    figure.suptitle(f"MobileNet, {process.DTYPES[results['dtype']]}, batch 1: time as a multiple of "
                    "the floor", fontsize=13)
    figure.supxlabel(f"{machine['CPU']}, {results['isa']}; {machine['Date']}; bars: multiples of "
                     "multiply-adds at the measured peak, labels: ms", fontsize=8.5,
                     color="#555555")
    path = stem.with_suffix(".svg")
    figure.savefig(path, metadata={"Date": None})
    figure.savefig(stem.with_suffix(".png"), dpi=130)
    pyplot.close(figure)
    return [(path, "Time of each network on each runtime as a multiple of the floor")]


def _panel(axis, rows, threads, titles):
    runtimes = list(dict.fromkeys(runtime for row in rows for runtime in row["runtimes"]))
    width = min(BAR, GROUP / len(runtimes))
    for index, runtime in enumerate(runtimes):
        shown = [(place + (index - (len(runtimes) - 1) / 2) * width, row)
                 for place, row in enumerate(rows) if runtime in row["runtimes"]]
        times = [row["runtimes"][runtime]["median"] for _, row in shown]
        bars = axis.bar([place for place, _ in shown],
                        [time / row["floor_ms"] for time, (_, row) in zip(times, shown)],
                        width * 0.94, label=titles[runtime], color=COLORS[runtime])
        axis.bar_label(bars, [f"{time:.2f}" for time in times], fontsize=7.5, padding=1.5,
                       fontweight="bold" if runtime == process.OURS else "normal")
    axis.axhline(1, color="black", linewidth=1)
    axis.annotate("floor", (1, 1), xycoords=("axes fraction", "data"), xytext=(2, -2),
                  textcoords="offset points", fontsize=8)
    axis.set_xticks(range(len(rows)), [
        f"{row['model'].replace('mobilenet_', '').replace('_', '-')}\n"
        f"floor {row['floor_ms']:.2f} ms" for row in rows])
    axis.tick_params(axis="x", length=0)
    axis.set_ylabel("time / floor")
    axis.set_title("1 thread" if threads == 1 else f"{threads} threads", loc="left", fontsize=11)
    axis.margins(y=0.12)
    axis.spines[["top", "right"]].set_visible(False)
