"""Foreign errors of Cassandra and its driver, put into our own.

Nothing of a foreign text is taken over but what a server said of a statement of ours, so no login can come with it.
"""

from __future__ import annotations

from ssl import SSLError

from cassandra import (  # type: ignore[import-untyped]
    AuthenticationFailed,
    CoordinationFailure,
    DriverException,
    InvalidRequest,
    OperationTimedOut,
    Timeout,
    Unauthorized,
    Unavailable,
)
from cassandra.cluster import NoHostAvailable  # type: ignore[import-untyped]
from cassandra.connection import ConnectionException  # type: ignore[import-untyped]
from cassandra.protocol import (  # type: ignore[import-untyped]
    BadCredentials,
    ErrorMessage,
    IsBootstrappingErrorMessage,
    OverloadedErrorMessage,
    SyntaxException,
)

from segments.errors import KeepsightError, Refused, TryAgain, Unknown

FOREIGN = (DriverException, NoHostAvailable, ErrorMessage)
"""All that the driver raises."""
_NOT_DONE = (Unavailable, OverloadedErrorMessage, IsBootstrappingErrorMessage)
"""The server answered that it has not begun."""
_REFUSED = (Unauthorized, AuthenticationFailed, BadCredentials)
_CERTIFICATE = (SSLError, PermissionError)
"""How a certificate that does not fit surfaces from the driver."""


def translate(error: Exception, *, writing: bool, sent: int) -> KeepsightError:
    """The error of ours for one of a request that was sent to so many servers.

    `writing`: where it may have taken effect although no good answer came, it is Unknown.
    """
    if isinstance(error, _REFUSED):
        return Refused(f"the index refuses this login: {type(error).__name__}")
    if isinstance(error, InvalidRequest | SyntaxException):
        return Refused(f"the index does not understand us: {_said(error)}; look at `keepsight schema status`")
    maybe_done = writing and sent > (1 if isinstance(error, _NOT_DONE) else 0)
    return (Unknown if maybe_done else TryAgain)(f"the index: {_trouble(error)}")


def translate_connecting(error: Exception, where: str) -> KeepsightError:
    """The error of ours for a connection that could not be made to any server of `where`."""
    causes = list(error.errors.values()) if isinstance(error, NoHostAvailable) and isinstance(error.errors, dict) else [error]
    if any(isinstance(cause, _REFUSED) or "AuthenticationFailed" in repr(cause) for cause in causes):
        return Refused(f"the index at {where} refuses our login: set index.user and index.password_file to a login it knows")
    if any(isinstance(cause, _CERTIFICATE) for cause in causes):
        return Refused(f"the index at {where} has a certificate that index.ca_file did not sign or that is not of this address")
    return TryAgain(f"the index at {where} could not be reached: {_trouble(causes[0] if causes else error)}")


def _said(error: Exception) -> str:
    return str(error.args[0] if error.args else error).split("message=")[-1][:200]


def _trouble(error: Exception) -> str:
    if isinstance(error, Unavailable):
        return f"{error.alive_replicas} of the {error.required_replicas} copies that must answer are there"
    if isinstance(error, CoordinationFailure):
        return f"{error.failures} copies failed ({type(error).__name__})"
    if isinstance(error, Timeout):
        return f"{error.received_responses} of {error.required_responses} copies answered in time ({type(error).__name__})"
    if isinstance(error, OperationTimedOut | TimeoutError):
        return "no server answered in time"
    if isinstance(error, NoHostAvailable | ConnectionException | OSError):
        return "no server can be reached"
    return type(error).__name__
