"""`keepsight capacity history`: what was recorded, as files, so that a planner can work beside the installation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli_frame import Config, guarded, out, settings_of, shown, with_stores
from segments.clock import SystemClock, day_of
from segments.errors import BadInput

if TYPE_CHECKING:
    from deploy.capacity_history import CapacityIndex
    from deploy.settings import Settings


def history(
    to: Annotated[str, typer.Option("--out", help="A new folder: `days` with files of days, and `cameras.parquet`.")],
    config: Config = None,
) -> None:
    """All that was recorded, by camera, day and pool, into files that `usage`, `forecast` and `backtest` read (--history, --cameras)."""
    settings, folder, now_us = settings_of(config), guarded(lambda: _made(to)), SystemClock().now_us()
    with shown("writing"):
        lines = with_stores(settings, lambda stores: write_history(settings, stores.index, now_us, folder))
    out.print(f"{lines:,} camera-days in {to}: --history {to}/days --cameras {to}/cameras.parquet", highlight=False, markup=False)


async def write_history(settings: Settings, index: CapacityIndex, now_us: int, folder: Path) -> int:
    """Writes the whole days, a file for each bucket of cameras, and the cameras; gives the number of lines of days."""
    import polars as pl

    from capacity.days import no_days
    from capacity.history import CAMERAS
    from deploy.capacity_history import read_buckets

    lines, cameras, bucket = 0, [pl.DataFrame(schema=CAMERAS)], 0
    no_days().write_parquet(folder / "days" / "none.parquet")
    async for part in read_buckets(settings, index, now_us, before=day_of(now_us)):
        if part.days.height:
            part.days.write_parquet(folder / "days" / f"{bucket:02}.parquet", compression="zstd")
        cameras += [part.cameras, part.former]
        lines, bucket = lines + part.days.height, bucket + 1
    pl.concat(cameras).write_parquet(folder / "cameras.parquet", compression="zstd")
    return lines


def _made(to: str) -> Path:
    folder = Path(to)
    try:
        (folder / "days").mkdir(parents=True)
    except FileExistsError:
        raise BadInput(f"{to} is there already; choose another name") from None
    except OSError as error:
        raise BadInput(f"{to} cannot be made ({error.strerror})") from None
    return folder
