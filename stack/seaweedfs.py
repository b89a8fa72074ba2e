"""The S3 server of demos and tests: that of the demo that ships in the wheel."""

from __future__ import annotations

from airflow_provider.earthengine.demo.seaweedfs import SeaweedFS

__all__ = ["SeaweedFS"]
