"""Every key in a store is built here.

::

    blobs/<2>/<sha256>                               every document, model, report and data file, by its content
    datasets/<dataset>/<stage>/<partition>/<20 digits>.json   which snapshot a partition means; the highest number counts
    training/<fingerprint>/<20 digits>.json          which candidate a training fingerprint gave
    profiles/<sha256>.json                           which profile a window has in the cells of a reference; derived
    models/<model>/log/<20 digits>.json              the commit log; writing entry N+1 is the commit
    models/<model>/checkpoints/<20 digits>.json      folded state after an entry; derived; numbered downwards, the newest sorts first
    models/<model>/versions/<n>/manifest.json        a version's manifest with the place of its entry; derived
    models/<model>/keys/<sha256>.json                which entry an idempotency key or fingerprint gave; derived
    models/<model>/loop/<journal>/entries/<20 digits>.json       what the loop did: broker, drift, performance
    models/<model>/loop/<journal>/checkpoints/<20 digits>.json   folded state of a journal; derived; numbered downwards
    models/<model>/pins/<sha256>.json                which version a run works with, by the SHA-256 of the run's key
    landings/<dataset>/<mark>/<sha256>.json          what became of a landed file: announced, taken, refused
    replays/<20 digits>/<sha256>.json                signatures of webhooks that were used, by the Unix second that they cover
    retention/rounds/<20 digits>/<20 digits>.json    what a sweep condemned, what was spared from it, what it gave up; rounds are
                                                     numbered downwards, the newest sorts first
    retention/rounds/<20 digits>/finished.json       the round is over: nothing is removed by it any more
    retention/lists/<20 digits>/<sha256>.json        the digests that a round names, in pieces; gone when the next one is over

Names must have passed :mod:`stoker.core.names` before they come here; digests are checked here.
"""

from __future__ import annotations

from stoker.core.names import check_name, check_partition, check_version
from stoker.core.shapes import DIGEST
from stoker.errors import CorruptArtifact, TamperedRecord

_NUMBER_WIDTH = 20

LAST_NUMBER: int = 10**_NUMBER_WIDTH - 1
"""The highest that a key can carry."""


def numbered(prefix: str, number: int) -> str:
    """The key of entry ``number`` (from 1) under a prefix; such keys sort in the order of their numbers."""
    return f"{prefix}{number:0{_NUMBER_WIDTH}d}.json"


def number_of(key: str) -> int:
    """The number in a key that :func:`numbered` built.

    :raises TamperedRecord: when the key is not of that form.
    """
    return _number(key, key.rsplit("/", 1)[-1].removesuffix(".json"))


def check_digest(digest: str) -> str:
    """Return the digest when it is one.

    :raises CorruptArtifact: unless it is 64 lower-case hexadecimal digits.
    """
    if not DIGEST.holds(digest):
        raise CorruptArtifact(f"A digest must be 64 hexadecimal digits; got {ascii(digest)[:80]}.")
    return digest


def blob(sha256: str) -> str:
    """The key of the bytes with this digest."""
    check_digest(sha256)
    return f"{BLOBS}{sha256[:2]}/{sha256}"


def partitions(dataset: str, stage: str) -> str:
    """The prefix of all partitions of a dataset in a stage (``raw``, ``ok``)."""
    return f"{DATASETS}{check_name(dataset, 'dataset')}/{check_name(stage, 'stage')}/"


def partition(dataset: str, stage: str, partition: str) -> str:
    """The prefix of the numbered pointers of one partition."""
    return f"{partitions(dataset, stage)}{check_partition(partition)}/"


def training(fingerprint: str) -> str:
    """The prefix of the numbered pointers of one training fingerprint."""
    return f"{TRAINING}{check_digest(fingerprint)}/"


PROFILES = "profiles/"


def window_profile(digest: str) -> str:
    """The key of what was counted of a window, by the SHA-256 of everything that it follows from."""
    return f"{PROFILES}{check_digest(digest)}.json"


BLOBS = "blobs/"
"""The prefix of everything that is stored by its content."""

DATASETS = "datasets/"
"""The prefix of the pointers of all datasets."""

TRAINING = "training/"
"""The prefix of the pointers of all trainings."""

MODELS = "models/"


def model(name: str) -> str:
    """The prefix of everything of one model."""
    return f"{MODELS}{check_name(name, 'model')}/"


def log(name: str) -> str:
    """The prefix of a model's commit log."""
    return f"{model(name)}log/"


def checkpoints(name: str) -> str:
    """The prefix of a model's checkpoints."""
    return f"{model(name)}checkpoints/"


def checkpoint(name: str, seq: int) -> str:
    """The key of the checkpoint after entry ``seq``. Counting down, so that the newest is the first key of a listing."""
    return numbered_down(checkpoints(name), seq)


def numbered_down(prefix: str, number: int) -> str:
    """As :func:`numbered`, but such keys sort the highest number first."""
    return numbered(prefix, LAST_NUMBER - number)


def checkpoint_seq(key: str) -> int:
    """The entry whose checkpoint a key of :func:`checkpoint` is.

    :raises TamperedRecord: when the key is not of that form.
    """
    return LAST_NUMBER - number_of(key)


def version_manifest(name: str, version: int) -> str:
    """The key of the derived copy of a version's manifest."""
    return f"{model(name)}versions/{check_version(version)}/manifest.json"


def key_index(name: str, digest: str) -> str:
    """The key of the derived index entry of an idempotency key, by the SHA-256 of that key."""
    return f"{model(name)}keys/{check_digest(digest)}.json"


def journal(name: str, kind: str) -> str:
    """The prefix of one of a model's journals: ``broker``, ``drift``, ``performance``."""
    return f"{journals(name)}{check_name(kind, 'journal')}/"


def journals(name: str) -> str:
    """The prefix of all journals of a model."""
    return f"{model(name)}loop/"


def pins(name: str) -> str:
    """The prefix of what runs pinned."""
    return f"{model(name)}pins/"


def pin(name: str, digest: str) -> str:
    """The key of the version that a run works with, by the SHA-256 of the run's own key."""
    return f"{pins(name)}{check_digest(digest)}.json"


def landings(dataset: str, mark: str) -> str:
    """The prefix of all landed files of a dataset that carry a mark: ``announced``, ``taken``, ``refused``."""
    return f"landings/{check_name(dataset, 'dataset')}/{check_name(mark, 'mark')}/"


def landing(dataset: str, mark: str, digest: str) -> str:
    """The key of a mark on one landed file, by the SHA-256 of its identity."""
    return f"{landings(dataset, mark)}{check_digest(digest)}.json"


REPLAYS = "replays/"


def replay(second: int, digest: str) -> str:
    """The key of a used signature, by the Unix second that it covers and its SHA-256. Such keys sort by time."""
    return f"{REPLAYS}{second:0{_NUMBER_WIDTH}d}/{check_digest(digest)}.json"


def replay_second(key: str) -> int:
    """The second in a key of :func:`replay`.

    :raises TamperedRecord: when the key is not of that form.
    """
    return _number(key, key.split("/")[1])


ROUNDS = "retention/rounds/"
"""The prefix of all rounds of the retention sweep."""


def sweep_round(number: int) -> str:
    """The prefix of the entries of a round, from 1. Counting down, so that the newest is the first of a listing."""
    return f"{ROUNDS}{LAST_NUMBER - number:0{_NUMBER_WIDTH}d}/"


def sweep_round_number(key: str) -> int:
    """The number of the round that a key below :data:`ROUNDS` belongs to.

    :raises TamperedRecord: when the key is not of that form.
    """
    return LAST_NUMBER - _number(key, key.removeprefix(ROUNDS).split("/")[0])


def sweep_finished(number: int) -> str:
    """The key of the mark that a round is over; it sorts after the round's entries."""
    return f"{sweep_round(number)}finished.json"


SWEEP_LISTS = "retention/lists/"
"""The prefix of the lists of all rounds."""


def sweep_lists(number: int) -> str:
    """The prefix of the lists of digests that a round names. Counting up, so that a listing comes to the oldest first."""
    return f"{SWEEP_LISTS}{number:0{_NUMBER_WIDTH}d}/"


def sweep_list(number: int, digest: str) -> str:
    """The key of a piece of such a list, by its content."""
    return f"{sweep_lists(number)}{check_digest(digest)}.json"


def _number(key: str, digits: str) -> int:
    if len(digits) != _NUMBER_WIDTH or not digits.isdecimal():
        raise TamperedRecord(
            f"{key} must carry a number of {_NUMBER_WIDTH} digits; something else than Stoker put it there. Find out what, then remove it.",
            record=key,
        )
    return int(digits)
