"""Directives: what people asked for. They travel down the road like events, so a replay sees them where they were."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from streams.contracts.alert import Severity
from streams.contracts.identifiers import Identifier, LongText, MaterialId, ShortText, check_materials
from streams.contracts.reasons import FieldError, RejectReason


class Subscription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who is told what: alerts about `materials` (groups allowed; empty: all) of at least `severity`, and of `rules`
    (empty: all), go to `channel`. `secret_ref` names the signing secret, which itself never travels on a topic.
    """

    materials: tuple[MaterialId, ...] = ()
    severity: Severity = "info"
    rules: tuple[Identifier, ...] = ()
    channel: Literal["log", "webhook"] = "webhook"
    url: Annotated[str, msgspec.Meta(max_length=2000, pattern=r"^https?://")] | None = None
    secret_ref: Identifier | None = None

    def __post_init__(self) -> None:
        check_materials(self.materials, field="materials")
        if self.channel == "webhook" and self.url is None:
            raise FieldError(reason=RejectReason.MISSING_FIELD, field="url", detail="a webhook needs an address")


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody has taken an alert: repeats of it stop until it changes."""

    fingerprint: Identifier
    by: ShortText
    comment: ShortText | None = None


class Silence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Notifications of alerts whose labels equal `matchers` are held from `starts_at` to `ends_at`."""

    matchers: dict[ShortText, ShortText]
    starts_at: datetime
    ends_at: datetime
    by: ShortText
    comment: ShortText | None = None


class RuleSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole set of rules as YAML text, with its content hash."""

    text: Annotated[str, msgspec.Meta(max_length=400_000)]
    content_hash: Identifier


class DirectiveGiven(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing asked for, identified by kind and `target`; the newest one counts, `withdrawn` takes it back."""

    kind: Literal["subscription", "acknowledgement", "silence", "rule_set", "key_revocation"]
    target: Identifier
    by: ShortText
    withdrawn: bool = False
    subscription: Subscription | None = None
    acknowledgement: Acknowledgement | None = None
    silence: Silence | None = None
    rule_set: RuleSet | None = None
    comment: LongText | None = None

    def __post_init__(self) -> None:
        if self.withdrawn or self.kind == "key_revocation":
            return
        if getattr(self, self.kind) is None:
            raise FieldError(
                reason=RejectReason.MISSING_FIELD, field=self.kind, detail=f"a directive of kind {self.kind} needs it"
            )
