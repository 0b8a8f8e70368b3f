"""How webhooks are asked for, and shown: never a secret but the once, and what is sent never holds a link."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from playback.webhooks.attempts import Answer, Fate, fate
from playback.webhooks.standing import DeadLetter, Letters, Standing
from playback.webhooks.subscription import ASKABLE, MAX_URL, EventType, Webhook
from segments.access import EVERYTHING, Scope
from segments.clock import iso
from segments.errors import BadInput
from segments.keys import CAMERA_ID

WebhookId = Annotated[str, Path(alias="webhook", pattern=r"^[a-z0-9]{1,32}$", description="Id of a webhook", examples=["3f9a1c20b7de"])]
_LETTER = "msg_0f3c9a1c20b7de55a1c20b7de550f3c9"
LetterId = Annotated[str, Path(alias="message", pattern=r"^msg_[0-9a-f]{32}$", description="Id of a message", examples=[_LETTER])]
_Camera = Annotated[str, Field(pattern=f"^{CAMERA_ID.pattern}$")]
_Area = Annotated[str, Field(min_length=1, max_length=512)]
_DATE_TIME: dict[str, JsonValue] = {"format": "date-time"}
_WANTED: dict[str, JsonValue] = {
    "url": "https://platform.example.org/keepsight",
    "events": ["segment.stored", "gap.opened"],
    "scope": {"areas": ["harbour"]},
}
_SHOWN_ONCE = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class WebhookScope(BaseModel):
    """The cameras a webhook is told of: those named, and those of the areas and classes named. Nothing named: all."""

    model_config = ConfigDict(extra="forbid")

    cameras: list[_Camera] = Field(default_factory=list, max_length=10_000)
    areas: list[_Area] = Field(default_factory=list, max_length=1_000)
    classes: list[Annotated[int, Field(ge=1, le=3)]] = Field(default_factory=list, max_length=3)

    def scope(self) -> Scope:
        """As a scope."""
        if not (self.cameras or self.areas or self.classes):
            return EVERYTHING
        return Scope(areas=tuple(self.areas), classes=tuple(self.classes), cameras=tuple(self.cameras))


class WebhookWanted(BaseModel):
    """A webhook as it is asked for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_WANTED]})

    url: str = Field(min_length=1, max_length=MAX_URL, description="An https address; its host is looked at again before each message")
    events: list[EventType] = Field(min_length=1, max_length=len(ASKABLE))
    scope: WebhookScope = Field(default_factory=WebhookScope)
    note: str = Field("", max_length=256, description="For people: whose it is")

    def chosen(self) -> tuple[EventType, ...]:
        """Its events; raises BadInput for one that is not asked for."""
        if EventType.TEST in self.events:
            raise BadInput(f"{EventType.TEST} is sent by `POST /webhooks/{{webhook}}/test` only")
        return tuple(self.events)


class WebhookView(BaseModel):
    """A webhook, and how it does."""

    id: str
    url: str
    events: list[EventType]
    scope: WebhookScope
    note: str
    created: str = Field(json_schema_extra=_DATE_TIME)
    created_by: str
    paused: str = Field(description="Why nothing is sent; empty: it is told")
    told: int = Field(description="Messages taken")
    failed: int = Field(description="Tries that failed")
    told_last: str | None = Field(json_schema_extra=_DATE_TIME)
    failing_since: str | None = Field(json_schema_extra=_DATE_TIME, description="Null while messages are taken")
    said: str = Field(description="The last failure in a few words")
    dead: int = Field(description="Dead letters kept")


class WebhookMade(WebhookView):
    """A webhook with its new secret, which is shown this once."""

    secret: str = Field(description="`whsec_` and base64, as the Standard Webhooks specification has it", examples=[_SHOWN_ONCE])


class WebhookList(BaseModel):
    """All webhooks, the oldest first."""

    webhooks: list[WebhookView]


class SentView(BaseModel):
    """What became of one message."""

    taken: bool
    said: str = Field(examples=["answered 200"])


class DeadView(BaseModel):
    """A message that was given up."""

    id: str
    type: str
    camera: str
    at: str = Field(json_schema_extra=_DATE_TIME)
    attempts: int
    said: str
    given_up: str = Field(json_schema_extra=_DATE_TIME)
    body: str = Field(description="What was sent, as JSON")


class DeadList(BaseModel):
    """The newest 100 messages that were given up, oldest first; `dropped`: how many there were before them."""

    dead: list[DeadView]
    dropped: int


def webhook_view(webhook: Webhook, standing: Standing, letters: Letters) -> WebhookView:
    """How a webhook is shown."""
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        scope=WebhookScope(cameras=list(webhook.scope.cameras), areas=list(webhook.scope.areas), classes=list(webhook.scope.classes)),
        note=webhook.note,
        created=iso(webhook.created_us),
        created_by=webhook.created_by,
        paused=webhook.pause,
        told=standing.told,
        failed=standing.failed,
        told_last=iso(standing.told_us) if standing.told_us else None,
        failing_since=iso(standing.failing_since_us) if standing.failing_since_us else None,
        said=standing.said,
        dead=len(letters.kept),
    )


def sent_view(answer: Answer) -> SentView:
    """How an answer is shown."""
    return SentView(taken=fate(answer) is Fate.TOLD, said=answer.said or f"answered {answer.status}")


def dead_view(letter: DeadLetter) -> DeadView:
    """How a dead letter is shown."""
    return DeadView(
        id=letter.id,
        type=letter.type,
        camera=letter.camera,
        at=iso(letter.at_us),
        attempts=letter.attempts,
        said=letter.said,
        given_up=iso(letter.given_up_us),
        body=letter.body,
    )
