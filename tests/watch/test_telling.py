from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mainstay.watch.routes import FALLS_OVER_AFTER, Alerts, Route, settles_after
from mainstay.watch.telling import Move, Standing, begin, next_move

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
SLACK, PAGER, TEXTS, MAIL = (Route(name, name, "chat", "") for name in ("slack", "pager", "texts", "mail"))
ALERTS = Alerts(critical=((SLACK, PAGER), (TEXTS,)), other=((MAIL,),), escalate=((TEXTS,), (MAIL,)))


class Night:
    """Quiet until seven."""

    text = "22:00-07:00"

    def is_open(self, moment: datetime) -> bool:
        return moment.hour < 7

    def closes_at(self, moment: datetime) -> datetime | None:
        return moment.replace(hour=7, minute=0, second=0, microsecond=0)


def told(standing: Standing, *routes: Route, at: datetime = NOW) -> Standing:
    return replace(standing, told=routes, told_at=at, due_at=at)


def test_it_goes_down_the_ladder_until_somebody_takes_it_and_up_the_escalation_until_somebody_answers() -> None:
    standing = begin(Standing("critical"), ALERTS, NOW)
    assert standing.due_at == NOW
    moves = []
    while standing.due_at is not None:
        move = next_move(standing, ALERTS, standing.due_at)
        moves.append((standing.due_at - NOW, move.kind, move.routes))
        standing = move.then
    assert moves == [
        (FALLS_OVER_AFTER * 0, "opened", (SLACK, PAGER)),
        (FALLS_OVER_AFTER, "opened", (TEXTS,)),
        (FALLS_OVER_AFTER * 2, "opened", (MAIL,)),
        (FALLS_OVER_AFTER * 3, "opened", ()),
    ]

    standing = next_move(told(standing, SLACK), ALERTS, NOW).then
    calls = []
    while standing.due_at is not None:
        move = next_move(standing, ALERTS, standing.due_at)
        calls.append((standing.due_at - NOW, move.kind, move.routes))
        standing = move.then
    assert calls == [(timedelta(minutes=15), "escalated", (TEXTS,)), (timedelta(minutes=30), "escalated", (MAIL,))]

    seen = next_move(told(replace(standing, phase="telling"), SLACK), ALERTS, NOW).then
    assert next_move(replace(seen, is_acknowledged=True), ALERTS, NOW + timedelta(minutes=15)).routes == ()


def test_quiet_hours_hold_what_is_not_critical_and_nothing_else() -> None:
    alerts = replace(ALERTS, quiet=Night())
    assert begin(Standing("critical"), alerts, NOW).due_at == NOW
    assert begin(Standing("other"), alerts, NOW).due_at == NOW.replace(hour=7)
    over = Standing("other", is_open=False, phase="recovering", place=1, told=(MAIL,))
    settling = next_move(over, alerts, NOW)
    assert settling == Move(replace(over, place=-1, due_at=NOW.replace(hour=7)))
    assert next_move(settling.then, alerts, NOW.replace(hour=7)).kind == "recovered"
    loud = next_move(replace(over, severity="critical"), alerts, NOW).then
    assert loud.due_at == NOW + timedelta(minutes=5)
    assert next_move(loud, alerts, loud.due_at).routes == (MAIL,)


def test_channels_that_are_left_out_leave_the_others_their_turn() -> None:
    without = ALERTS.without("slack")
    assert without.ladder("critical") == ((PAGER,), (TEXTS,), (MAIL,))
    assert list(Alerts()) == []
    assert begin(Standing("critical"), Alerts(), NOW).phase == "none"
    assert ALERTS.without("mail").ladder("other") == ((SLACK, PAGER), (TEXTS,))
    assert list(ALERTS) == [SLACK, PAGER, TEXTS, MAIL]


STANDINGS = st.builds(
    Standing,
    severity=st.sampled_from(["critical", "other"]),
    is_open=st.booleans(),
    is_acknowledged=st.booleans(),
    reopened=st.integers(0, 3000),
    phase=st.sampled_from(["none", "telling", "escalating", "told", "recovering", "over"]),
    place=st.integers(-1, 5),
    told=st.sampled_from([(), (SLACK,), (TEXTS, MAIL)]),
    told_at=st.just(NOW),
)


@given(STANDINGS, st.booleans())
def test_it_never_stands_still_at_once_and_comes_to_an_end(standing: Standing, quiet: bool) -> None:
    alerts = replace(ALERTS, quiet=Night()) if quiet else ALERTS
    now, messages = NOW, 0
    for _ in range(20):
        move = next_move(standing, alerts, now)
        messages += bool(move.routes)
        if standing.phase == "recovering" or move.kind == "recovered":
            assert not move.routes or not standing.is_open
        if standing.is_acknowledged or not standing.is_open:
            assert move.kind != "escalated"
        standing = move.then
        if standing.due_at is None:
            break
        assert standing.due_at > now or move.routes == ()
        now = max(now, standing.due_at)
    else:
        raise AssertionError(standing)
    assert messages <= len(alerts.ladder(standing.severity)) + len(alerts.escalate) + 1
    assert timedelta(minutes=5) <= settles_after(standing.reopened) <= timedelta(hours=1)
