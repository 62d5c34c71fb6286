"""Explorers: figures with controls that work in JupyterLab and, without a kernel, in the static page."""

from . import panels
from .explorer import Explorer

__all__ = ["Explorer", "panels"]
