"""Threads that go on in the context of whoever gives them work: whose it is, and in which trace.

A thread has none of its own: what it does would stand in no trace, and be kept as if it began one.
"""

from collections.abc import Callable
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def inheriting(function: Callable[P, R]) -> Callable[P, R]:
    """The function for other threads, any number of them at a time, in the context of here."""
    context = copy_context()

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return call
