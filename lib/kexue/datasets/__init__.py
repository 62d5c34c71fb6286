"""Real data out of packages: loaded by name, checked by hash, cached.

>>> from kexue import datasets
>>> datasets.names()
('digits', 'mnist-10k', 'fashion-mnist', 'efficientnet-lite0', 'sachs', 'tuebingen', 'peoples-daily', '20-newsgroups', 'reviews-zh')
>>> digits = datasets.load("digits", split="test")
>>> digits.images.shape, digits.labels[:3].tolist()
(torch.Size([360, 8, 8]), [8, 8, 5])
>>> cells = datasets.load("sachs", split="cd3cd28")
>>> cells.table.shape, cells.names[:3], int(cells.graph.sum())
(torch.Size([853, 11]), ('praf', 'pmek', 'plcg'), 18)

:func:`load` never touches the network: ``python3 make.py data`` (which calls :func:`fetch`) has done that before. Importing this
package loads neither PyTorch nor scikit-learn.
"""

from __future__ import annotations

from .loading import cli_data, fetch, info, load, names, table
from .spec import DataError, Dataset, Info

__all__ = ["DataError", "Dataset", "Info", "cli_data", "fetch", "info", "load", "names", "table"]
