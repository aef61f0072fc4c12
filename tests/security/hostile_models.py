"""Model files that somebody made to run code, to burst, or to lie about what they hold."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _joblib(compress: Any) -> Callable[[Any], bytes]:
    def dump(value: Any) -> bytes:
        buffer = io.BytesIO()
        joblib.dump(value, buffer, compress=compress)
        return buffer.getvalue()

    return dump


def _object_array(value: Any) -> bytes:
    """An array of objects, which NumPy stores as a pickle."""
    buffer = io.BytesIO()
    array = np.empty(1, dtype=object)
    array[0] = value
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


_ARRAY_NODE = {
    "__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "a.npy", "__id__": 1,
    "protocol": 2, "_skops_version": "0.16.0",
}  # fmt: skip

WRAPPED: dict[str, Callable[[Any], bytes]] = {
    "a pickle of protocol 0": lambda value: pickle.dumps(value, 0),
    "a pickle of protocol 2": lambda value: pickle.dumps(value, 2),
    "a pickle of protocol 5": lambda value: pickle.dumps(value, 5),
    "a pickle in a pickle": lambda value: pickle.dumps({"model": [pickle.dumps(value), value]}),
    "a gzipped pickle": lambda value: gzip.compress(pickle.dumps(value)),
    "a pickle in bzip2": lambda value: bz2.compress(pickle.dumps(value)),
    "a pickle in xz": lambda value: lzma.compress(pickle.dumps(value)),
    "a joblib file": _joblib(0),
    "a compressed joblib file": _joblib(3),
    "a zip with a pickle": lambda value: _zip({"model.pkl": pickle.dumps(value)}),
    "a zip whose schema is a pickle": lambda value: _zip({"schema.json": pickle.dumps(value)}),
    "a zip after a pickle": lambda value: pickle.dumps(value) + _zip({"schema.json": b"{}"}),
    "an array of objects": lambda value: _zip({
        "schema.json": json.dumps(_ARRAY_NODE).encode(),
        "a.npy": _object_array(value),
    }),
}


def calls(marker: Path) -> dict[str, Call]:
    """What a pickle might call; each would leave something behind."""
    return {
        "os.system": Call(os.system, f"mkdir {marker}"),
        "os.mkdir": Call(os.mkdir, str(marker)),
        "subprocess": Call(subprocess.call, ["mkdir", str(marker)]),
        "eval": Call(eval, f"__import__('os').mkdir({str(marker)!r})"),
        "exec": Call(exec, f"import os; os.mkdir({str(marker)!r})"),
        "shutil": Call(shutil.copytree, "/etc/apt", str(marker)),
    }


FORBIDDEN = [
    ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "exec"), ("builtins", "getattr"), ("builtins", "__import__"),
    ("subprocess", "Popen"), ("pickle", "loads"), ("importlib", "import_module"), ("shutil", "rmtree"), ("joblib.numpy_pickle", "load"),
    ("skops.io", "load"),
]  # fmt: skip

LOADERS = [
    "ObjectNode",
    "FunctionNode",
    "TypeNode",
    "PartialNode",
    "MethodNode",
    "ReduceNode",
    "BytesNode",
    "NoSuchNode",
]


def rewritten(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """A skops file with another schema."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return _zip({**members, "schema.json": json.dumps(change(json.loads(members["schema.json"]))).encode()})


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """All nodes of a schema."""
    if isinstance(value, dict):
        if "__loader__" in value:
            yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def tampered(data: bytes, module: str, name: str, loader: str, *, root: bool) -> bytes:
    """A skops file one of whose nodes, the outermost or the last, names something else to build."""

    def change(schema: Any) -> Any:
        node = schema if root else list(nodes(schema))[-1]
        node.pop("__id__", None)  # with the id of a node before it, skops takes that one and does not look at this one
        node.update({
            "__module__": module,
            "__class__": name,
            "__loader__": loader,
            "content": {"module_path": module, "function": name, **({} if root else {"__loader__": loader})},
            "trusted": [f"{module}.{name}"],
        })
        return schema

    return rewritten(data, change)


def _zeros(name: str, size: int) -> bytes:
    """A zip with a member of zeros, made without ever holding them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("schema.json", json.dumps(_ARRAY_NODE))
        with archive.open(name, "w", force_zip64=True) as file:
            for _ in range(size // 1024**2):
                file.write(bytes(1024**2))
    return buffer.getvalue()


def _lying_zip(size: int) -> bytes:
    """A zip whose directory says that its one member is small."""
    data = bytearray(_zip({"schema.json": b" " * size}))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(mark) + offset
        data[at : at + 4] = (100).to_bytes(4, "little")
    return bytes(data)


def _array_header(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _with_array(content: bytes) -> bytes:
    return _zip({"schema.json": json.dumps(_ARRAY_NODE).encode(), "a.npy": content})


BOMBS: dict[str, Callable[[], bytes]] = {
    "744 MB of zeros": lambda: _zeros("a.npy", 744 * 1024**2),
    "a schema of spaces": lambda: _zip({"schema.json": b" " * 70 * 1024**2}),
    "100,001 members": lambda: _zip({f"{number}": b"" for number in range(100_001)}),
    "a directory that lies": lambda: _lying_zip(20 * 1024**2),
    "an archive in an archive": lambda: _with_array(_zeros("data.npy", 300 * 1024**2)),
    "an array of 8 TB": lambda: _with_array(_array_header((10**12,))),
    "an array of one huge value": lambda: _with_array(_array_header((1,), f"|V{2**31 - 1}")),
    "an array of many dimensions": lambda: _with_array(_array_header((2**15,) * 4)),
    "a schema nested 100,000 deep": lambda: _zip({"schema.json": b"[" * 100_000 + b"]" * 100_000}),
    "objects nested 100,000 deep": lambda: _zip({"schema.json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000}),
    "a wrong checksum": lambda: _zip({"schema.json": b"{}"}).replace(
        zlib.crc32(b"{}").to_bytes(4, "little"), b"\0\0\0\0"
    ),
}
"""Files that would take the memory of a machine, if anybody believed them."""
