"""What stands in every built notebook beside its cells."""

from typing import Any

LANGUAGE_INFO: dict[str, Any] = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
"""What ipykernel says of its language, without the version of Python."""

METADATA: dict[str, Any] = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": LANGUAGE_INFO,
}
"""With less than that, JupyterLab completes it on opening, shows the notebook as changed, and saves it."""
