"""What a hook reads from Earth Engine and writes to S3 -> Airflow's hook lineage.

An asset of Earth Engine is ``earthengine://`` and its id; for OpenLineage, it is a dataset of that
name in the namespace ``earthengine``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from airflow_provider.earthengine.download.program import assets_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import Asset, BaseHook

NAMESPACE = SCHEME = "earthengine"
# Source: https://github.com/apache/airflow, ``task-sdk/src/airflow/sdk/definitions/asset``,
# ``_validate_identifier``, release 3.3.2.
_MOST_CHARACTERS = 1_500


def report_reads(hook: BaseHook, asset_ids: Iterable[str]) -> None:
    """Report assets of Earth Engine as inputs of the task that uses the hook."""
    collector = _collector()
    for uri in _uris(SCHEME, asset_ids if collector else ()):
        collector.add_input_asset(context=hook, uri=uri)


def report_writes(hook: BaseHook, uris: Iterable[str]) -> None:
    """Report objects in S3 as outputs of the task that uses the hook."""
    collector = _collector()
    names = (uri.removeprefix("s3://") for uri in (uris if collector else ()))
    for uri in _uris("s3", names):
        collector.add_output_asset(context=hook, uri=uri)


def report_computation(hook: BaseHook, computed: Any) -> None:
    """Report the assets that a computation loads.

    :param computed: an ``ee`` object.
    """
    if _collector() is None:
        return
    import ee

    program = ee.serializer.encode(computed, for_cloud_api=True)
    report_reads(hook, assets_of(program) if isinstance(program, dict) else ())


def _uris(scheme: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the URIs that Airflow accepts; a longer one would fail the task."""
    for name in names:
        uri = _uri(scheme, name)
        if len(uri) <= _MOST_CHARACTERS:
            yield uri


def _uri(scheme: str, name: str) -> str:
    # Airflow's assets are in ASCII, and what follows "?" or "#" is not part of a name there.
    return f"{scheme}://{quote(name, safe='/:')}"


def _collector() -> Any:
    """Return Airflow's collector; None if nobody reads what it collects."""
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]  # it has none
    # The class has another module in each release.
    return None if type(collector).__name__ == "NoOpCollector" else collector


def create_asset(*, asset_id: str, extra: Any = None) -> Asset:
    """Return an asset of Earth Engine as Airflow's asset."""
    from airflow.providers.common.compat.sdk import Asset

    return Asset(uri=_uri(SCHEME, asset_id), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the URI.

    :raises ValueError: if it has no asset id.
    """
    if not uri.netloc:
        raise ValueError("URI format earthengine:// must contain the id of an asset")
    return uri


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:
    """Return Airflow's asset as a dataset of OpenLineage."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    uri = urlsplit(asset.uri)
    return Dataset(namespace=NAMESPACE, name=unquote(f"{uri.netloc}{uri.path}"))
