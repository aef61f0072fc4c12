"""Prove what can be proven of the image and the services without a Docker engine: ``make docker-check`` (Linux, root).

Linters and Docker's own parser read the files. Then every RUN and COPY of the Dockerfile is carried out in folders of its own, as
a build would, with this machine's ``/usr`` and Python as the base image. In the second stage the roles start as the image's user,
who can write no more than a container may, and the health checks of compose.yaml are asked before, while and after they run.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dockerfile
from benchmarks.services import redis
from tests.support.s3_server import s3_server

PROJECT = Path(__file__).resolve().parents[1]
HERE = PROJECT / "docker"
TOOLS = Path(sys.executable).parent
_SHARED = ("usr", "bin", "sbin", "lib", "lib64", "dev", "proc")
_CONFIGURATION = (
    "passwd",
    "group",
    "shadow",
    "gshadow",
    "login.defs",
    "hosts",
    "resolv.conf",
    "nsswitch.conf",
    "ssl",
    "ld.so.cache",
)
_REACH = {"PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "UV_DEFAULT_INDEX", "UV_INDEX_URL"}
_CLONE_NEWNET, _SIOCSIFFLAGS, _IFF_UP = 0x40000000, 0x8914, 1


def main() -> None:
    """Lint, build, start."""
    if os.geteuid() != 0 or sys.platform != "linux":
        sys.exit("The Dockerfile is carried out under chroot, in a mount namespace: be root, on Linux.")
    if len(sys.argv) == 2:
        _examine(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory(prefix="stoker-image-") as folder:
        # What is mounted in there is seen by that process only, so nothing but plain files is deleted here.
        apart = ["unshare", "--mount", "--propagation", "private", "--fork", "--kill-child", sys.executable]
        sys.exit(subprocess.run([*apart, __file__, folder], check=False).returncode)


def _examine(folder: Path) -> None:
    services = _services()
    _lint()
    image = _build(folder)
    _own_network()
    with _servers(folder) as environ:
        _roles(image, services, environ)
    print("The image builds; every role starts as its user, without network; its health check tells up from down.")


def _services() -> dict[str, Any]:
    """The services as Docker's own parser understands them, with fresh secrets."""
    secrets = subprocess.run([sys.executable, HERE / "make_env.py"], check=True, capture_output=True, text=True).stdout
    with tempfile.NamedTemporaryFile("w", suffix=".env") as env:
        env.write(secrets)
        env.flush()
        command = [TOOLS / "docker-compose", "--env-file", env.name, "--file", HERE / "compose.yaml"]
        answer = subprocess.run([*command, "config", "--format", "json"], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)["services"]


def _lint() -> None:
    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        ["hadolint", "--failure-threshold", "info", "Dockerfile"],
        ["shellcheck", "entrypoint.sh"],
    ):
        subprocess.run([TOOLS / command[0], *command[1:]], cwd=HERE, check=True)
        print(f"{command[0]}: clean", flush=True)


class Stage:
    """One stage of the Dockerfile: a root folder, and what its instructions have set.

    :param root: where the stage's ``/`` is.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", "LANG": "C.UTF-8"}
        self.user = "0"
        self.folder = "/"
        for name in ("tmp", "opt", "etc", "root"):
            (root / name).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        self._share()
        self._base_image()

    def _share(self) -> None:
        """This machine's programs, read-only, stand in for those of the base image."""
        for name in _SHARED:
            (self.root / name).mkdir(exist_ok=True)
            subprocess.run(["mount", "--rbind", f"/{name}", self.root / name], check=True)
            if name not in {"dev", "proc"}:
                subprocess.run(["mount", "-o", "remount,bind,ro", self.root / name], check=True)
        for name in _CONFIGURATION:
            source = Path("/etc", name)
            if source.is_dir():
                shutil.copytree(source, self.root / "etc" / name, symlinks=True)
            elif source.exists():
                shutil.copy2(source, self.root / "etc" / name)

    def _base_image(self) -> None:
        """``python:3.x-slim`` has its Python, and pip, in /usr/local."""
        home = self.root / "base-python"
        if not Path(sys.base_prefix).is_relative_to("/usr"):
            inside = self.root / sys.base_prefix.lstrip("/")
            inside.mkdir(parents=True)
            subprocess.run(["mount", "--bind", sys.base_prefix, inside], check=True)
        venv.create(home, with_pip=True, symlinks=True)
        for script in (home / "bin").iterdir():
            if not script.is_symlink() and script.is_file():
                script.write_text(script.read_text().replace(str(home), "/usr/local"))
        subprocess.run(["mount", "--bind", home, self.root / "usr/local"], check=True)

    def run(
        self, command: list[str] | str, *, check: bool = True, quiet: bool = False, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as Docker runs RUN (a text) or an exec form (a list)."""
        out = subprocess.DEVNULL if quiet else None
        return subprocess.run(
            self._inside(command), env={**self.env, **environ}, check=check, stdout=out, stderr=out, text=True
        )

    def start(self, command: list[str], log: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start a program inside, in a session of its own."""
        with log.open("w") as out:
            return subprocess.Popen(
                self._inside(command),
                env={**self.env, **environ},
                stdout=out,
                stderr=out,
                text=True,
                start_new_session=True,
            )

    def _inside(self, command: list[str] | str) -> list[str]:
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        script = f"cd {shlex.quote(self.folder)} && exec {shlex.join(words)}"
        groups = [] if self.user == "0" else ["--groups="]
        return ["chroot", f"--userspec={self.user}:{self.user}", *groups, str(self.root), "/bin/sh", "-c", script]

    def copy(self, sources: list[Path], target: str, mode: str | None) -> None:
        """COPY: files into a folder, a folder's contents into a folder."""
        place = self.root / str(Path(self.folder, target)).lstrip("/")
        for source in sources:
            if source.is_dir():
                shutil.copytree(
                    source, place, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
                )
                continue
            into = place / source.name if target.endswith("/") else place
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, into)
            if mode:
                into.chmod(int(mode, 8))


def _build(folder: Path) -> Stage:
    """Carry the Dockerfile out, and give its last stage."""
    stages: dict[str, Stage] = {}
    for step in dockerfile.parse_file(str(HERE / "Dockerfile")):
        words, flags = list(step.value), dict(flag.removeprefix("--").split("=", 1) for flag in step.flags)
        if step.cmd != "ARG":
            print(f"  {step.cmd} {' '.join(words)[:110]}", flush=True)
        match step.cmd:
            case "FROM":
                stage = Stage(folder / f"stage{len(stages)}")
                stages[words[2] if "AS" in words else ""] = stage
            case "WORKDIR":
                stage.folder = words[0]
                (stage.root / words[0].lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "RUN":
                stage.run(words[0], **_caches())
            case "COPY":
                source = stages[flags["from"]].root if "from" in flags else PROJECT
                stage.copy([source / word.lstrip("/") for word in words[:-1]], words[-1], flags.get("chmod"))
            case "ENV":
                pairs = zip(words[::2], words[1::2], strict=True)
                stage.env |= {name: value.replace("$PATH", stage.env["PATH"]) for name, value in pairs}
            case "USER":
                stage.user = words[0]
            case "ARG" | "EXPOSE" | "ENTRYPOINT" | "CMD":
                pass
            case other:
                sys.exit(f"docker/check.py carries out no {other}; teach it to.")
    return stage


def _caches() -> dict[str, str]:
    """How this machine reaches its packages, which is not the Dockerfile's business."""
    return {name: value for name, value in os.environ.items() if name in _REACH or name.upper().endswith("_PROXY")}


def _own_network() -> None:
    """Leave the machine's network for an empty one: all ports are free, and nothing outside can be reached."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket() as any_socket:  # the loopback device of a new network is down
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


@contextmanager
def _servers(folder: Path) -> Iterator[dict[str, str]]:
    """A Redis and an S3 server, and what a container must be told to use them."""
    with redis(folder) as broker, s3_server() as endpoint:
        aws = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": {"endpoint_url": endpoint}}
        yield {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",  # Airflow's schedulers refuse SQLite with another one
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////tmp/airflow.db",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": "sqlite+aiosqlite:////tmp/airflow.db",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": broker,
            "AIRFLOW__CORE__PARALLELISM": "1",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
            "HOSTNAME": socket.gethostname(),  # Docker sets it
        }


def _roles(image: Stage, services: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Start each role of the image as Compose would, and ask its health check before, meanwhile and afterwards."""
    entry = ["/opt/airflow/entrypoint.sh"]
    image.run([*entry, *services["init"]["command"]], **{**services["init"]["environment"], **environ})
    print("init: migrated the database, made the bucket, and found the store sound", flush=True)
    for name, service in services.items():
        if service.get("image") != "stoker" or name == "init":
            continue
        given = {**service["environment"], **environ}
        log = image.root / "tmp" / f"{name}.log"
        _expect(False, image, service, given, log, seconds=0)
        role = image.start([*entry, *service["command"]], log, given)
        try:
            _expect(True, image, service, given, log, seconds=180)
        finally:
            os.killpg(role.pid, signal.SIGKILL)
            role.wait()
        _expect(False, image, service, given, log, seconds=60)
        print(f"{name}: healthy when up, unhealthy when not", flush=True)


def _expect(
    up: bool, image: Stage, service: Mapping[str, Any], given: Mapping[str, str], log: Path, seconds: int
) -> None:
    """Ask the health check of a service until it says what it should, as its container would be asked."""
    kind, *words = service["healthcheck"]["test"]
    test = [word.replace("$$", "$") for word in words]
    end = time.monotonic() + seconds
    while image.run(test[0] if kind == "CMD-SHELL" else test, check=False, quiet=True, **given).returncode == (
        1 if up else 0
    ):
        if time.monotonic() > end:
            sys.exit(
                f"{test} must say {'up' if up else 'down'}; it does not. The log:\n{log.read_text()[-3000:] if log.exists() else ''}"
            )
        time.sleep(1)


if __name__ == "__main__":
    main()
