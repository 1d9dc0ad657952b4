"""Names of a package that are imported when they are first used.

A package's `__init__` names its public API. Imported at once, it would load PyTorch even if a user
needs one light module of it. In the `__init__`:

    if TYPE_CHECKING:  # the same names as below
        from glmocr_utils.room.heavy import function

    _HOME = {"function": "heavy"}
    __all__ = list(_HOME)
    __getattr__ = lazy_names(__name__, _HOME)
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, home: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package, which imports each name from its module.

    Args:
        package: the package's `__name__`.
        home: name → the module of the package that has it.
    """

    def find(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)  # it isn't looked for again
        return value

    return find
