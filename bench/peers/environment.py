"""What a comparison runs with, all of it in build/peers: a Python environment with the runtimes, and
a release build of the library with its command and runner."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "peers"
VENV = BUILD / "venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = HERE / "requirements.txt"
RUNNER = BUILD / "cmake" / "mobilenet-runner"
IMPORTER = ROOT / "tools" / "mobilenet-import"
COMMAND = BUILD / "cmake" / "mobilenet" / "tools" / "mobilenet"


def is_active():
    return pathlib.Path(sys.prefix) == VENV


def set_up():
    """Makes the Python environment, once for each requirements.txt."""
    installed = VENV / "requirements.txt"
    wanted = REQUIREMENTS.read_text()
    if installed.exists() and installed.read_text() == wanted:
        return
    print(f"setting up {VENV}", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    except subprocess.CalledProcessError:
        sys.exit("compare: no virtual environment (Debian: apt-get install python3-venv)")
    if _pip("-r", REQUIREMENTS):
        installed.write_text(wanted)
        return
    # One that has no build for this machine must not take the others with it.  The next run tries
    # again.
    for line in wanted.splitlines():
        if re.match(r"\w", line) and not _pip(line):
            print(f"compare: {line}: does not install", file=sys.stderr)


def _pip(*arguments):
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*command, *arguments], check=False).returncode == 0


def build():
    """Builds the library, its command and the runner."""
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    folder = BUILD / "cmake"
    log = BUILD / "build.log"
    commands = [["cmake", "-S", HERE, "-B", folder, *([] if folder.exists() else generator)],
                ["cmake", "--build", folder, "--parallel", str(len(os.sched_getaffinity(0)))]]
    with open(log, "w", encoding="utf-8") as file:
        for command in commands:
            if subprocess.run(command, stdout=file, stderr=file, check=False).returncode:
                sys.exit(f"compare: the library does not build, see {log}")
