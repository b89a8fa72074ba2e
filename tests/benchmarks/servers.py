"""The two servers that contestants talk to: what they took, what they were asked and sent."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_RECEIVED = "SeaweedFS_s3_bucket_traffic_received_bytes_total"
_SENT = "SeaweedFS_s3_bucket_traffic_sent_bytes_total"
_REQUESTS = "SeaweedFS_s3_request_total"


@dataclass(frozen=True)
class Traffic:
    """What went between a bucket and its clients, in bytes; and how often something was read."""

    received_byte_count: int
    sent_byte_count: int
    read_count: int

    def since(self, earlier: Traffic) -> Traffic:
        """Return what came after an earlier count."""
        return Traffic(
            self.received_byte_count - earlier.received_byte_count,
            self.sent_byte_count - earlier.sent_byte_count,
            self.read_count - earlier.read_count,
        )


class Servers:
    """The processes that a contestant talks to.

    :param emulator_url: where the emulator's journal is.
    :param metrics_url: where the S3 server's counters are.
    :param bucket: whose traffic is counted.
    :param process_ids: by name.
    """

    def __init__(
        self, emulator_url: str, metrics_url: str, bucket: str, process_ids: Mapping[str, int]
    ) -> None:
        self._url = emulator_url
        self._metrics_url = metrics_url
        self._bucket = bucket
        self._process_ids = dict(process_ids)

    def cpu_seconds(self) -> dict[str, float]:
        """Return what each has used so far."""
        return {name: _cpu_seconds_of(pid) for name, pid in self._process_ids.items()}

    def traffic(self) -> Traffic:
        """Return what the S3 server counted so far."""
        text = _ask("GET", self._metrics_url).decode()
        reads = {"GET", "HEAD"}
        return Traffic(
            _total(text, _RECEIVED, bucket={self._bucket}),
            _total(text, _SENT, bucket={self._bucket}),
            _total(text, _REQUESTS, bucket={self._bucket}, type=reads),
        )

    def forget_requests(self) -> None:
        _ask("DELETE", f"{self._url}/emulator/requests")

    def request_counts(self) -> dict[str, int]:
        """Return how many requests were answered since they were forgotten."""
        answer = _ask("GET", f"{self._url}/emulator/requests")
        counts: dict[str, int] = json.loads(answer)["counts"]
        return counts

    def set_latency(self, seconds: float) -> None:
        """Let every answer come so much later from now on."""
        url = f"{self._url}/emulator/faults"
        _ask("DELETE", url)
        operations = ("discovery", "algorithms", "value:compute", "thumbnails.create")
        for operation in (*operations, "thumbnails.getPixels", "assets.get") if seconds else ():
            fault = {"operation": operation, "kind": "latency", "seconds": seconds, "times": 10**9}
            _ask("POST", url, json.dumps(fault).encode())


def _ask(method: str, url: str, body: bytes | None = None) -> bytes:
    headers = {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as reply:
        answer: bytes = reply.read()
    return answer


def _total(metrics: str, name: str, **wanted: set[str]) -> int:
    """Return the sum of a counter over all of its labels that are wanted."""
    total = 0.0
    for labels, value in re.findall(rf"^{name}\{{(.*)\}} (\S+)$", metrics, re.MULTILINE):
        found = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if all(found.get(label) in values for label, values in wanted.items()):
            total += float(value)
    return int(total)


def _cpu_seconds_of(process_id: int) -> float:
    """Return user and system seconds of a process. Source: proc_pid_stat(5), fields 14 and 15."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
