"""What records check when they are built."""

from typing import get_args


def check_one_of(name: str, value: str, allowed: object) -> None:
    """Raises ValueError unless `value` is one of a `Literal`'s."""
    if value not in get_args(allowed):
        raise ValueError(f"{name} must be one of {', '.join(get_args(allowed))}, got {value!r}")
