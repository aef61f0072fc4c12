"""The commands, their tables, their JSON and their exit codes."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from typing import Any

import pytest

from stoker.engines import registration
from stoker.errors import ModelError, StoreUnavailable
from stoker.registry.registry import Registry
from stoker.store import layout
from stoker.store.base import ObjectStore
from stoker.store.opening import open_store
from tests.cli.conftest import Call
from tests.support.hostile import HOSTILE_NAMES
from tests.support.registrations import ACTOR, register

WHY = ("--reason", "because")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The versions that a rollback loaded, without a model and a process for each."""
    loaded: list[int] = []
    monkeypatch.setattr(registration, "verify_loads", lambda store, version, trusted: loaded.append(version.number))
    return loaded


def overwrite(store: ObjectStore, key: str, data: bytes) -> None:
    """Damage a store behind its back."""
    store.delete_swept(key)
    store.create(key, data)


def test_an_empty_store_says_so(call: Call, uri: str) -> None:
    answer = call("models")
    assert (answer.code, answer.err) == (0, "")
    assert "No model is registered" in answer.out
    assert call("models", "--json").json == {"models": []}


def test_models_are_listed_with_their_champions(call: Call, registry: Registry) -> None:
    register(registry, "churn")
    register(registry, "fraud")
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    rows = call("models", "--json").json["models"]
    assert [(row["model"], row["champion"], row["versions"]) for row in rows] == [("churn", 1, 1), ("fraud", None, 1)]
    table = call("models").out
    assert "churn" in table
    assert "fraud" in table


def test_versions_are_listed_newest_first_up_to_the_limit(call: Call, registry: Registry) -> None:
    for outcome in ("pass", "fail", None):
        register(registry, outcome=outcome)
    rows = call("versions", "churn", "--json", "--limit", "2").json["versions"]
    assert [(row["version"], row["verdict"]) for row in rows] == [(3, "not_configured"), (2, "fail")]
    assert "not_configured" in call("versions", "churn").out


def test_a_version_is_shown_by_number_and_by_alias(call: Call, registry: Registry) -> None:
    version = register(registry, metrics={"accuracy": 0.75})
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    by_alias = call("show", "churn", "champion", "--json").json
    assert by_alias == call("show", "churn", "1", "--json").json
    assert by_alias["digest"] == version.digest
    assert by_alias["manifest"] == version.manifest
    page = call("show", "churn", "champion").out
    assert "0.75" in page
    assert "It is better." in page


def test_a_promotion_moves_the_alias_and_names_who_did_it(call: Call, registry: Registry) -> None:
    register(registry)
    answer = call("promote", "churn", "1", "--expect", "none", "--user", "grace", "--json", *WHY)
    assert answer.code == 0
    assert (answer.json["version"], answer.json["previous"], answer.json["changed"]) == (1, None, True)
    assert registry.resolve("churn").number == 1
    entry = list(registry.history("churn"))[-1]
    assert (entry.actor.user, entry.actor.origin, entry.reason) == ("grace", "cli", "because")


def test_a_promotion_is_told_in_a_sentence(call: Call, registry: Registry) -> None:
    register(registry)
    assert call("promote", "churn", "1", *WHY).out == "churn@champion is version 1; it was unset.\n"
    assert "nothing was written" in call("promote", "churn", "1", *WHY).out
    register(registry)
    assert call("promote", "churn", "2", *WHY).out == "churn@champion is version 2; it was version 1.\n"


def test_the_login_name_acts_where_no_user_is_given(
    call: Call, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(registry)
    monkeypatch.setattr(getpass, "getuser", lambda: "linus")
    call("promote", "churn", "1", *WHY)
    assert list(registry.history("churn"))[-1].actor.user == "linus"


def test_a_process_without_a_login_name_is_asked_for_a_user(
    call: Call, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    register(registry)
    monkeypatch.setattr(getpass, "getuser", nobody)
    answer = call("promote", "churn", "1", *WHY)
    assert answer.code == 2
    assert "--user" in answer.err


def test_a_promotion_that_expected_another_champion_exits_with_3(call: Call, registry: Registry) -> None:
    register(registry)
    register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    answer = call("promote", "churn", "2", "--expect", "none", "--json", *WHY)
    assert (answer.code, answer.out, answer.error["kind"]) == (3, "", "PromotionConflict")
    assert answer.error["details"]["seen_version"] == 1
    assert registry.resolve("churn").number == 1


def test_a_version_without_a_passing_verdict_exits_with_1_unless_that_is_waived(call: Call, registry: Registry) -> None:
    register(registry, outcome="fail", reasons=("It is worse.",))
    answer = call("promote", "churn", "1", *WHY)
    assert answer.code == 1
    assert "It is worse." in answer.err
    assert answer.err.count("\n") == 1
    assert call("promote", "churn", "1", "--no-verdict", *WHY).code == 0


def test_a_rollback_goes_back_loads_the_target_and_blocks_the_bad_one(
    call: Call, registry: Registry, loads: list[int]
) -> None:
    for number in (1, 2):
        register(registry)
        registry.promote("churn", number, actor=ACTOR, reason="good")
    assert call("rollback", "churn", "--expect", "2", *WHY).out == "churn@champion is version 1; it was version 2.\n"
    assert loads == [1]
    answer = call("promote", "churn", "2", "--json", *WHY)
    assert (answer.code, answer.error["kind"]) == (1, "VersionBlocked")
    assert "blocked" in call("versions", "churn").out
    assert call("unblock", "churn", "2", *WHY).out == "Version 2 of churn is free again.\n"
    assert call("unblock", "churn", "2", "--json", *WHY).json == {"model": "churn", "version": 2, "changed": False}
    assert call("promote", "churn", "2", *WHY).code == 0


def test_a_rollback_to_a_chosen_version(call: Call, registry: Registry, loads: list[int]) -> None:
    for number in (1, 2, 3):
        register(registry)
        registry.promote("churn", number, actor=ACTOR, reason="good")
    assert call("rollback", "churn", "--to", "1", "--json", *WHY).json["version"] == 1
    assert loads == [1]


def test_a_rollback_to_a_model_that_does_not_load_moves_nothing(
    call: Call, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(store: ObjectStore, version: Any, trusted: Any) -> None:
        raise ModelError("A model must load; this one does not.")

    monkeypatch.setattr(registration, "verify_loads", refuse)
    for number in (1, 2):
        register(registry)
        registry.promote("churn", number, actor=ACTOR, reason="good")
    assert call("rollback", "churn", *WHY).code == 1
    assert registry.resolve("churn").number == 2


def test_a_rollback_with_nothing_to_go_back_to_exits_with_2(call: Call, registry: Registry, loads: list[int]) -> None:
    register(registry)
    registry.promote("churn", 1, actor=ACTOR, reason="good")
    assert call("rollback", "churn", *WHY).code == 2
    assert loads == []


@pytest.mark.parametrize("command", [("promote", "churn", "1"), ("rollback", "churn")])
def test_a_change_needs_a_reason(call: Call, registry: Registry, command: tuple[str, ...]) -> None:
    register(registry)
    answer = call(*command, "--json")
    assert answer.code == 2
    assert "--reason" in answer.error["message"]


def test_the_log_shows_the_newest_entries_in_order(call: Call, registry: Registry) -> None:
    register(registry, reason="[bold]first[/bold]")
    register(registry, reason="second\x1b[2J")
    registry.promote("churn", 2, actor=ACTOR, reason="third")
    rows = call("audit", "log", "churn", "--json", "--limit", "2").json["entries"]
    assert [(row["seq"], row["reason"]) for row in rows] == [(2, "second\x1b[2J"), (3, "third")]
    table = call("audit", "log", "churn").out
    assert "[bold]" in table.replace("\n", "")
    assert "\x1b" not in table


def test_a_sound_log_verifies(call: Call, registry: Registry) -> None:
    register(registry)
    register(registry, "fraud")
    head = registry.state("churn").digest
    assert call("audit", "verify", "churn", "--expect-head", head).code == 0
    answer = call("audit", "verify", "--json")
    assert answer.code == 0
    assert [(row["model"], row["problems"]) for row in answer.json["models"]] == [("churn", []), ("fraud", [])]
    assert answer.json["models"][0]["head"] == head


def test_a_changed_record_is_named_and_exits_with_1(call: Call, registry: Registry) -> None:
    for _ in range(3):
        register(registry)
    key = layout.numbered(layout.log("churn"), 2)
    overwrite(registry.store, key, registry.store.read(key).replace(b"trained", b"TRAINED"))
    answer = call("audit", "verify", "--json")
    assert answer.code == 1
    assert answer.json["models"][0]["problems"]
    assert key in call("audit", "verify", "churn").out


def test_a_head_that_was_never_there_exits_with_1(call: Call, registry: Registry) -> None:
    register(registry)
    assert call("audit", "verify", "churn", "--expect-head", "0" * 64).code == 1


def test_an_expected_head_needs_a_model(call: Call, registry: Registry) -> None:
    assert call("audit", "verify", "--expect-head", "0" * 64).code == 2


def test_a_damaged_log_exits_with_1(call: Call, registry: Registry) -> None:
    register(registry)
    overwrite(registry.store, layout.numbered(layout.log("churn"), 1), b"{}")
    answer = call("show", "churn", "1", "--json")
    assert (answer.code, answer.error["kind"]) == (1, "TamperedRecord")


def test_a_store_that_cannot_be_read_exits_with_4(call: Call, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("The store must answer; it does not. Try again.")

    monkeypatch.setattr(type(open_store(uri)), "folders", fail)
    answer = call("models", "--json")
    assert (answer.code, answer.error["kind"]) == (4, "StoreUnavailable")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("show", "churn"),
        ("show", "nobody", "1"),
        ("show", "churn", "9"),
        ("show", "churn", "-1"),
        ("show", "churn", "shadow"),
        ("promote", "churn", "one", *WHY),
        ("promote", "churn", "1", "--expect", "maybe", *WHY),
        ("promote", "churn", "1", "--alias", "latest", *WHY),
        ("models", "--store", "ftp://x"),
        ("versions", "churn", "--limit", "0"),
    ],
)
def test_a_wrong_call_exits_with_2_and_says_why(call: Call, registry: Registry, arguments: tuple[str, ...]) -> None:
    register(registry)
    answer = call(*arguments, "--json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.error["message"]
    assert "Error:" in call(*arguments).err


def test_hostile_names_are_refused_everywhere_and_never_echoed_raw(call: Call, registry: Registry) -> None:
    for name in HOSTILE_NAMES:
        for command in (("show", "--", name, "1"), ("audit", "log", "--", name), ("versions", "--", name)):
            answer = call(*command)
            assert answer.code == 2, (command, answer.out)
            assert answer.err.isascii() or name not in answer.err
        assert call("promote", *WHY, "--alias", name, "--", "churn", "1").code == 2
    assert list(registry.store.keys("")) == []


def test_options_stand_before_or_after_the_command(call: Call, registry: Registry, uri: str) -> None:
    register(registry)
    expected = call("models", "--json").json
    assert call("--json", "models").json == expected
    assert call("--json", "--store", "memory://elsewhere", "models", "--store", uri).json == expected
    assert call("--store", "memory://elsewhere", "models", "--json").json == {"models": []}


def test_tables_fit_into_80_columns(call: Call, registry: Registry) -> None:
    register(registry, "m" * 63, reason="r" * 300)
    for command in (
        ("models",),
        ("versions", "m" * 63),
        ("show", "m" * 63, "1"),
        ("audit", "log", "m" * 63),
        ("audit", "verify"),
    ):
        lines = call(*command).out.splitlines()
        assert lines
        assert max(map(len, lines)) <= 80, command


def test_help_starts_without_airflow_and_heavy_libraries() -> None:
    code = (
        "import sys\nfrom stoker.cli.app import app\n"
        "try:\n    app.main(['--help'], prog_name='stoker')\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'airflow', 'boto3', 'numpy', 'pandas', 'rich', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Exit codes: 0 done" in done.stdout


def test_a_key_that_interrupts_ends_the_command_with_130(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Registry) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Registry, "models", interrupt)
    assert call("models").code == 130


def test_json_is_ascii_so_that_nothing_stored_steers_a_terminal(call: Call, registry: Registry) -> None:
    register(registry, reasons=("\x1b]0;pwned\x07 ünïcode",))
    answer = call("show", "churn", "1", "--json")
    assert answer.out.isascii()
    assert "\x1b" not in answer.out
    assert json.loads(answer.out)["reasons"] == ["\x1b]0;pwned\x07 ünïcode"]
    assert "\x1b" not in call("show", "churn", "1").out
