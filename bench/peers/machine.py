"""The machine: its CPUs, who uses them, and how a table names it."""

import contextlib
import fcntl
import os
import pathlib
import platform
import re
import subprocess
import tempfile
import time

import environment

# Whoever measures on this machine takes this lock.
LOCK = (os.environ.get("MOBILENET_MEASURE_LOCK")
        or os.path.join(tempfile.gettempdir(), "mbn-measure.lock"))
TICKS = os.sysconf("SC_CLK_TCK")


def cpus():
    return sorted(os.sched_getaffinity(0))


def cpus_for(threads):
    """The last ones: the first serve interrupts on many machines."""
    return cpus()[-threads:]


@contextlib.contextmanager
def pinned(to):
    """Processes started in it run on these CPUs, as under taskset -c."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def measuring():
    with open(LOCK, "a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Load:
    """How busy others have kept some CPUs since it was made, as a share of them."""

    def __init__(self, of, pid):
        self.names = {f"cpu{cpu}" for cpu in of}
        self.pid = pid
        self.start = time.monotonic()
        self.busy, self.own = self._busy(), self._own()

    def of_others(self):
        seconds = (time.monotonic() - self.start) * len(self.names)
        others = (self._busy() - self.busy) - (self._own() - self.own)
        return max(0.0, others / seconds)

    def _busy(self):
        """Seconds, in steps of a tick; idle and waiting for disks are not busy, stolen is."""
        total = 0
        for line in pathlib.Path("/proc/stat").read_text().splitlines():
            name, *fields = line.split()
            if name in self.names:
                user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
                total += user + nice + system + irq + softirq + steal
        return total / TICKS

    def _own(self):
        pids = [self.pid, *_children(self.pid)]
        return sum(_cpu_seconds(pid) for pid in pids)


def _children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        text = ""
    return [int(child) for child in text.split()]


def _cpu_seconds(pid):
    # The name in parentheses may hold anything.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def describe():
    """What a table says of the machine, by heading."""
    cpu = _cpu_facts()
    return {
        "CPU": cpu["name"],
        "CPUs": f"{len(cpus())} of {os.cpu_count()} usable",
        "Caches": _caches(),
        "Memory": _memory(),
        "System": f"{_distribution()}, Linux {platform.release()}",
        "Compiler": _compiler(),
        "Python": platform.python_version(),
        "Commit": _commit(),
        "Date": time.strftime("%Y-%m-%d"),
    }


def slug():
    """For file names."""
    return re.sub(r"[^a-z0-9]+", "-", _cpu_facts()["name"].lower()).strip("-")


def _cpu_facts():
    facts = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name", platform.machine())
    if "cpu family" in facts:
        name += f" family {facts['cpu family']} model {facts['model']}"
    return {"name": name}


def _caches():
    caches = []
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = (index / "type").read_text().strip()
        if kind != "Instruction":
            caches.append(f"L{(index / 'level').read_text().strip()} "
                          f"{(index / 'size').read_text().strip()}")
    return ", ".join(caches)


def _memory():
    total = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return f"{int(total[1]) / 2**20:.0f} GiB"


def _distribution():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _compiler():
    cache = (environment.BUILD / "cmake" / "CMakeCache.txt").read_text()
    compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.+)$", cache, re.MULTILINE)[1]
    return _output([compiler, "--version"]).splitlines()[0]


def _commit():
    return _output(["git", "-C", environment.ROOT, "describe", "--always", "--dirty"]).strip()


def _output(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout or "unknown"
