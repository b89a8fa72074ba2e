"""Where contestants work: the servers that they are told of, scratch, and the one bucket."""

from __future__ import annotations

from pathlib import Path

from stack.emulator import earthengine_connection
from stack.environment import child_environment
from stack.seaweedfs import SeaweedFS
from tests.benchmarks.assignment import Assignment, Compression
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.scenes import Cell

BUCKET = "benchmarks"
PROJECT = "demo"
CONCURRENCY = 16


class Place:
    """Where the contestants of a scene work.

    :param folder: for what they are told and what they tell.
    """

    def __init__(self, folder: Path, s3: SeaweedFS, earthengine_url: str) -> None:
        self.folder = folder
        self._s3 = s3
        self._earthengine_url = earthengine_url

    def assignment(
        self, cell: Cell, contestant: Contestant, layout: str, compression: Compression
    ) -> Assignment:
        return Assignment(
            scene=cell.scene,
            layout=layout,
            earthengine_url=self._earthengine_url,
            project=PROJECT,
            s3_url=self._s3.endpoint_url,
            s3_access_key=self._s3.access_key,
            s3_secret_key=self._s3.secret_key,
            bucket=BUCKET,
            prefix=f"{cell.key}/{contestant.name}",
            scratch=self.folder / "scratch",
            concurrency=CONCURRENCY,
            compression=compression,
        )

    def environment(self, assignment: Assignment) -> dict[str, str]:
        """Return the environment of every contestant: two connections, and where scratch is."""
        return child_environment(
            self.folder,
            {
                "TMPDIR": str(assignment.scratch),
                "AIRFLOW_HOME": str(self.folder / "airflow"),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW_CONN_EARTHENGINE_DEFAULT": earthengine_connection(
                    self._earthengine_url, PROJECT
                ),
                "AIRFLOW_CONN_AWS_DEFAULT": self._s3.airflow_connection,
            },
        )

    def empty(self, assignment: Assignment) -> None:
        """Delete what a contestant stored, also in its rehearsal."""
        client = assignment.s3_client()
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=assignment.prefix
        )
        for key in [each["Key"] for page in pages for each in page.get("Contents", [])]:
            client.delete_object(Bucket=BUCKET, Key=key)
