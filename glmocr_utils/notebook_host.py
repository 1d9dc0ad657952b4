"""Where this kernel runs: JupyterLab, VS Code, Colab, Kaggle, or without anybody in front of it."""

import os
import sys

SERVERS = ("JPY_SESSION_NAME", "VSCODE_PID")  # of a kernel that JupyterLab or VS Code started


def is_kernel_of_a_person() -> bool:
    """Whether a user sees what this kernel shows; papermill and nbconvert start their own."""
    by_server = any(name in os.environ for name in SERVERS)
    # a Kaggle notebook that is saved runs as `Batch`
    on_kaggle = os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Interactive"
    return by_server or on_kaggle or is_in_colab()


def is_kernel() -> bool:
    """Whether this is a notebook's kernel, attended or not: it shows standard error in red."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython else None, "kernel")


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
