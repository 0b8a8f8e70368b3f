"""Foreign errors of an S3 store, put into our own: pure functions over statuses, codes, and what obstore says.

obstore tells the kind of an error by its class in a few cases only and everything else in its text: the HTTP status, the S3 error code
of the answer's body, or how the connection failed.
"""

from __future__ import annotations

import re

from segments.errors import Conflict, DataDamaged, KeepsightError, NotFound, Refused, TryAgain, Unknown

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>|\(code: (\w{1,64})\)")
_DAMAGED = {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidChecksum"}
_PASSING = {"", "RequestTimeout", "IncompleteBody"}


def status_of(error: Exception) -> int:
    """The HTTP status in obstore's text, 0 where no answer came."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else 0


def code_of(error: Exception) -> str:
    """The S3 error code in obstore's text (S3 API, Error Responses), '' where there is none."""
    found = _CODE.search(str(error))
    return (found[1] or found[2]) if found else ""


def translate(error: Exception, what: str) -> KeepsightError:
    """The error of ours that says what the caller can do, for requests that may be repeated; `what` begins its sentence.

    Nothing of the foreign text but status and code is taken over, so no credential can come with it.
    """
    status, code = status_of(error), code_of(error)
    reason = " ".join(filter(None, (str(status or ""), code))) or _connection_trouble(error)
    kind = kind_of_answer(status, code) if status else _kind_without_answer(error)
    return kind(f"{what}: {reason}")


def kind_of_answer(status: int, code: str, *, once: bool = False) -> type[KeepsightError]:
    """The kind of error for an HTTP status that is not 2xx, with the code of S3's answer.

    `once`: the request must not be repeated unseen, so that one which may have taken effect although no good answer came is Unknown.
    """
    if code in _DAMAGED:
        return DataDamaged
    if status == 412:
        return Conflict
    if status == 404:
        return Refused if code == "NoSuchBucket" else NotFound
    # Without a code a 400 is not the store's own word but of something in between.
    if status in (408, 409, 425, 429, 503) or (status == 400 and code in _PASSING):
        return TryAgain
    if 400 <= status < 500:
        return Refused
    return Unknown if once else TryAgain


def _kind_without_answer(error: Exception) -> type[KeepsightError]:
    if isinstance(error, FileNotFoundError):
        return NotFound
    return DataDamaged if "InvalidMetadata" in str(error) else TryAgain


def _connection_trouble(error: Exception) -> str:
    text = str(error)
    if "kind: Connect," in text:
        return "the store could not be reached"
    if "kind: Timeout" in text or isinstance(error, TimeoutError):
        return "the store did not answer in time"
    if "InvalidMetadata" in text:
        return "its attributes are not ASCII"
    return "the connection broke or the answer made no sense"
