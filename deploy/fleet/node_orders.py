"""What a node is to run, by its own configuration: nothing but names comes to it from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.fleet.guardian import NodeOrders
from deploy.programs import API, programs
from deploy.settings import load_settings
from deploy.wiring import make_folder
from recorder.spool_folder import check_spool


def node_orders() -> NodeOrders:
    """By the file KEEPSIGHT_CONFIG names, and the environment this process inherited from its node's; raises StartRefused, for a spool too
    that nothing can be recorded to. Its folder is there then: recorders may come before the uploader."""
    path = os.environ.get("KEEPSIGHT_CONFIG")
    config = Path(path) if path else None
    settings = load_settings(config)
    make_folder("site.folder", settings.site.folder)
    check_spool(settings.spool_folder, min_free_bytes=settings.spool.min_free_bytes)
    here = [program for program in programs(settings, config) if program.name != API]
    return NodeOrders(settings.node_name, here, settings.socket_path.parent)
