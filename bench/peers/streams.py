"""Several sessions at once, for throughput."""

import multiprocessing
import threading
import time


def _run_for(session, seconds):
    images = 0
    end = time.monotonic() + seconds
    while images == 0 or time.monotonic() < end:
        session.run()
        images += 1
    return images


class Threads:
    """A thread for each session.  For runtimes that let go of the interpreter's lock."""

    def __init__(self, sessions):
        self.sessions = sessions
        self.dtype = sessions[0].dtype
        self.run(0)

    def run(self, seconds):
        counts = []
        threads = [threading.Thread(target=lambda s=session: counts.append(_run_for(s, seconds)))
                   for session in self.sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(counts) < len(threads):
            raise RuntimeError("a thread failed")
        return sum(counts)

    def output(self):
        return self.sessions[0].output()


class Processes:
    """A process for each session."""

    def __init__(self, runtime, folder, image, count, dtype):
        context = multiprocessing.get_context("spawn")
        self.pipes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            context.Process(target=_serve, args=(theirs, runtime, folder, image, dtype),
                            daemon=True).start()
            self.pipes.append(ours)
        self.logits, self.dtype = [pipe.recv() for pipe in self.pipes][0]

    def run(self, seconds):
        for pipe in self.pipes:
            pipe.send(seconds)
        return sum(pipe.recv() for pipe in self.pipes)

    def output(self):
        return self.logits


def _serve(pipe, runtime, folder, image, dtype):
    import runtimes
    session = runtimes.load(runtime).Session(folder, image, 1, dtype)
    session.run()
    pipe.send((session.output(), session.dtype))
    try:
        while True:
            pipe.send(_run_for(session, pipe.recv()))
    except EOFError:  # the other end is closed
        pass
