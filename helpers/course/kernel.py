"""The kernel of `./course lab`: IPython's, which tells nothing of itself that differs from machine to machine.

JupyterLab writes what a kernel says of its language into a notebook when it opens it. With the Python version among
it, every notebook of the course would be changed, unread, on any other Python than the one it was built with.
"""

from ipykernel.ipkernel import IPythonKernel

from helpers.course.metadata import LANGUAGE_INFO


class CourseKernel(IPythonKernel):
    """Started by the kernelspecs of `helpers.course.lab`."""

    language_info = LANGUAGE_INFO
