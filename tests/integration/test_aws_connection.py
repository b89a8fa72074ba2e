"""An AWS connection that cannot be used fails the task for good, in one sentence that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.exceptions import ServiceUnavailableError
from airflow_provider.earthengine.operators.list_due_markers import (
    EarthEngineListDueMarkersOperator,
)
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.support.airflow_task import task_context
from tests.support.private_ca import make_private_ca
from tests.support.s3_relay import s3_relay_to

LANDSAT = "projects/demo/assets/landsat7_olinda"

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a region that is none": ({"region_name": "not a region"}, "not a region"),
    "an endpoint that is none": ({"endpoint_url": "not an endpoint"}, "not an endpoint"),
    "an endpoint without a scheme": ({"endpoint_url": "127.0.0.1:9000"}, "127.0.0.1:9000"),
    "an option of the client that is none": ({"config_kwargs": {"sing": 1}}, "sing"),
    "a signature that is none": (
        {"config_kwargs": {"signature_version": "bogus"}}, "Unknown Signature Version"
    ),
    "retries that are none": ({"config_kwargs": {"retries": {"mode": "x"}}}, '"mode": "x"'),
    "an addressing that is none": (
        {"config_kwargs": {"s3": {"addressing_style": "x"}}}, "addressing style x"
    ),
    "a checksum that is none": (
        {"config_kwargs": {"request_checksum_calculation": "x"}}, "request_checksum_calculation"
    ),
    "a role of no method": (
        {"role_arn": "arn:aws:iam::1:role/x", "assume_role_method": "x"}, "x"
    ),
    "a profile that is not there": ({"profile_name": "absent"}, "absent"),
}  # fmt: skip


def connect(monkeypatch: pytest.MonkeyPatch, s3: SeaweedFS, **extra: Any) -> None:
    connection = json.loads(s3.airflow_connection)
    connection["extra"] |= extra
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))


def assert_is_one_sentence(error: BaseException, words: str) -> None:
    assert words in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 700


@pytest.mark.slow
@pytest.mark.parametrize(("extra", "words"), BROKEN.values(), ids=BROKEN)
def test_what_the_s3_client_refuses_by_itself_fails_the_task_for_good(
    monkeypatch: pytest.MonkeyPatch,
    earthengine_default: str,
    s3: SeaweedFS,
    bucket: str,
    extra: dict[str, Any],
    words: str,
) -> None:
    connect(monkeypatch, s3, **extra)
    download = EarthEngineToS3Operator(
        task_id="download", image=LANDSAT, download_params={}, s3_bucket=bucket
    )
    markers = EarthEngineListDueMarkersOperator(task_id="markers", s3_bucket=bucket)
    for operator in (download, markers):
        with pytest.raises(AirflowFailException, match=r"^(Connection|Access)\w+Error: ") as caught:
            operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        assert_is_one_sentence(caught.value, words)


def test_a_connection_without_keys_is_named(
    monkeypatch: pytest.MonkeyPatch, earthengine_default: str, s3: SeaweedFS, bucket: str
) -> None:
    connection = json.loads(s3.airflow_connection)
    del connection["login"], connection["password"]
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    operator = EarthEngineListDueMarkersOperator(task_id="markers", s3_bucket=bucket)
    with pytest.raises(AirflowFailException, match=r"AccessDeniedError: .*no credentials"):
        operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


@pytest.mark.parametrize("name", ["s3://demo", "s3://demo/prefix", "a b", "demo/x", ""])
def test_a_bucket_that_is_no_name_is_refused_before_anything_is_asked(
    connections: object, name: str
) -> None:
    download = EarthEngineToS3Operator(
        task_id="download", image=LANDSAT, download_params={}, s3_bucket="demo"
    )
    markers = EarthEngineListDueMarkersOperator(task_id="markers", s3_bucket="demo")
    for operator in (download, markers):
        operator.s3_bucket = name
        with pytest.raises(AirflowFailException, match="DownloadParamsError: s3_bucket is"):
            operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"verify": "/no/such/ca.pem"}, "the file of a CA cannot be read"),
        ({}, r"the certificate is not trusted.*verify in the AWS connection's extra"),
    ],
)
def test_a_certificate_that_is_not_trusted_says_where_a_ca_is_named(
    s3: SeaweedFS,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    extra: dict[str, Any],
    words: str,
) -> None:
    context = make_private_ca(tmp_path, "127.0.0.1").server_context()
    options = {"retries": {"total_max_attempts": 1}}
    with s3_relay_to(s3.endpoint_url, context=context) as relay:
        connect(monkeypatch, s3, endpoint_url=relay.url, config_kwargs=options, **extra)
        operator = EarthEngineListDueMarkersOperator(task_id="markers", s3_bucket=bucket)
        with pytest.raises((AirflowFailException, ServiceUnavailableError), match=words) as caught:
            operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
        # A file that is not there will not be there the next time.
        assert isinstance(caught.value, AirflowFailException) == bool(extra)
