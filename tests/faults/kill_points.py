"""Stories whose process is killed at a chosen call to the operating system, by the signal that nothing can catch.

The teller is a fork of a process that has everything imported, so that a kill costs a tenth of a second.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from stoker.errors import StokerError
from stoker.store.base import ObjectStore
from stoker.store.local_files import LocalStore
from tests.faults.disk import Disk
from tests.faults.story import Story, World, random_story, scratch, survived

_LONGEST_STEP = 45  # calls; the step that takes a checkpoint along has about 160, and is cut in its beginning here
_PATIENCE = 60  # seconds

Opener = Callable[[Path], ObjectStore]


@dataclass(frozen=True)
class Kill:
    """When the teller dies.

    :param call: the changing call that does not happen any more, from 1.
    :param step: the step from whose beginning calls are counted, from 0.
    :param torn: whether a write that is cut short leaves its first half.
    """

    call: int
    step: int = 0
    torn: bool = False


class Lost(AssertionError):
    """A story did not survive; the message says which, and how it was cut."""


def calls(world: World, story: Story) -> int:
    """How many calls of a story change the file system."""
    root, disk = world.fresh(), Disk(stop=lambda: None)
    with disk.plugged_in():
        world.tell(LocalStore(root), story)
    shutil.rmtree(root)
    return disk.calls


def outlived(world: World, story: Story, kills: Sequence[Kill], *, opened: Opener = LocalStore) -> int:
    """Tell a story, kill its teller, once for each of ``kills``, and see whether all of it survives.

    :param opened: gives the store that the teller uses.
    :returns: how often the teller was killed; less often when it was done before.
    :raises Lost: when something acknowledged is lost, doubled or torn.
    """
    root = world.fresh()
    acknowledged, deaths = 0, 0
    try:
        for kill in kills:
            steps, dead = told(lambda heard, kill=kill: _killed(world, opened, root, story, kill, heard))
            acknowledged, deaths = max(acknowledged, steps), deaths + dead
        store = LocalStore(root)
        survived(world, store, story, acknowledged)
        store.sweep_temporary(timedelta(0))
        assert not list(root.glob(".tmp/*"))
    except (AssertionError, StokerError) as error:
        raise Lost(f"{list(story)}, {kills}, acknowledged {acknowledged}: {type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(root)
    return deaths


def outlived_seeds(seeds: Sequence[int], deaths: int) -> int:
    """As :func:`outlived` for the stories and kills that the seeds give, in a world of its own.

    :param deaths: 2: the teller is killed again while it repeats the story.
    :returns: the stories whose teller was killed so often.
    """
    with scratch() as folder:
        world = World(folder)
        return sum(outlived(world, *random_kills(seed, deaths)) == deaths for seed in seeds)


def random_kills(seed: int, deaths: int) -> tuple[list[str], list[Kill]]:
    """The story of a seed, and when its teller dies."""
    chance = random.Random(seed)
    story = random_story(chance)
    return story, [
        Kill(chance.randint(1, _LONGEST_STEP), chance.randrange(len(story)), torn=chance.random() < 0.5)
        for _ in range(deaths)
    ]


def told(
    tell: Callable[[Callable[[str], object]], None],
    *,
    begun: Callable[[int], object] = lambda _: None,
    at: int = 0,
    then: Callable[[], object] = lambda: None,
) -> tuple[int, bool]:
    """Have a fork tell something; how much of it was acknowledged, and whether the fork was killed.

    :param begun: is called here with the fork's process id, while the fork begins.
    :param at: after so many acknowledgements ``then`` is called here, while the fork goes on.
    :raises AssertionError: when it ended in any other way but well.
    """
    heard, speaks = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            signal.alarm(_PATIENCE)
            tell(lambda _: _say(speaks))
            os._exit(0)
        os._exit(1)
    os.close(speaks)
    begun(child)
    with os.fdopen(heard, "rb") as pipe:
        acknowledged = len(pipe.read(at))
        then()
        acknowledged += len(pipe.read())
    _, status = os.waitpid(child, 0)
    dead = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert dead or status == 0, f"the teller ended with status {status}"
    return acknowledged, dead


def _say(speaks: int) -> None:
    try:
        os.write(speaks, b".")
    except OSError:  # a fault from outside hit this very call: what was not heard was not acknowledged
        os._exit(0)


def _killed(world: World, opened: Opener, root: Path, story: Story, kill: Kill, heard: Callable[[str], object]) -> None:
    disk = Disk(stop=lambda: os.kill(os.getpid(), signal.SIGKILL), torn=kill.torn)
    done = 0

    def acknowledge(step: str) -> None:
        nonlocal done
        heard(step)
        done += 1
        if done == kill.step:
            disk.stop_in(kill.call)

    if kill.step == 0:
        disk.stop_in(kill.call)
    with disk.plugged_in():
        world.tell(opened(root), story, acknowledge)
