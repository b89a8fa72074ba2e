"""``@task.earthengine_to_s3``: a function that returns an ``ee.Image`` -> its download task."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import DecoratedOperator, task_decorator_factory

from airflow_provider.earthengine.download.fields.job import DownloadFields, read_image_kwargs
from airflow_provider.earthengine.transfers.earthengine_to_s3 import EarthEngineToS3Operator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskDecorator


class EarthEngineToS3DecoratedOperator(DecoratedOperator, EarthEngineToS3Operator):
    """Download the image that a decorated function returns.

    The function is called on the worker, with Earth Engine initialised. Its arguments are those
    that the task was called with; its other parameters (``ds``, ``data_interval_start``, ...) are
    taken from the run.
    """

    custom_operator_name = "@task.earthengine_to_s3"
    template_fields: Sequence[str] = (
        *(name for name in EarthEngineToS3Operator.template_fields if name != "image"),
        "op_args",
        "op_kwargs",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **EarthEngineToS3Operator.template_fields_renderers,
        **DecoratedOperator.template_fields_renderers,
    }

    def __init__(self, *, python_callable: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(python_callable=python_callable, image=python_callable, **kwargs)

    def _fields(self) -> DownloadFields:
        """Return the fields, including the arguments that the DAG calls the function with."""
        fields = super()._fields()
        names = inspect.signature(self.python_callable).parameters
        by_position = dict(zip(names, self.op_args, strict=False))
        image_kwargs = read_image_kwargs(fields.image_kwargs)
        return replace(fields, image_kwargs={**image_kwargs, **by_position, **self.op_kwargs})


def earthengine_to_s3_task(
    python_callable: Callable[..., Any] | None = None, **kwargs: Any
) -> TaskDecorator:
    """Turn a function that returns an ``ee.Image`` into a task that downloads it to S3.

    :param kwargs: those of :class:`EarthEngineToS3Operator`, except ``image``.
    """
    EarthEngineToS3DecoratedOperator.check_given(kwargs)
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=EarthEngineToS3DecoratedOperator,
        **kwargs,
    )
