"""The documented policy is enough, and nothing of it is too much; the lifecycle rule is taken."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider.earthengine.rasters import open_raster
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator
from stack.seaweedfs import SeaweedFS
from tests.docs.blocks import BUCKET, blocks, page_text, table_rows
from tests.support.airflow_task import task_context
from tests.support.group_tasks import Group

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

LANDSAT = "projects/demo/assets/landsat7_olinda"
(POLICY, LIFECYCLE) = (
    json.loads(block.code) for block in blocks("json") if block.page == "permissions"
)
ACTIONS = [action for statement in POLICY["Statement"] for action in statement["Action"]]
# SeaweedFS lets whoever may put objects abort uploads, too.
ENFORCED = [action for action in ACTIONS if action != "s3:AbortMultipartUpload"]

Allow = Callable[[dict[str, Any]], None]


@pytest.fixture
def iam_bucket(iam_s3: SeaweedFS) -> str:
    name = f"iam-{uuid.uuid4().hex[:12]}"
    iam_s3.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def allow(
    iam_s3: SeaweedFS, iam_bucket: str, earthengine_default: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Allow]:
    """Return a function that makes ``aws_default`` a user who may do what a policy says."""
    import boto3

    iam = boto3.client(
        "iam", endpoint_url=iam_s3.endpoint_url, region_name=iam_s3.region,
        aws_access_key_id=iam_s3.access_key, aws_secret_access_key=iam_s3.secret_key,
    )  # fmt: skip
    user = f"user-{uuid.uuid4().hex[:12]}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    extra = {"endpoint_url": iam_s3.endpoint_url, "region_name": iam_s3.region}
    connection = {"conn_type": "aws", "login": key["AccessKeyId"],
                  "password": key["SecretAccessKey"], "extra": extra}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))

    def put_policy(policy: dict[str, Any]) -> None:
        text = json.dumps(policy).replace(BUCKET, iam_bucket)
        iam.put_user_policy(UserName=user, PolicyName="docs", PolicyDocument=text)
        client = iam_s3._client(key["AccessKeyId"], key["SecretAccessKey"])
        wait_until_something_is_allowed(client, iam_bucket)

    yield put_policy
    iam.delete_user_policy(UserName=user, PolicyName="docs")


def wait_until_something_is_allowed(client: S3Client, bucket: str) -> None:
    """Return once the server knows the user: a denial before would say nothing."""
    from botocore.exceptions import ClientError

    for _ in range(1000):
        for ask in (
            lambda: client.list_objects_v2(Bucket=bucket, Prefix="landsat/"),
            lambda: client.put_object(Bucket=bucket, Key="landsat-not/probe", Body=b""),
        ):
            try:
                ask()
            except ClientError:
                time.sleep(0.05)
            else:
                return
    raise AssertionError("the user was allowed nothing within 50 s")


def without(action: str) -> dict[str, Any]:
    statements = [
        {**statement, "Action": [each for each in statement["Action"] if each != action]}
        for statement in POLICY["Statement"]
    ]
    return {**POLICY, "Statement": [each for each in statements if each["Action"]]}


def download_and_replace(bucket: str) -> list[str]:
    """Publish a download, find it again, replace it by one object less, and return the URIs."""
    for scale, bands in ((60, ["B1", "B2"]), (60, ["B1", "B2"]), (90, ["B1"])):
        operator = EarthEngineToS3Operator(
            task_id="download", image=LANDSAT, s3_bucket=bucket, s3_prefix="landsat",
            download_params={"bands": bands, "scale": scale,
                             "region": [-34.95, -8.05, -34.90, -8.00]},
        )  # fmt: skip
        uris: list[str] = operator.execute(task_context())  # type: ignore[arg-type]  # a stand-in
    return uris


def test_the_documented_policy_is_enough(allow: Allow, iam_bucket: str) -> None:
    allow(POLICY)
    for uri in download_and_replace(iam_bucket):
        with open_raster(uri) as raster:
            assert raster.read(1).size


def test_the_documented_policy_may_be_kept_to_a_prefix(allow: Allow, iam_bucket: str) -> None:
    on_bucket, on_objects = POLICY["Statement"]
    condition = {"StringLike": {"s3:prefix": "landsat/*"}}
    resource = f"{on_objects['Resource'].removesuffix('*')}landsat/*"
    allow({**POLICY, "Statement": [{**on_bucket, "Condition": condition},
                                   {**on_objects, "Resource": resource}]})  # fmt: skip
    assert download_and_replace(iam_bucket)


def test_the_documented_policy_is_enough_for_a_group(allow: Allow, iam_bucket: str) -> None:
    allow(POLICY)
    group = Group(
        image=LANDSAT, s3_bucket=iam_bucket, s3_prefix="landsat", section_requests=1,
        download_params={"bands": ["B1"], "scale": 5, "region": [-34.95, -8.05, -34.90, -8.00]},
        limits={"tile_byte_count": 1_400_000},
    )  # fmt: skip
    sections = group.plan()
    assert len(sections) > 1
    for section in sections:
        group.fetch(section)
    (uri,) = group.publish(sections)
    with open_raster(uri) as raster:
        assert raster.read(1).size


@pytest.mark.parametrize("action", ENFORCED)
def test_no_action_of_the_documented_policy_can_be_left_out(
    action: str, allow: Allow, iam_bucket: str
) -> None:
    allow(without(action))
    with pytest.raises(AirflowFailException, match="AccessDeniedError"):
        download_and_replace(iam_bucket)


def test_every_action_of_the_policy_is_explained() -> None:
    rows = table_rows(page_text("permissions"), "| action")
    assert [row[0].strip("`") for row in rows] == ACTIONS


def test_a_bucket_takes_the_documented_lifecycle_rule(iam_s3: SeaweedFS, iam_bucket: str) -> None:
    client = iam_s3.client()
    client.put_bucket_lifecycle_configuration(
        Bucket=iam_bucket, LifecycleConfiguration=LIFECYCLE
    )  # fmt: skip
    got = client.get_bucket_lifecycle_configuration(Bucket=iam_bucket)
    assert got["Rules"] == LIFECYCLE["Rules"]
