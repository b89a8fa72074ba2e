"""The S3 hook that names the operator in the user agent of its clients."""

from __future__ import annotations

import json

import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from airflow_provider.earthengine.hooks.named_s3 import NamedS3Hook
from airflow_provider.earthengine.hooks.s3 import open_client


def user_agent() -> str:
    client = open_client("aws_default")
    client.close()
    return str(client.meta.config.user_agent)


class SomeOperator:
    def execute(self) -> str:
        return self.work()

    def work(self) -> str:
        return user_agent()


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"conn_type": "aws", "login": "key", "password": "secret"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(known))


def test_the_operator_is_in_the_user_agent() -> None:
    assert "Caller/SomeOperator " in SomeOperator().execute()


def test_without_an_operator_the_caller_is_unknown() -> None:
    assert "Caller/Unknown " in user_agent()


def test_the_user_agent_is_that_of_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [SomeOperator().execute(), user_agent()]
    monkeypatch.setattr(NamedS3Hook, "_get_caller", S3Hook._get_caller)
    assert [SomeOperator().execute(), user_agent()] == ours
