"""Detect whether a user is present; headless runs must never block on input."""

from glmocr_utils.notebook_host import is_kernel_of_a_person


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
    return is_kernel_of_a_person() if wanted == "auto" else wanted is True
