"""Frames that come as Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from segments.errors import BadInput


def read_frame(path: Path, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """A Parquet file, or a folder of such files, with these columns; raises BadInput naming what is wrong. Other columns are left out."""
    try:
        found = pl.read_parquet(path)
    except (PolarsError, OSError) as error:
        raise BadInput(f"{path}: cannot be read as Parquet ({error})") from None
    if missing := [name for name in schema if name not in found.columns]:
        raise BadInput(f"{path}: there is no column {', '.join(missing)}; it has {', '.join(found.columns)}")
    try:
        return found.select(pl.col(name).cast(kind) for name, kind in schema.items())
    except PolarsError as error:
        raise BadInput(f"{path}: {error}") from None
