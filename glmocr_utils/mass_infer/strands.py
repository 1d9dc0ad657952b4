"""Steps that ask for something and continue with the answer, several of them side by side.

A strand is a generator: it yields a request and is sent the answer, or yields `Together` and is
sent what those strands returned, in their order. This module does not know what is asked for.
"""

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

Steps = Generator[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Together:
    """Strands that run side by side."""

    strands: tuple[Steps, ...]

    @classmethod
    def of(cls, strands: Iterable[Steps]) -> "Together":
        return cls(tuple(strands))


@dataclass(slots=True, eq=False)
class _Strand:
    """A strand, its parent, and what its children have returned so far."""

    steps: Steps
    parent: "_Strand | None" = None
    place: int = 0
    results: list[Any] = field(default_factory=list)
    missing: int = 0


class Strands:
    """Runs a strand and those that it starts.

    What a strand raises ends all of them, where it was sent the answer.

    Attributes:
        new: requests that were not given out yet.
        is_done: whether the first strand has returned.
        result: what it returned.
    """

    def __init__(self) -> None:
        self.new: deque[Any] = deque()
        self.is_done = False
        self.result: Any = None
        self._asked: dict[int, tuple[Any, _Strand]] = {}
        self._begun: list[Steps] = []

    def begin(self, first: Steps) -> None:
        """Run the first strand, up to its first request."""
        self._begun.append(first)
        self._step(_Strand(first), None, None)

    @property
    def open(self) -> list[Any]:
        """Requests without an answer, given out or not."""
        return [request for request, _ in self._asked.values()]

    def answer(self, request: object, answer: object) -> None:
        _, strand = self._asked.pop(id(request))
        self._step(strand, answer, None)

    def fail(self, request: object, error: Exception) -> None:
        """Raise `error` where the request was yielded."""
        _, strand = self._asked.pop(id(request))
        self._step(strand, None, error)

    def close(self) -> None:
        """End all strands."""
        for steps in reversed(self._begun):
            steps.close()
        self._begun.clear()
        self._asked.clear()
        self.new.clear()

    def _step(self, strand: _Strand, value: Any, error: Exception | None) -> None:
        while True:
            try:
                asked = strand.steps.throw(error) if error else strand.steps.send(value)
            except StopIteration as done:
                if strand.parent is None:
                    self.is_done, self.result = True, done.value
                    return
                place, strand, value, error = strand.place, strand.parent, done.value, None
                strand.results[place] = value
                strand.missing -= 1
                if strand.missing:
                    return
                value = strand.results
                continue
            if not isinstance(asked, Together):
                self._asked[id(asked)] = asked, strand
                self.new.append(asked)
                return
            if not asked.strands:
                value, error = [], None
                continue
            strand.results, strand.missing = [None] * len(asked.strands), len(asked.strands)
            self._begun += asked.strands
            for place, steps in enumerate(asked.strands):
                self._step(_Strand(steps, strand, place), None, None)
            return
