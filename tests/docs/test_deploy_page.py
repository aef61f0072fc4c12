"""What docs/deploy.md tells to copy: values that parse, options that Airflow has, rights that the store uses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from stoker.store import layout

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "deploy.md").read_text()


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    return text


def options() -> dict[str, set[str]]:
    from airflow.configuration import conf

    return {section: set(about["options"]) for section, about in conf.configuration_description.items()}


def test_the_values_for_the_chart_fit_the_image_and_airflow() -> None:
    values = yaml.safe_load(block("yaml"))
    assert values["uid"] == int(re.findall(r"^USER (\d+)$", (PROJECT / "docker/Dockerfile").read_text(), re.M)[0])
    known = options()
    for section, given in values["config"].items():
        assert set(given) <= known[section], section


@pytest.mark.parametrize(
    ("section", "option"), re.findall(r"^\| `\[(\w+)\] (\w+)` \|", PAGE, re.M), ids=lambda name: name
)
def test_a_setting_of_the_table_is_one_of_airflow(section: str, option: str) -> None:
    known = options()
    if section == "celery_broker_transport_options":  # described by the Celery provider only
        assert option == "visibility_timeout"
    else:
        assert option in known[section]


@pytest.mark.parametrize(
    ("section", "option", "default"),
    re.findall(r"^\| `\[(scheduler|core|workers)\] (\w+)` \| (\d+)", PAGE, re.M),
    ids=lambda name: name,
)
def test_a_default_is_the_one_of_airflow(section: str, option: str, default: str) -> None:
    from airflow.configuration import conf

    described = conf.configuration_description[section]["options"][option]["default"]
    assert float(described) == float(default)


def test_the_policy_grants_what_the_store_asks_for() -> None:
    statements = json.loads(block("json"))["Statement"]
    granted = {
        (action, place.partition("/PREFIX/")[2])
        for statement in statements
        for action in _several(statement["Action"])
        for place in _several(statement["Resource"])
    }
    assert granted == {
        ("s3:ListBucket", ""),
        ("s3:GetObject", "*"),
        ("s3:PutObject", "*"),
        ("s3:DeleteObject", ".probe/*"),
        ("s3:DeleteObject", f"{layout.REPLAYS}*"),
    }


def _several(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def test_every_file_that_is_named_exists() -> None:
    paths = set(re.findall(r"`((?:docker|plugins|dags|include)/[\w./-]*)`", PAGE)) | set(
        re.findall(r"\]\((\w+\.md)\)", PAGE)
    )
    missing = {
        path
        for path in paths - {"docker/.env"}
        if not ((PROJECT / path).exists() or (PROJECT / "docs" / path).exists())
    }
    assert paths
    assert not missing
