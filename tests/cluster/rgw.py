"""A real S3 server for tests: one Ceph monitor, one OSD and a RADOS gateway, in memory and on loopback only.

It needs root and the Debian packages ``ceph-mon ceph-osd radosgw ceph-common``; nothing outlives the context manager.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ACCESS_KEY = "test"
SECRET_KEY = "testtest"
PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")

_CONFIG = """\
[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{mon}/0]
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind msgr2 = false
# One node: the defaults wait for three.
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
osd pool default pg num = 8
osd pool default pgp num = 8
# A machine with little free disk must not stop a store that lives in memory.
mon data avail crit = 1
mon data avail warn = 2
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
osd objectstore = memstore
memstore device bytes = 1073741824
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{gateway}
rgw thread pool size = 64
"""


class Cluster:
    """A running cluster.

    :param folder: its configuration, data and logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._gateway: subprocess.Popen[bytes] | None = None
        mon, gateway = _free_ports(2)
        self._mon = f"[v1:127.0.0.1:{mon}]"
        self._fsid = str(uuid.uuid4())  # noqa: TID251 - no test depends on its value
        self.endpoint = f"http://127.0.0.1:{gateway}"
        for name in ("mon", "osd"):
            (folder / name).mkdir()
        config = _CONFIG.format(fsid=self._fsid, mon=mon, gateway=gateway, folder=folder)
        (folder / "ceph.conf").write_text(config)

    def start(self) -> None:
        """Start the servers and make the user."""
        monmap = str(self._folder / "monmap")
        self._run("monmaptool", "--create", "--clobber", "--addv", "a", self._mon, "--fsid", self._fsid, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._serve("ceph-mon", "-i", "a")
        # The OSD stays "booting" for ever unless it is made with the id that the monitor knows it by.
        osd = str(uuid.uuid4())  # noqa: TID251 - no test depends on its value
        self._run("ceph", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._serve("ceph-osd", "-i", "0")
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
        user = ("--uid=test", "--display-name=test", f"--access-key={ACCESS_KEY}", f"--secret={SECRET_KEY}")
        self._run("radosgw-admin", "user", "create", *user)
        self.start_gateway()

    def start_gateway(self) -> None:
        """Start the gateway and wait until it answers."""
        self._gateway = self._serve("radosgw", "-n", "client.rgw.a")
        for _ in range(600):
            if self._gateway.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(0.1)
        raise RuntimeError(f"The RADOS gateway must come up; it did not.\n{self._log('client.rgw.a')}")

    def kill_gateway(self) -> None:
        """``kill -9`` it, with whatever it was doing; what it had acknowledged is in the OSD."""
        assert self._gateway is not None
        self._gateway.send_signal(signal.SIGKILL)
        self._gateway.wait()

    def stop(self) -> None:
        """End all servers, the gateway first. They keep nothing, so they are given no time."""
        for server in reversed(self._started):
            server.kill()
            server.wait()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            self._command(program, *arguments), capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program} must succeed; it ended with {done.returncode}.\n{done.stderr[-2000:]}")

    def _serve(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [*self._command(program, *arguments), "--foreground", "--setuser", "root", "--setgroup", "root"]
        with (self._folder / f"{program}.out").open("ab") as out:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self._started.append(server)
        return server

    def _command(self, program: str, *arguments: str) -> list[str]:
        configured = [] if program == "monmaptool" else ["-c", str(self._folder / "ceph.conf")]
        return [program, *configured, *arguments]

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint, timeout=1).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def _log(self, name: str) -> str:
        log = self._folder / f"{name}.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "It wrote no log."


def missing() -> str:
    """What this machine lacks to run a cluster, in words; empty when nothing."""
    if os.geteuid():
        return "the cluster's servers must run as root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)} (make cluster-test installs them)" if absent else ""


@contextmanager
def rgw() -> Iterator[Cluster]:
    """Run a cluster, and take it away again."""
    # A socket's path may have 107 bytes, so not in a test's own, long-named folder.
    with tempfile.TemporaryDirectory(prefix="rgw-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def client(endpoint: str) -> Any:
    """A boto3 client for the gateway: one attempt, and room for racing threads."""
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=64,
        s3={"addressing_style": "path"},
    )
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=config,
    )


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports
