"""Several Python threads, and processes that fork."""

import math
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import mobilenet
from conftest import SIDE


@pytest.fixture
def long_batch(model):
    """A batch that takes about 0.4 s, as a view of one image repeated."""
    image = np.zeros((8, SIDE, SIDE, 3), np.float32)
    model.run(image)
    started = time.perf_counter()
    model.run(image)
    seconds = (time.perf_counter() - started) / len(image)
    return np.zeros((max(8, int(0.4 / seconds)), SIDE, SIDE, 3), np.float32)


def test_many_threads(model, random):
    batches = [random.standard_normal((2, SIDE, side, 3), np.float32) for side in (64, 80, 96)]
    expected = [model.run(batch) for batch in batches]
    pools = [model.features(batch, "pool")["pool"] for batch in batches]

    def work(index):
        which = index % 3
        np.testing.assert_array_equal(model.run(batches[which]), expected[which])
        features = model.features(batches[which], "pool")
        np.testing.assert_array_equal(features["pool"], pools[which])
        return index

    with ThreadPoolExecutor(6) as executor:
        assert list(executor.map(work, range(120))) == list(range(120))
    assert model._contexts.in_use == 0


def test_calls_run_side_by_side_without_the_interpreter_lock(model, long_batch):
    """While two calls are in the library, this thread goes on: it would see none of it if they held
    the lock.  On a busy machine it may get no turn while they run, so there is more than one try."""

    def looks():
        """How often this thread saw two calls under way."""
        results = [None, None]

        def work(index):
            results[index] = model.run(long_batch)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        seen = 0
        while any(thread.is_alive() for thread in threads):
            seen += model._contexts.in_use == 2
            time.sleep(0.002)
        for thread in threads:
            thread.join()
        np.testing.assert_array_equal(results[0], results[1])
        return seen

    assert any(looks() > 10 for _ in range(30))


def test_closing_waits_for_running_calls(model_bytes, long_batch):
    expected = mobilenet.load(model_bytes).run(long_batch[:1])

    def close_while_it_runs():
        """False where the call was over before this thread had a turn."""
        model = mobilenet.load(model_bytes)
        with ThreadPoolExecutor(1) as executor:
            future = executor.submit(model.run, long_batch)
            while model._contexts.in_use == 0 and not future.done():
                time.sleep(0.001)
            model.close()
            running = not future.done()
            np.testing.assert_array_equal(future.result()[-1:], expected)
        return running

    assert any(close_while_it_runs() for _ in range(30))


def test_idle_contexts_are_few(model_bytes, random):
    model = mobilenet.load(model_bytes)
    for side in range(32, 48):
        model.run(random.standard_normal((1, side, 32, 3), np.float32))
    kept = [plan.height for plan, _ in model._contexts._idle]
    assert kept == [44, 45, 46, 47]
    first = model._contexts._idle[1][1]
    model.run(random.standard_normal((1, 45, 32, 3), np.float32))
    assert model._contexts._idle[-1][1] is first  # used again, and now the newest


def test_failures_give_contexts_back(model, batch):
    for _ in range(3):
        with pytest.raises(mobilenet.Error):
            model.features(batch, "nothing")
    assert model._contexts.in_use == 0


def exit_status(child, seconds):
    """Waits for a forked child; kills it when it hangs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid != 0:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


def in_child(check):
    """The exit status of a forked child: 0 where check() is true."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if check() else 1
        finally:
            os._exit(status)
    return exit_status(child, 20)


FORKS = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in a process with threads


@FORKS
@pytest.mark.parametrize("threads", [1, 2])
def test_fork(model_bytes, batch, threads):
    """A child runs on, and so does its own, though a context's threads are gone and the parent held the lock."""
    model = mobilenet.load(model_bytes, threads=threads)
    expected = model.run(batch)

    def same():
        return np.array_equal(model.run(batch), expected)

    def in_grandchild_too():
        return in_child(same) == 0 and same() and in_child(same) == 0

    with model._contexts._lock:
        assert in_child(same) == 0
        assert in_child(in_grandchild_too) == 0
    assert same()


@FORKS
def test_fork_uses_and_frees_what_its_parent_left(model_bytes, batch, monkeypatch):
    from mobilenet._native import library

    model = mobilenet.load(model_bytes, threads=2)
    expected = model.run(batch)
    idle = [handle for _, handle in model._contexts._idle]

    def check():
        right = np.array_equal(model.run(batch), expected)
        kept = [handle for _, handle in model._contexts._idle]
        freed = []
        free = idle[0]._free
        idle[0]._free = lambda pointer: (freed.append(pointer), free(pointer))
        model.close()
        same = kept == idle
        del kept[:], idle[:]
        return right and same and len(freed) == 1

    assert in_child(check) == 0
    np.testing.assert_array_equal(model.run(batch), expected)


@FORKS
def test_fork_while_another_thread_runs(model_bytes, batch):
    model = mobilenet.load(model_bytes, threads=2)
    expected = model.run(batch)
    stop = threading.Event()

    def run():
        while not stop.is_set():
            model.run(batch)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for _ in range(10):
            assert in_child(lambda: np.array_equal(model.run(batch), expected)) == 0
    finally:
        stop.set()
        thread.join()


forked = None  # a model and a batch for the workers of a forking pool


def run_forked(_):
    model, batch = forked
    return model.run(batch)


@FORKS
def test_forking_pool(model_bytes, batch):
    global forked
    model = mobilenet.load(model_bytes, threads=2)
    expected = model.run(batch)
    forked = model, batch
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as executor:
        for result in executor.map(run_forked, range(8)):
            np.testing.assert_array_equal(result, expected)


def test_cpus():
    cpus = mobilenet.cpus()
    assert cpus.affinity == len(os.sched_getaffinity(0))
    assert 1 <= cpus.usable <= cpus.affinity <= cpus.online
    assert cpus.quota is None or cpus.usable == min(cpus.affinity, math.ceil(cpus.quota))


def test_cpus_of_a_child_that_may_use_one():
    def check():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        return mobilenet.cpus()[1:] == (1, mobilenet.cpus().quota, 1)

    assert in_child(check) == 0
