"""Models as bytes, in the form of skops. Nothing here pickles or unpickles.

A skops file names the types that it wants built. What may be built is decided by the reader: what skops trusts by
itself (plain containers, NumPy arrays, the public estimators of scikit-learn), :data:`TRUSTED_TYPES`, and what the
policy of the installation adds. What the file says about itself counts for nothing.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from stoker.errors import CorruptArtifact, ModelError, UntrustedArtifact

MAX_MEMBERS = 100_000
"""Most files inside one model file. A forest of 10,000 trees stays below."""

MAX_UNPACKED_BYTES = 4 * 1024**3
MAX_SCHEMA_BYTES = 64 * 1024**2
MAX_RATIO = 200
"""Unpacked to packed size, above a first megabyte. Real models deflate by 5 to 30."""

_FREE_BYTES = 1024**2
_ARRAY, _ZIP = b"\x93NUMPY", b"PK"

# Tree and TreePredictor hold node numbers that scikit-learn follows without looking: a forged file could crash the
# process. They are trusted because half of all useful models need them, because bytes are compared with the digest in
# the commit log before they come here, and because a model is first loaded in a process of its own.
_TREES = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)

# Losses and optimizers: numbers only.
_LOSSES = (
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)

# Parts that public estimators build inside themselves: containers of arrays and of other estimators.
_PARTS = (
    "scipy._lib.array_api_compat.numpy._aliases.asarray",  # in the splines of the SciPy that Python 3.11 gets
    "scipy.interpolate._bsplines.BSpline",
    "scipy.interpolate._bsplines._BSpline",
    "scipy.sparse._csr.csr_matrix",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.cluster._bisect_k_means._BisectingTree",
    "sklearn.cluster._kmeans._kmeans_single_lloyd",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.utils._bunch.Bunch",
)

# Neighbour indexes and distances: arrays and a tree over them.
_NEIGHBOURS = (
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
)

# Pure functions that estimators keep as parameters. ``partial`` only binds arguments to a function that is itself
# on a list; HistGradientBoosting keeps one for categorical columns.
_FUNCTIONS = (
    "functools.partial",
    "numpy.mean",
    "numpy.nan_to_num",
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._mutual_info.mutual_info_regression",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.feature_selection._univariate_selection.r_regression",
    "sklearn.metrics._classification.balanced_accuracy_score",
    "sklearn.utils.validation.check_array",
)

# How a tuned threshold or an inner search was scored.
_SCORERS = (
    "sklearn.metrics._scorer._CurveScorer",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.model_selection._split.TimeSeriesSplit",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
)

# The types of columns.
_DTYPES = (
    "builtins.object",
    "numpy.dtype",
    "pandas.core.dtypes.dtypes.CategoricalDtype",
)

TRUSTED_TYPES = frozenset({*_TREES, *_LOSSES, *_PARTS, *_NEIGHBOURS, *_FUNCTIONS, *_SCORERS, *_DTYPES})
"""What may be built beyond what skops trusts by itself; every name was seen in a model that people really use."""


def dump_model(estimator: Any, *, trusted: Iterable[str] = ()) -> bytes:
    """The bytes of an estimator, proven by loading them back. The bytes differ between calls; what they load does not.

    :param trusted: types beyond :data:`TRUSTED_TYPES` that the policy of this installation allows.
    :raises ModelError: when the estimator holds something that cannot be stored or would not be loaded again, such as a
        lambda or a class of one's own.
    """
    try:
        # skops asks every imported module for every name, and the lazy ones of Airflow answer with hundreds of warnings.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data: bytes = skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    except Exception as error:  # skops lets through whatever a __getstate__ or a lookup raises
        raise ModelError(_unstorable(estimator, f"{type(error).__name__}: {error}")) from error
    try:
        load_model(data, trusted=trusted)
    except UntrustedArtifact as error:
        raise ModelError(
            _unstorable(estimator, f"it holds {', '.join(error.details['types'])}")
            + " Or name these types in the trusted list of the policy, if they are installed wherever the model is loaded.",
            types=error.details["types"],
        ) from error
    except CorruptArtifact as error:
        raise ModelError(_unstorable(estimator, str(error.__cause__ or error))) from error
    return data


def load_model(data: bytes, *, trusted: Iterable[str] = ()) -> Any:
    """The estimator in the bytes. Compare the digest before calling this, as :func:`stoker.store.documents.get_bytes` does.

    :param trusted: types beyond :data:`TRUSTED_TYPES` that the policy of this installation allows.
    :raises UntrustedArtifact: when it holds any other type; nothing of it was built then. ``details["types"]`` lists them.
    :raises CorruptArtifact: when it is no skops file, or too large to open.
    """
    _check_container(data)
    allowed = sorted(TRUSTED_TYPES.union(trusted))
    try:
        return skops.io.loads(data, trusted=allowed)
    except UntrustedTypesFoundException as error:
        found = sorted(set(skops.io.get_untrusted_types(data=data)) - set(allowed))
        raise UntrustedArtifact(
            f"A model file may hold only types on the allow-list of this installation; this one also holds "
            f"{', '.join(found)}. If you know them to be harmless, name them in the policy's trusted list.",
            types=found,
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a broken file fails in as many ways as it has bytes
        raise CorruptArtifact(
            f"A model file must be one that skops wrote; it cannot be loaded ({type(error).__name__}: {str(error)[:200]}). "
            "Restore it from a backup, or train again."
        ) from error


def _check_container(data: bytes) -> None:
    """Refuse a file that would not fit into memory, before anything of it is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check_size(members, len(data))
            for member in members:
                _check_member(archive, member)
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        NotImplementedError,
        OverflowError,
        RuntimeError,
        EOFError,
    ) as error:
        raise CorruptArtifact(
            f"A model file must be a whole zip archive; {error}. Restore it from a backup."
        ) from error


def _check_size(members: Sequence[zipfile.ZipInfo], packed: int) -> None:
    unpacked = sum(member.file_size for member in members)
    schema = max((member.file_size for member in members if member.filename == "schema.json"), default=0)
    allowed = min(MAX_UNPACKED_BYTES, _FREE_BYTES + MAX_RATIO * packed)
    for what, found, limit in (
        ("files", len(members), MAX_MEMBERS),
        ("bytes when unpacked", unpacked, allowed),
        ("bytes of schema", schema, MAX_SCHEMA_BYTES),
    ):
        if found > limit:
            raise CorruptArtifact(
                f"A model file must hold at most {limit} {what}; this one holds {found}. Do not load it."
            )


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse an array that claims more bytes than there are, and an archive that bursts when the array in it is read.

    Both are told by their first bytes: a schema may name any member as the file of an array.
    """
    with archive.open(member) as file:
        start = file.read(len(_ARRAY))
        if start.startswith(_ZIP):
            _check_container(start + file.read())
        elif start == _ARRAY:
            claimed = _claimed_bytes(file)
            if claimed > member.file_size:
                raise CorruptArtifact(
                    f"An array of a model file must lie in it; {member.filename!a:.100} claims {claimed} bytes and has {member.file_size}. "
                    "Do not load it."
                )


def _claimed_bytes(file: IO[bytes]) -> int:
    """How much memory NumPy would ask for. Its own reader allocates that before it looks for the values."""
    major, _ = file.read(2)
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return math.prod(shape) * dtype.itemsize


def _unstorable(estimator: Any, why: str) -> str:
    return (
        f"The estimator {type(estimator).__name__} must be storable in the skops form; it is not: {why[:300]}. Build it from "
        "scikit-learn's own parts, without lambdas, local functions or classes."
    )
