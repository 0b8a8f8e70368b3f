"""The formulas of a plan: what follows from cameras, terms, costs and hardware, each with its unit and why. Data.

At the level of a site the figures of its groups of cameras are their sums, at the level of the whole those of its sites.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """What a figure is computed for."""

    CAMERAS = "cameras"
    SITE = "site"
    WHOLE = "whole"


class Formula(NamedTuple):
    """A figure: `name` and `unit`, computed at a level as `text` says; `why` where it is not plain."""

    name: str
    level: Level
    unit: str
    text: str
    why: str = ""


FORMULAS: tuple[Formula, ...] = (
    Formula("coded_mbit_per_s", Level.CAMERAS, "Mbit/s", "bitrate_mbit_per_s * (1 - h265_share * (1 - h265_rate))", "of one camera"),
    Formula("ingest_bit_per_s", Level.CAMERAS, "bit/s", "cameras * coded_mbit_per_s * 1e6 * recorded_share"),
    Formula("bytes_per_day", Level.CAMERAS, "B", "ingest_bit_per_s / 8 * 86400"),
    Formula(
        "kept_days",
        Level.CAMERAS,
        "d",
        "keep_days * (1 - part_share) + part_keep_days * part_share + late_days",
        "a camera-day goes whole, when the last of it is due, grace and sweep after that",
    ),
    Formula("copies", Level.CAMERAS, "", "tier_copies * (1 - part_share) + part_copies * part_share"),
    Formula("held_share", Level.CAMERAS, "", "hold_share + hold_share_per_year * years_on", "holds pile up until they are lifted"),
    Formula("kept_bytes", Level.CAMERAS, "B", "bytes_per_day * kept_days * (1 + held_share)", "one copy"),
    Formula("puts_per_s", Level.CAMERAS, "/s", "cameras * recorded_share / segment_s"),
    Formula("kept_objects", Level.CAMERAS, "", "puts_per_s * 86400 * kept_days * (1 + held_share)", "one copy; an object has one row"),
    Formula("stored_bytes", Level.CAMERAS, "B", "kept_bytes * copies", "sites take as many copies as they give"),
    Formula("objects", Level.CAMERAS, "", "kept_objects * copies"),
    Formula("copied_bit_per_s", Level.CAMERAS, "bit/s", "ingest_bit_per_s * (copies - 1)", "from site to site"),
    Formula("written_bit_per_s", Level.CAMERAS, "bit/s", "ingest_bit_per_s * copies"),
    Formula("all_puts_per_s", Level.CAMERAS, "/s", "puts_per_s * copies"),
    Formula("played_bit_per_s", Level.CAMERAS, "bit/s", "ingest_bit_per_s * played_share"),
    Formula("gets_per_s", Level.CAMERAS, "/s", "cameras * played_share / fragment_s", "a player asks for a fragment at a time"),
    Formula(
        "recorder_cores",
        Level.CAMERAS,
        "cores",
        "cameras * (recorder_core_per_camera + recorder_core_per_mbit * coded_mbit_per_s) / core_share",
    ),
    Formula("recorder_bytes", Level.CAMERAS, "B", "cameras * recorder_bytes_per_camera"),
    Formula("raw_bytes", Level.SITE, "B", "stored_bytes * raw_per_usable / fill_share", "disks, as makers count them"),
    Formula("disks", Level.SITE, "", "ceil(raw_bytes / disk_bytes)"),
    Formula("storage_nodes", Level.SITE, "", "max(ceil(disks / disks_per_node) + spare_nodes, least_nodes)"),
    Formula("bought_disks", Level.SITE, "", "storage_nodes * disks_per_node"),
    Formula("index_bytes", Level.SITE, "B", "objects * row_bytes * index_copies"),
    Formula(
        "index_nodes",
        Level.SITE,
        "",
        "max(max(ceil(index_bytes / index_node_bytes), ceil(all_puts_per_s * writes_per_put / index_writes_per_s)), least_index_nodes)",
    ),
    Formula(
        "recorder_nodes", Level.SITE, "", "ceil(recorder_cores / cores_per_recorder_node) + 1", "one more than needed: a node may fail"
    ),
    Formula(
        "full_share",
        Level.SITE,
        "",
        "raw_bytes * fill_share / (max(nodes_there - nodes_lost, 0.001) * disks_per_node * disk_bytes)",
        "of the disks that are there, if none is bought",
    ),
    Formula("storage_price", Level.WHOLE, "money", "bought_disks * disk_price + storage_nodes * storage_node_price"),
    Formula("index_price", Level.WHOLE, "money", "index_nodes * index_node_price"),
    Formula("recorder_price", Level.WHOLE, "money", "recorder_nodes * recorder_node_price"),
    Formula("price", Level.WHOLE, "money", "storage_price + index_price + recorder_price"),
)
"""In the order in which they are computed."""

SHOWN = (
    "cameras",
    "ingest_bit_per_s",
    "bytes_per_day",
    "kept_bytes",
    "stored_bytes",
    "raw_bytes",
    "disks",
    "storage_nodes",
    "objects",
    "all_puts_per_s",
    "gets_per_s",
    "copied_bit_per_s",
    "played_bit_per_s",
    "index_bytes",
    "index_nodes",
    "recorder_cores",
    "recorder_bytes",
    "recorder_nodes",
    "price",
)
"""The figures of an answer, in the order a reader wants them."""
