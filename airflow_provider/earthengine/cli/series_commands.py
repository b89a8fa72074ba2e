"""The commands for a series of downloads: its STAC Collection and its index, from the items."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import Any

import click

from airflow_provider.earthengine.one_line import one_line


@click.group()
def collection() -> None:
    """Work on the STAC Collection of the items below a prefix."""


@collection.command()
@click.argument("uri")
@click.option("--id", help="Of the collection; by default that of the document or the items.")
@click.option("--title", help="By default, it stays.")
@click.option("--description", help="By default, it stays.")
@click.option("--licence", "--license", help="An SPDX identifier, or a URL. By default, it stays.")
@click.option("--mixed-grids", is_flag=True, help="Accept items on different lattices of pixels.")
@click.option("--aws-conn-id", default="aws_default", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rebuild(uri: str, aws_conn_id: str, as_json: bool, mixed_grids: bool, **given: Any) -> None:
    """Write the collection's document anew from the items.

    URI is s3://bucket/prefix of the items and of collection.json.
    """
    from airflow_provider.earthengine.cli.progress import quiet_logs
    from airflow_provider.earthengine.download.collection.rebuild import rebuild_collection
    from airflow_provider.earthengine.download.collection.store import CollectionStore
    from airflow_provider.earthengine.download.publish.compare import read_prefix_uri
    from airflow_provider.earthengine.hooks.s3 import open_bucket

    name, prefix = read_prefix_uri(uri)
    described = {key: value for key, value in given.items() if value is not None}
    if mixed_grids:
        described["mixed_grids"] = True
    with quiet_logs(), closing(open_bucket(aws_conn_id, name)) as bucket:
        rebuilt = rebuild_collection(CollectionStore(bucket, prefix, time.sleep), described)
    if as_json:
        click.echo(json.dumps(vars(rebuilt), indent=2))
        return
    click.echo(f"{rebuilt.uri}: the collection {rebuilt.id} of {rebuilt.item_count:,} items")
    if rebuilt.other_count:
        click.echo(f"Warning: {rebuilt.other_count:,} items there name another collection, or none")


@click.command()
@click.argument("uri")
@click.option("--key", help="Of the index; by default items.parquet below the prefix.")
@click.option("--anew", is_flag=True, help="Read all items, not only new and changed ones.")
@click.option("--aws-conn-id", default="aws_default", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def index(uri: str, key: str | None, anew: bool, aws_conn_id: str, as_json: bool) -> None:
    """Write the STAC GeoParquet index of the items.

    URI is s3://bucket/prefix of the items.
    """
    from airflow_provider.earthengine.cli.progress import quiet_logs
    from airflow_provider.earthengine.download.collection.index import IndexStore, index_items
    from airflow_provider.earthengine.download.fields.index_key import read_index_key
    from airflow_provider.earthengine.download.publish.compare import read_prefix_uri
    from airflow_provider.earthengine.hooks.s3 import open_bucket

    name, prefix = read_prefix_uri(uri)
    with quiet_logs(), closing(open_bucket(aws_conn_id, name)) as bucket:
        store = IndexStore(bucket, prefix, read_index_key(key, prefix), time.sleep)
        made = index_items(store, anew=anew)
    if as_json:
        click.echo(json.dumps(vars(made), indent=2))
        return
    click.echo(f"{made.uri}: {made.item_count:,} items, {made.read_count:,} of them read now")
    for left_out in made.without_place:
        click.echo(one_line(f"Warning: {left_out} has no place, and is not in the index"))
