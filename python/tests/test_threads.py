"""Several Python threads, and processes that fork."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork in a process with threads
def test_fork(model_bytes, batch, monkeypatch):
    """A child runs on, though its contexts' threads are gone and its parent held the lock; it leaves
    its parent's contexts alone."""
    from mobilenet._native import library

    freed = []
    monkeypatch.setattr(library, "mbn_context_free", freed.append)
    model = mobilenet.load(model_bytes, threads=2)
    expected = model.run(batch)
    with model._contexts._lock:
        child = os.fork()
        if child == 0:
            right = np.array_equal(model.run(batch), expected) and not freed
            model.close()
            os._exit(0 if right and len(freed) == 1 else 1)
    assert exit_status(child, 100) == 0
    np.testing.assert_array_equal(model.run(batch), expected)
