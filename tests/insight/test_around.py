from __future__ import annotations

from mainstay import insight
from mainstay.insight.around import Around, runs_around
from tests.insight.seed import Seed


async def test_what_ran_before_and_what_else_has_the_cause(seed: Seed) -> None:
    sarah, merged, ahmed = [await seed.contact(first_name=name) for name in ("Sarah", "S.", "Ahmed")]
    incident = await seed.incident()
    earliest = [await seed.run(at=seed.ago(days=9, hours=back), contact_id=sarah) for back in range(8)]
    before = await seed.run(at=seed.ago(hours=5), contact_id=merged)
    await seed.run(at=seed.ago(hours=5), contact_id=ahmed)
    failed = await seed.run(at=seed.ago(hours=4), state="failed", contact_id=sarah, incident_id=incident)
    alike = [
        await seed.run(at=seed.ago(hours=3, minutes=back), state="failed", contact_id=ahmed, incident_id=incident)
        for back in range(7)
    ]
    await seed.run(at=seed.ago(hours=1), contact_id=sarah)
    await seed.merge(sarah, merged)

    async def around(run: object) -> Around:
        detail = await insight.run_detail(seed.connection, seed.workspace_id, run)  # type: ignore[arg-type]
        assert detail is not None
        return await runs_around(seed.connection, seed.workspace_id, detail.run)

    found = await around(failed)
    assert [run.id for run in found.before] == [before, *earliest[:4]]
    assert [run.id for run in found.same_cause] == alike[:5]
    assert found.is_more
    assert failed not in {run.id for run in (await around(alike[-1])).same_cause[:1]}
    assert await around(await seed.run(at=seed.ago(days=20))) == Around((), (), is_more=False)
