"""Whether somebody is there to use a widget; a headless run must wait for nobody."""

import os
import sys

SERVERS = ("JPY_SESSION_NAME", "VSCODE_PID")  # of a kernel that JupyterLab or VS Code started


def is_attended(wanted: bool | str = "auto") -> bool:
    """Whether to show a widget.

    Args:
        wanted: True or False, or `auto`: where JupyterLab, VS Code, Colab or an interactive Kaggle
            session started this kernel. papermill and nbconvert start kernels of their own.

    Raises:
        ValueError: it is something else.
    """
    if wanted not in (True, False, "auto"):
        raise ValueError(f'a widget is wanted True, False or "auto", got {wanted!r}')
    if wanted == "auto":
        by_server = any(name in os.environ for name in SERVERS)
        # a Kaggle notebook that is saved runs as `Batch`
        on_kaggle = os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Interactive"
        return by_server or on_kaggle or is_in_colab()
    return wanted is True


def is_in_colab() -> bool:
    """Whether this kernel is Colab's own; one that papermill starts there is a plain one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__module__.startswith("google.colab")


def allow_widgets() -> None:
    """Switch on widgets of other packages where a host wants that first."""
    if is_in_colab():
        from google.colab import output

        output.enable_custom_widget_manager()
