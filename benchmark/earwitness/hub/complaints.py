"""What the hub's client raises, in one line that says what to do; its own errors are many lines of advice."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from earwitness.errors import short
from earwitness.hub.addresses import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.hub.addresses import HubAddress

LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
OF_THE_NETWORK = ("httpx", "httpx2", "httpcore", "requests", "urllib3")
"""Packages, by version of the client, whose errors are those of a connection."""


@contextmanager
def complaints(address: HubAddress, doing: str) -> Iterator[None]:
    """Raise HubError, in one line, for whatever the hub's client raises while it is asked for something."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        if not (isinstance(error, OSError | ValueError) or _of_the_network(error)):
            raise
        raise HubError(f"{address.text}: {doing}: {_said(error, address)}") from error


@contextmanager
def no_bars() -> Iterator[None]:
    """Keep the client from drawing bars among the lines of a command."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    if shown:
        disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()


def _of_the_network(error: BaseException) -> bool:
    return any(kind.__module__.partition(".")[0] in OF_THE_NETWORK for kind in type(error).__mro__)


def _said(error: Exception, address: HubAddress) -> str:
    """What is wrong, and what to do."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return f"it is gated; ask for access on its page, and {LOG_IN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {address.revision}; copy the commit from the page of its history"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no such {address.kind} repository, or it is private; look at its name, or {LOG_IN}"
    if status == 401:
        return f"the hub does not take the token, which is wrong or has expired; {LOG_IN} anew"
    if status == 403:
        return f"the token may not do that; make one that may, and {LOG_IN}"
    if status == 404:
        return "a file that it lists is not there; try again, or name another commit"
    if status is not None:
        return f"the hub answered {status}; try again later"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "nothing of it is here, and HF_HUB_OFFLINE is set; unset it, or fetch it once where there is a network"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "only a part of it is here, and the hub cannot be reached; run it again where there is a network"
    if _of_the_network(error) or isinstance(error, ConnectionError):
        return f"the hub cannot be reached ({short(str(error)) or type(error).__name__}); run the same command again"
    return f"{short(getattr(error, 'strerror', None) or str(error))}; mend that and run the same command again"
