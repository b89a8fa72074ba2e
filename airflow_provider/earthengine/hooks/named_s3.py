"""Airflow's S3 hook, which finds the operator that uses it in less time."""

from __future__ import annotations

import sys

from airflow.providers.amazon.aws.hooks.s3 import S3Hook


class NamedS3Hook(S3Hook):
    """Names the operator in the user agent of its clients, as :class:`S3Hook` does.

    The original looks for the source of every frame on the stack, which takes a tenth of a second
    in the new process of each task. Source: https://github.com/apache/airflow,
    ``providers/amazon/src/airflow/providers/amazon/aws/hooks/base_aws.py``,
    ``AwsGenericHook._find_operator_class_name``, release 9.39.0.
    """

    def _get_caller(self, target_function_name: str = "execute") -> str:
        frame = sys._getframe().f_back
        while frame is not None:
            if frame.f_code.co_name == target_function_name:
                return type(frame.f_locals.get("self")).__name__
            frame = frame.f_back
        return "Unknown"
