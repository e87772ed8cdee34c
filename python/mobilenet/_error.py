"""What goes wrong in the library, as an exception."""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """``mbn_status``: the kind of a failure."""

    OK = 0
    INVALID_ARGUMENT = 1  #: outside the documented range
    IO = 2  #: a file cannot be opened, read or written
    MALFORMED = 3  #: a file is not what it should be
    UNSUPPORTED = 4  #: valid, but not by this library or on this machine
    OUT_OF_MEMORY = 5


class Error(Exception):
    """A failure of the library: ``status`` says of which kind, ``message`` names what it is about."""

    status: Status
    message: str

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return self.message


def invalid(message: str) -> Error:
    return Error(Status.INVALID_ARGUMENT, message)
