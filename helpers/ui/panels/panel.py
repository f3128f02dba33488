"""What all panels share: live where somebody can operate them, readable where nobody can."""

import importlib.util
from abc import ABC, abstractmethod
from typing import Any

WIDGET = "application/vnd.jupyter.widget-view+json"


def is_attended() -> bool:
    """Whether somebody can operate widgets: the running cell came from a front end that takes input.

    JupyterLab, Notebook and VS Code say so with every cell they send (`allow_stdin` of the messaging protocol);
    papermill, nbconvert and nbval say no.
    """
    if importlib.util.find_spec("ipywidgets") is None:
        return False
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return bool(getattr(kernel, "_allow_stdin", False))


def emit(bundle: dict[str, Any]) -> None:
    """Put a MIME bundle into the cell's output."""
    from IPython import display

    show: Any = display.display
    show(bundle, raw=True)


class Panel(ABC):
    """A panel; as a cell's last line, or with `display`, it shows itself.

    Attributes:
        title: what it is; also the name that a screen reader says.
    """

    title: str

    def __init__(self) -> None:
        self._widget: Any = None

    @abstractmethod
    def html(self) -> str:
        """What it shows now, as HTML that needs no script and no style sheet."""

    @abstractmethod
    def text(self) -> str:
        """The same in words."""

    @abstractmethod
    def build(self) -> Any:
        """The widgets."""

    @property
    def widget(self) -> Any:
        """The widgets, made once."""
        if self._widget is None:
            self._widget = self.build()
        return self._widget

    def __str__(self) -> str:
        return self.text()

    def _ipython_display_(self) -> None:
        if not is_attended():
            emit({"text/html": self.html(), "text/plain": self.text()})
            return
        # The fixed forms are what is left when the notebook is read without its kernel.
        view = self.widget._repr_mimebundle_()
        emit({WIDGET: view[WIDGET], "text/html": self.html(), "text/plain": self.text()})
