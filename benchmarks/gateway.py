"""Ceph's S3 gateway on this machine: one monitor, one storage daemon in memory, one gateway, all on loopback.

Needs Debian's ``ceph-mon ceph-osd radosgw ceph-common`` and root. Everything lies in one folder and ends with the context.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.airflow_stack import free_port
from stoker.core.clock import random_id

KEY, SECRET = "test", "testtest"
_AS_ROOT = ["--setuser", "root", "--setgroup", "root"]
_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{monitor}/0]
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind msgr2 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 2
run dir = {folder}/run
log file = {folder}/log/$name.log
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw thread pool size = 64
"""


class Gateway:
    """A running gateway, which can be killed and started again while clients are at work.

    :param folder: holds configuration, data and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, monitor = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.fsid = str(uuid.UUID(random_id()))
        self.monitor = f"[v1:127.0.0.1:{monitor}/0]"
        for name in ("mon", "osd", "run", "log"):
            (folder / name).mkdir()
        text = _CONFIGURATION.format(fsid=self.fsid, folder=folder, monitor=monitor, port=self.port)
        (folder / "ceph.conf").write_text(text)

    def start_all(self) -> None:
        """Start monitor, storage and gateway, and make the user :data:`KEY`."""
        monmap, disk = str(self.folder / "monmap"), str(uuid.UUID(random_id()))
        _run("monmaptool", "--create", "--clobber", "--addv", "a", self.monitor, "--fsid", self.fsid, monmap)
        self._ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, *_AS_ROOT)
        self._ceph("ceph-mon", "-i", "a", *_AS_ROOT)
        self._ceph("ceph", "osd", "new", disk)
        self._ceph("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk, *_AS_ROOT)  # another uuid would never join
        self._start_storage()
        self._ceph("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
        user = ["--uid=test", "--display-name=test", f"--access-key={KEY}", f"--secret={SECRET}"]
        self._ceph("radosgw-admin", "user", "create", *user)
        self.start()

    def start(self) -> None:
        """Start the gateway and wait until it answers."""
        self._ceph("radosgw", "-n", "client.rgw.a", *_AS_ROOT)
        for _ in range(120):
            with suppress(OSError):
                urllib.request.urlopen(self.endpoint, timeout=5)
                return
            time.sleep(0.5)
        raise RuntimeError(f"The gateway must answer within a minute; see {self.folder}/log.")

    def _start_storage(self) -> None:
        # On a busy machine it may speak before the monitor told it who it is, and gives up: "wrong fsid".
        for _ in range(5):
            with suppress(RuntimeError):
                self._ceph("ceph-osd", "-i", "0", *_AS_ROOT)
                return
            time.sleep(1)
        raise RuntimeError(f"The storage daemon must start; see {self.folder}/log.")

    def kill(self) -> None:
        """Kill the gateway without a warning."""
        for pid in self._pids("client.rgw.a.pid"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop_all(self) -> None:
        """Kill everything."""
        for pid in self._pids("*.pid"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def client(self) -> Any:
        """A boto3 client: one attempt a call, so that retries are the store's alone."""
        import boto3
        from botocore.config import Config

        config = Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=64,
            connect_timeout=5,
            read_timeout=20,
        )
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=config,
        )

    def _ceph(self, program: str, *arguments: str) -> None:
        _run(program, "-c", str(self.folder / "ceph.conf"), *arguments)

    def _pids(self, pattern: str) -> list[int]:
        return [int(file.read_text()) for file in (self.folder / "run").glob(pattern) if file.read_text().strip()]


@contextmanager
def gateway(folder: Path) -> Iterator[Gateway]:
    """A gateway for the length of the context."""
    running = Gateway(folder)
    try:
        running.start_all()
        yield running
    finally:
        running.stop_all()


def _run(*command: str) -> None:
    # The daemons inherit what they are given, so output goes to a file: a pipe would stay open for ever.
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} must end well; it ended with {done.returncode}.")
