"""A bucket as the trials of the probe use it: raw calls whose refusals are answers, looks at what is there, and the cleaning up."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from segments.errors import Refused, TryAgain
from segments.stores.probe import PROBE_FOLDER

LEFTOVER_AGE = timedelta(hours=1)
"""What is older belongs to a probe that has died, and goes with the next one's."""
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class Bucket:
    """One run's part of a bucket. Every call blocks."""

    def __init__(self, client: Any, name: str, run: str) -> None:
        self._client = client
        self._name = name
        self._folder = f"{PROBE_FOLDER}/{run}/"

    def key(self, name: str) -> str:
        """A key of this run."""
        return self._folder + name

    def ask(self, operation: str, **values: Any) -> dict[str, Any]:
        """The answer of an operation of botocore's client. Raises Refused with status and code, TryAgain if there is no answer."""
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(Bucket=self._name, **values)
        except ClientError as error:
            status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"].get("Code", "")
            kind = TryAgain if status in _PASSING else Refused
            raise kind(f"{operation} in bucket {self._name}: {status} {code}") from None
        except BotoCoreError as error:
            raise TryAgain(f"{operation} in bucket {self._name}: no answer ({type(error).__name__})") from None
        return answer

    def takes(self, operation: str, **values: Any) -> bool:
        """Whether an operation is accepted rather than refused."""
        try:
            self.ask(operation, **values)
        except Refused:
            return False
        return True

    def put(self, name: str, body: bytes = b"probe", **values: Any) -> str:
        """Puts an object and returns its version. With its MD5: S3 takes no locks without one (S3 API, PutObject, Content-MD5)."""
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        return str(self.ask("put_object", Key=self.key(name), Body=body, ContentMD5=digest, **values).get("VersionId", ""))

    def read(self, name: str, version: str = "") -> bytes | None:
        """The bytes that are there, of a version where one is named; None: there are none."""
        try:
            answer = self.ask("get_object", Key=self.key(name), **({"VersionId": version} if version else {}))
        except Refused:
            return None
        data: bytes = answer["Body"].read()
        return data

    def now(self) -> datetime:
        """The time by the store's own clock."""
        head = self.ask("head_bucket")["ResponseMetadata"]["HTTPHeaders"]
        return parsedate_to_datetime(head["date"]) if "date" in head else datetime.now(UTC)

    def link(self, name: str, expires_s: int) -> str:
        """A signed link that opens an object for so long."""
        values = {"Bucket": self._name, "Key": self.key(name)}
        return str(self._client.generate_presigned_url("get_object", Params=values, ExpiresIn=expires_s))

    def clean(self) -> None:
        """Removes what this run put, and what runs left that have died; what is locked stays until a later run finds it free."""
        long_ago = datetime.now(UTC) - LEFTOVER_AGE
        for found in self._left():
            if found["Key"].startswith(self._folder) or found["LastModified"] < long_ago:
                version = {"VersionId": found["VersionId"]} if "VersionId" in found else {}
                if not self.takes("delete_object", Key=found["Key"], **version) and version:
                    self.takes("put_object_legal_hold", Key=found["Key"], LegalHold={"Status": "OFF"}, **version)
                    self.takes("delete_object", Key=found["Key"], BypassGovernanceRetention=True, **version)

    def _left(self) -> Iterator[dict[str, Any]]:
        """What lies under the probes' folder: versions and delete markers, then objects, for stores that list no versions."""
        with contextlib.suppress(Refused):
            answer = self.ask("list_object_versions", Prefix=f"{PROBE_FOLDER}/")
            yield from [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        yield from self.ask("list_objects_v2", Prefix=f"{PROBE_FOLDER}/").get("Contents", [])
