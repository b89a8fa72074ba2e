"""The commands of ``earthengine-to-s3``. Each loads what it needs when it runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

import click

from airflow_provider.earthengine.cli.exit_codes import MISMATCH
from airflow_provider.earthengine.cli.series_commands import collection, index
from airflow_provider.earthengine.one_line import one_line

if TYPE_CHECKING:
    from airflow_provider.earthengine.download.fields.job import DownloadFields

Command = TypeVar("Command", bound=Callable[..., Any])
_PASSED_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.group()
def program() -> None:
    """Download rasters from Google Earth Engine to S3, and look at what is there.

    Connections are Airflow's, for example in AIRFLOW_CONN_EARTHENGINE_DEFAULT and
    AIRFLOW_CONN_AWS_DEFAULT; no scheduler or database is needed.
    """


program.add_command(collection)
program.add_command(index)


def _request_options(command: Command) -> Command:
    """Add the options that say what to download."""
    options = (
        click.argument("image"),
        click.option(
            "--params", default="{}", help="Parameters of ee.data.getDownloadId, as JSON."
        ),
        click.option("--name", help="The base of the objects' names."),
        click.option("--bands", help="Band ids, with commas between."),
        click.option("--region", help="west,south,east,north, or a GeoJSON file."),
        click.option("--scale", type=float, help="Metres per pixel."),
        click.option("--crs", help="For example EPSG:32610."),
        click.option("--layout", type=click.Choice(["cog", "as_served", "zip"])),
        click.option("--nodata", help="The value for masked pixels."),
        click.option("--grid", help="The operator's grid, as JSON."),
        click.option("--align-to", help="s3:// URI of an item or raster to share the grid of."),
        click.option("--key", "s3_key", help="Pattern of the keys: {year}/{base}{suffix}."),
        click.option("--record", help="What to add to the item, as JSON."),
        click.option("--collection", help="The operator's collection, as JSON."),
        click.option("--limits", help="The operator's limits, as JSON."),
        click.option("--earthengine-conn-id", default="earthengine_default", show_default=True),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@program.command()
@click.option("--to", default="s3://bucket", help="s3://bucket/prefix, to see the names.")
@_request_options
def plan(as_json: bool, earthengine_conn_id: str, **options: Any) -> None:
    """Show what a download of IMAGE would take; no pixel is computed.

    IMAGE is an asset id, or the output of ee.Image.serialize().
    """
    from airflow_provider.earthengine.cli.progress import quiet_logs
    from airflow_provider.earthengine.task.standalone import Connections, plan_alone

    with quiet_logs():
        made = plan_alone(_fields(**options), Connections(earthengine_conn_id))
    if as_json:
        click.echo(json.dumps(made.to_dict(), indent=2))
        return
    for line in (*made.lines(), *(f"Warning: {warning}" for warning in made.info.warnings)):
        click.echo(one_line(line))


@program.command()
@click.option("--to", required=True, help="s3://bucket/prefix of the objects.")
@_request_options
@click.option("--compression", type=click.Choice(["deflate", "zstd", "none"]))
@click.option(
    "--if-exists",
    type=click.Choice(["replace_changed", "fail", "replace"]),
    default="replace_changed",
    show_default=True,
    help="What to do if another download is there.",
)
@click.option(
    "--quicklook/--no-quicklook",
    default=True,
    show_default=True,
    help="Store a small picture beside the item.",
)
@click.option("--aws-conn-id", default="aws_default", show_default=True)
def download(as_json: bool, earthengine_conn_id: str, aws_conn_id: str, **options: Any) -> None:
    """Download IMAGE, verify it, and publish it to S3 with its STAC item."""
    from airflow_provider.earthengine.cli.progress import quiet_logs, showing_progress
    from airflow_provider.earthengine.task.standalone import Connections, download_alone

    connections = Connections(earthengine_conn_id, aws_conn_id)
    with quiet_logs(), showing_progress(is_shown=not as_json):
        record, was_there = download_alone(_fields(**options), connections)
    if as_json:
        told = {"uris": record.uris, "item": record.item_uri, "was_published_before": was_there}
        click.echo(json.dumps({**told, **record.to_summary()}, indent=2))
        return
    click.echo("Already published:" if was_there else "Published:")
    for line in (*record.uris, record.item_uri):
        click.echo(f"  {line}")
    for warning in record.warnings:
        click.echo(one_line(f"Warning: {warning}"))


@program.command()
@click.argument("uri")
@click.option("--aws-conn-id", default="aws_default", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(context: click.Context, uri: str, aws_conn_id: str, as_json: bool) -> None:
    """Compare what the bucket holds with the STAC item, byte for byte.

    URI is that of an item or a raster, or a prefix that ends with a slash, for all items below it.
    """
    from airflow_provider.earthengine.cli.progress import quiet_logs
    from airflow_provider.earthengine.download.bucket.bucket import Bucket
    from airflow_provider.earthengine.download.publish.compare import (
        compare_item,
        find_item_keys,
        read_object_uri,
    )
    from airflow_provider.earthengine.hooks.s3 import open_client

    name, key = read_object_uri(uri)
    with quiet_logs(), closing(Bucket(open_client(aws_conn_id), name)) as bucket:
        keys = find_item_keys(bucket, key)
        found = [each for item in keys for each in compare_item(bucket, item)]
    wrong = [each for each in found if each.problem]
    if as_json:
        rows = [{"uri": each.uri, "problem": each.problem or None} for each in found]
        click.echo(json.dumps({"is_as_recorded": not wrong, "objects": rows}, indent=2))
    else:
        for each in found:
            click.echo(f"{each.uri} {one_line(each.problem or 'is as recorded')}")
    if wrong:
        context.exit(MISMATCH)


@program.command(context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def emulator(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the Earth Engine emulator; emulator --help lists its options."""
    from airflow_provider.earthengine.emulator.__main__ import main

    context.exit(main(list(arguments)))


@program.command(context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def demo(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the demo: emulator, S3 server and a download; demo --help lists its options."""
    from airflow_provider.earthengine.demo.__main__ import main

    context.exit(main(list(arguments)))


def _fields(
    *, image: str, to: str, params: str, layout: str | None, **options: Any
) -> DownloadFields:
    """Return the fields of the download that the options describe."""
    from airflow_provider.earthengine.download.fields.job import DownloadFields
    from airflow_provider.earthengine.exceptions import DownloadParamsError

    bucket, _, prefix = to.removeprefix("s3://").partition("/")
    if not to.startswith("s3://") or not bucket:
        raise DownloadParamsError(
            f"--to is {to[:200]!r}; write s3://bucket or s3://bucket/prefix: only a bucket can be "
            "the target.",
            field="to",
        )
    names = ("name", "bands", "region", "scale", "crs")
    given = {name: value for name in names if (value := options.pop(name)) is not None}
    return DownloadFields(
        image=image,
        download_params={**_read_object(params), **_read_given(given)},
        s3_bucket=bucket,
        s3_prefix=prefix.rstrip("/"),
        layout=layout,
        **options,
    )


def _read_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint="--params") from None
    if not isinstance(value, dict):
        raise click.BadParameter("is not a JSON object", param_hint="--params")
    return value


def _read_given(given: dict[str, Any]) -> dict[str, Any]:
    if "bands" in given:
        given["bands"] = [band.strip() for band in given["bands"].split(",")]
    if "region" in given:
        given["region"] = _read_region(given["region"])
    return given


def _read_region(text: str) -> Any:
    """Return the numbers of a box; any other text as it is."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return text
