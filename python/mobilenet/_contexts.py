"""A model's contexts: one for each call that is under way, kept for the next."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_void_p
from ctypes import pointer as pointer_to
from typing import Any, NamedTuple

from . import _native
from ._error import invalid
from ._native import library
from ._preprocessing import Preprocessing, to_record


class Handle:
    """An object of the library, freed with its last reference; it keeps what it depends on."""

    def __init__(
        self, pointer: c_void_p, free: Callable[[c_void_p], None], parent: Handle | None = None
    ) -> None:
        self.pointer = pointer
        self._free = free
        self._parent = parent

    def __del__(self) -> None:
        self._free(self.pointer)


class _Plan(NamedTuple):
    """What a context is made for."""

    height: int
    width: int
    stages: tuple[str, ...]
    side_by_side: bool  #: whether it may run an image on each thread
    preprocessing: Preprocessing | None  #: None: the model's


class Contexts:
    """Contexts of one model, shared by any number of Python threads.

    A context runs one call at a time.  A call borrows an idle one of its input size and stages, or
    makes one.  As many idle ones are kept as were ever in use at once, and at least KEPT; those that
    were idle for longest go first."""

    KEPT = 4

    def __init__(self, model: Handle, threads: int) -> None:
        self._model: Handle | None = model
        self._threads = threads
        self._idle: list[tuple[_Plan, Handle]] = []  # the last one was used last
        self._begin_process()
        _pools.add(self)

    def _begin_process(self) -> None:
        """Nobody runs here yet.  A forked child goes on with the idle contexts, which start threads of
        its own; its parent's other threads, one of which may have held the lock, are not there."""
        self._lock = threading.Lock()
        self.in_use = 0
        self._most_in_use = 0

    def _take(self, plan: _Plan) -> tuple[Handle, Handle | None]:
        with self._lock:
            if self._model is None:
                raise invalid("the model is closed")
            self.in_use += 1
            self._most_in_use = max(self._most_in_use, self.in_use)
            for i in reversed(range(len(self._idle))):
                if self._idle[i][0] == plan:
                    return self._model, self._idle.pop(i)[1]
            return self._model, None

    def _create(self, model: Handle, plan: _Plan, size_name: str) -> Handle:
        names = (c_char_p * len(plan.stages))(*(_native.text(stage, "stages") for stage in plan.stages))
        options = _native.ContextOptions(
            input_height=plan.height,
            input_width=plan.width,
            threads=self._threads,
            batch=self._threads if plan.side_by_side else 1,
            stages=names,
            stage_count=len(plan.stages),
        )
        if plan.preprocessing is not None:
            options.preprocessing = pointer_to(to_record(plan.preprocessing))
        pointer = c_void_p()
        _native.call(
            library.mbn_context_create,
            model.pointer,
            byref(options),
            byref(pointer),
            names=_native.size_names(size_name),
        )
        return Handle(pointer, library.mbn_context_free, parent=model)

    def _give_back(self, plan: _Plan, context: Handle | None) -> None:
        surplus: list[Any] = []  # freed after the lock is
        with self._lock:
            self.in_use -= 1
            if context is not None and self._model is not None:
                self._idle.append((plan, context))
            kept = max(self.KEPT, self._most_in_use)
            surplus, self._idle = self._idle[:-kept], self._idle[-kept:]
        surplus.clear()

    @contextmanager
    def borrow(
        self,
        height: int,
        width: int,
        stages: tuple[str, ...] = (),
        images: int = 1,
        preprocessing: Preprocessing | None = None,
        size_name: str = "size",
    ) -> Iterator[c_void_p]:
        """The mbn_context for an input size (zeros: the model's), stages, so many images and checked
        preprocessing, for one call at a time.  size_name: what the size is called where it is wrong."""
        plan = _Plan(height, width, stages, images > 1, preprocessing)
        model, context = self._take(plan)
        try:
            if context is None:
                context = self._create(model, plan, size_name)
            yield context.pointer
        finally:
            self._give_back(plan, context)

    def close(self) -> None:
        """Frees what is idle now, the rest when it has been given back."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._model = None
        idle.clear()


_pools: weakref.WeakSet[Contexts] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in _pools:
        pool._begin_process()


os.register_at_fork(after_in_child=_after_fork)
