"""The library of the book: what its chapters teach, tested, and the ground floor that they stand on.

``kexue`` (科学) is the Chinese word for science. Importing the package imports nothing else: each chapter's module stands alone.
"""

from __future__ import annotations

__version__ = "0.1.0"
