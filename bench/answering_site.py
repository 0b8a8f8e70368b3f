"""A site that only answers other sites, over an index in SQLite and one bucket: `INDEX ENDPOINT BUCKET ACCESS_KEY SECRET_KEY`.

Its first line says on which port it answers. It is `north`, and knows `south` by KEY.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any, cast

import uvicorn

from replication.admission import Admission
from replication.peer_routes import create_peer_app
from replication.source import Source
from segments.clock import SystemClock
from segments.stores.s3_client import S3Settings
from segments.stores.s3_objects import S3Objects
from segments.stores.sqlite_index import open_sqlite_index

KEY = "a key that only measurements know, and nobody else"


async def main(index_path: str, endpoint: str, bucket: str, access_key: str, secret_key: str) -> None:
    """Answers until it is killed."""
    index = await open_sqlite_index(Path(index_path))
    objects = S3Objects(S3Settings(endpoint, bucket, access_key, secret_key, allow_http=True))
    source = Source(index, {"main": objects}, cast("Any", None))
    app = create_peer_app(source, Admission("north", {"south": KEY}, SystemClock()))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"port {listening.getsockname()[1]}", flush=True)
        await uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
