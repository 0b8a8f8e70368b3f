"""What a MinIO-compatible cluster itself says is in a bucket, by its admin API. Shown beside our own sums; nothing is decided by it."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from segments.errors import Refused, TryAgain
from segments.stores.s3_client import S3Settings

LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class BucketFill:
    """Bytes and objects of a bucket (of versions, their newest), and when the cluster last counted them (its own text, '' never)."""

    stored_bytes: int
    objects: int
    counted: str


def bucket_fill(settings: S3Settings) -> BucketFill:
    """Asks for the figures of the cluster's scanner, which are some minutes old. Blocks.

    Raises TryAgain without an answer, Refused where the key may not ask, or nobody there speaks the admin API.
    """
    from minio.credentials.providers import StaticProvider
    from minio.error import MinioAdminException
    from minio.minioadmin import MinioAdmin
    from urllib3 import PoolManager, Timeout
    from urllib3.exceptions import HTTPError

    roots = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    admin = MinioAdmin(
        endpoint=urlsplit(settings.endpoint).netloc,
        credentials=StaticProvider(settings.access_key_id, settings.secret_access_key),
        region=settings.region,
        secure=settings.endpoint.startswith("https://"),
        http_client=PoolManager(timeout=Timeout(LIMIT_S), retries=False, ssl_context=roots),
    )
    what = f"MinIO's admin API at {settings.endpoint}"
    try:
        answer = json.loads(admin.get_data_usage_info())  # type: ignore[no-untyped-call]
        found = (answer["bucketsUsageInfo"] or {}).get(settings.bucket, {})
        return BucketFill(int(found.get("size", 0)), int(found.get("objectsCount", 0)), _moment(answer["lastUpdate"]))
    except HTTPError as error:
        raise TryAgain(f"{what} does not answer ({type(error).__name__})") from None
    except (MinioAdminException, ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{what} refuses: set minio_admin only for MinIO-compatible stores, with a key that may ask for their info") from None


def _moment(text: str) -> str:
    return "" if text.startswith("0001-") else text
