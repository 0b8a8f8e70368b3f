"""`keepsight webhook`: addresses of other platforms that are told of events, and what they did not take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table

from deploy.cli_acts import changing
from deploy.cli_frame import By, Config, Exit, Json, Yes, guarded, must_confirm, out, print_json, settings_of, with_stores
from deploy.cli_frame import who as name_of
from deploy.wiring import Stores
from segments.access import EVERYTHING, Scope
from segments.clock import SystemClock, iso
from segments.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from playback.webhooks.attempts import Answer
    from playback.webhooks.standing import Letters
    from playback.webhooks.telling import Means
    from playback.webhooks.views import WebhookView

T = TypeVar("T")

app = typer.Typer(help="Webhooks: other platforms' addresses that are told of events.", no_args_is_help=True)

WebhookId = Annotated[str, typer.Argument(help="The webhook's id, as `keepsight webhook list` shows it.", metavar="WEBHOOK")]
Events = Annotated[list[str] | None, typer.Option("--event", help="What it is told of, as often as needed: segment.stored; default: all.")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Its https address.")],
    event: Events = None,
    camera: Annotated[list[str] | None, typer.Option(help="Only of this camera, as often as needed.")] = None,
    area: Annotated[list[str] | None, typer.Option(help="Only of cameras of this area and below it, as often as needed.")] = None,
    note: Annotated[str, typer.Option(help="For people: whose it is.")] = "",
    by: By = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Register an address. The secret that signs its messages is shown this once."""
    from playback.webhooks.orders import WebhookOrder, make_webhook
    from playback.webhooks.subscription import ASKABLE, EventType

    scope = Scope(areas=tuple(area or ()), cameras=tuple(camera or ())) if area or camera else EVERYTHING
    unknown = [one for one in event or () if one not in ASKABLE]
    if unknown:
        guarded(lambda: _refuse(f"{unknown[0]!r} is no event: use {', '.join(ASKABLE)}"))
    events = tuple(EventType(one) for one in event or ASKABLE)
    order = guarded(lambda: WebhookOrder(url, events, f"local:{name_of(by)}", scope, note=note))
    webhook, secret = _with_means(config, lambda means: make_webhook(order, means), "made a webhook", by)
    if json:
        print_json({"id": webhook.id, "url": webhook.url, "events": list(webhook.events), "secret": secret})
    else:
        out.print(f"webhook {webhook.id} is told of {', '.join(webhook.events)}", highlight=False)
        out.print(f"its secret, shown this once: {secret}", highlight=False)


def _refuse(sentence: str) -> None:
    raise BadInput(sentence)


@app.command("list")
def list_(json: Json = False, config: Config = None) -> None:
    """Show all webhooks and how they do. Exit code 1 if one is paused or fails."""
    found = _with_means(config, _views)
    if json:
        print_json([one.model_dump() for one in found])
    else:
        table = Table("id", "address", "events", "told", "failing since", "dead", "paused")
        for one in found:
            table.add_row(one.id, one.url, " ".join(one.events), str(one.told), one.failing_since or "", str(one.dead), one.paused)
        out.print(table if found else "there are no webhooks")
    if any(one.paused or one.failing_since for one in found):
        raise typer.Exit(Exit.FINDINGS)


@app.command("test")
def try_(webhook: WebhookId, config: Config = None) -> None:
    """Send one message of the type webhook.test. Exit code 1 if it is not taken."""
    from playback.webhooks.orders import try_webhook

    _print_answer(_with_means(config, lambda means: try_webhook(webhook, means), f"tried webhook {webhook}"))


@app.command()
def remove(webhook: WebhookId, yes: Yes = False, config: Config = None) -> None:
    """Remove a webhook, with its secrets and dead letters."""
    from playback.webhooks.orders import remove_webhook

    must_confirm(f"Remove webhook {webhook}? It is told nothing more, and its dead letters are forgotten.", yes=yes)
    _with_means(config, lambda means: remove_webhook(webhook, means), f"removed webhook {webhook}")
    out.print(f"webhook {webhook} is removed", highlight=False)


@app.command()
def resume(webhook: WebhookId, config: Config = None) -> None:
    """Tell a paused webhook again, beginning with what it was not told."""
    from playback.webhooks.orders import resume

    _with_means(config, lambda means: resume(webhook, means), f"resumed webhook {webhook}")
    out.print(f"webhook {webhook} is told again", highlight=False)


@app.command()
def secret(webhook: WebhookId, config: Config = None) -> None:
    """Make another secret, shown this once. The one before signs, too, for a day."""
    from playback.webhooks.orders import replace_secret

    _, shown = _with_means(config, lambda means: replace_secret(webhook, means), f"replaced the secret of webhook {webhook}")
    out.print(f"its new secret, shown this once: {shown}", highlight=False)


@app.command()
def dead(
    webhook: WebhookId,
    retry: Annotated[str, typer.Option(help="Send this message once more.", metavar="MESSAGE")] = "",
    drop: Annotated[str, typer.Option(help="Forget this message.", metavar="MESSAGE")] = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Show the messages a webhook did not take. Exit code 1 if there are any."""
    from playback.webhooks.orders import drop_letter, retry_letter
    from playback.webhooks.standing import read_letters, read_webhook

    if retry:
        what = f"sent dead letter {retry} of webhook {webhook} again"
        return _print_answer(_with_means(config, lambda means: retry_letter(webhook, retry, means), what))
    if drop:
        what = f"dropped dead letter {drop} of webhook {webhook}"
        return _with_means(config, lambda means: drop_letter(webhook, drop, means), what)

    async def read(means: Means) -> Letters:
        await read_webhook(means.index, webhook)
        return await read_letters(means.index, webhook)

    letters = _with_means(config, read)
    if json:
        print_json({"dead": [one._asdict() for one in letters.kept], "dropped": letters.dropped})
    else:
        table = Table("message", "type", "camera", "of", "tries", "said")
        for one in letters.kept:
            table.add_row(one.id, one.type, one.camera, iso(one.at_us), str(one.attempts), one.said)
        out.print(table if letters.kept else "no dead letters")
    if letters.kept:
        raise typer.Exit(Exit.FINDINGS)
    return None


def _print_answer(answer: Answer) -> None:
    from playback.webhooks.views import sent_view

    view = sent_view(answer)
    out.print(f"{'taken' if view.taken else 'not taken'}: {view.said}", highlight=False)
    if not view.taken:
        raise typer.Exit(Exit.FINDINGS)


async def _views(means: Means) -> list[WebhookView]:
    from playback.webhooks.standing import all_webhooks, read_letters, read_standing
    from playback.webhooks.views import webhook_view

    index = means.index
    return [webhook_view(one, await read_standing(index, one.id), await read_letters(index, one.id)) for one in await all_webhooks(index)]


def _with_means(config: Path | None, work: Callable[[Means], Awaitable[T]], what: str = "", by: str = "") -> T:
    """Runs work; if it changes something, `what` says it for the register."""
    from deploy.webhook_duty import webhook_means  # an HTTP client that other commands do not need

    settings = settings_of(config)

    async def whole(stores: Stores) -> T:
        async with webhook_means(settings, stores.index, SystemClock()) as means:
            return await work(means)

    return changing(settings, what, whole, by=by) if what else with_stores(settings, whole)
