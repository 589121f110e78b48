"""Standards: each one published adds to what its issuer has set; one partition speaks for an issuer."""

from datetime import datetime

from streams.assess.assessors.assessor import Assessment, Assessor, PartitionContext, Result
from streams.contracts.events import Event
from streams.contracts.policy import StandardPublished
from streams.domain.article_claims import standards_set
from streams.domain.policy.issued_standards import PublishedStandards, next_standards, standards_key


class Standards(Assessor):
    """Take published standards; send how many an issuer has set and for which materials."""

    name = "standards"
    takes = (StandardPublished,)
    keeps = (PublishedStandards,)

    def on_event(self, context: PartitionContext, event: Event, now: datetime) -> Result:
        """Enter a standard; one that is known says nothing, and only the issuer's home partition speaks."""
        published = event.data
        assert isinstance(published, StandardPublished)
        key = standards_key(published.issuer)
        known = next_standards(context.store.get(key), published)
        if known is None:
            return ()
        context.store.put(key, known)
        if not context.is_home_of(published.issuer):
            return ()
        said = standards_set(
            issuer=published.issuer,
            at=now,
            titles=known.standards,
            scope=known.scope,
            causes=(event.id,),
            sources=(published.provenance.source,),
        )
        return (Assessment(name="standards", data=said),)
