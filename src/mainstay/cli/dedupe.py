"""``mainstay contacts dedupe``: a whole book looked through; shown, put to review, merged, or parted again."""

from __future__ import annotations

import csv
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Options, options_of
from mainstay.cli.errors import BROKEN, CommandError, MissingError
from mainstay.cli.people import YesOption, confirm
from mainstay.cli.reading import act

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mainstay.app import App, Workspace
    from mainstay.deduping import Deduping, Done, Found, Pair

_RUN = re.compile(r"[0-9a-f]{8}")
_STOPPED = 130
_TOP = 10
_USUAL = 0.7


@dataclass(slots=True)
class _Told:
    """What a call did: ``verb`` is ``show``, ``open``, ``apply`` or ``undo``."""

    verb: str
    run: str = ""
    found: Found | None = None
    wanted: Sequence[Pair] = ()
    names: dict[str, str] = field(default_factory=dict)
    done: Done | None = None
    seconds: float = 0.0


def dedupe(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    above: Annotated[
        float | None,
        typer.Option(min=0.5, max=1.0, help="The least probability of a pair; what the stack suggests from, without."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the pairs here, as CSV: a, b, score, rule, reasons.")
    ] = None,
    to_review: Annotated[bool, typer.Option("--open", help="Put the pairs into the reviews.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Merge the pairs; needs --above.")] = False,
    resume: Annotated[str, typer.Option(metavar="RUN", help="With --apply: go on with a run that was stopped.")] = "",
    undo: Annotated[str, typer.Option(metavar="RUN", help="Part again all that a run has merged.")] = "",
    yes: YesOption = False,
) -> None:
    """Look through all contacts for those that are one person. Without --open, --apply or --undo nothing is changed.

    Exit codes: 0 fine; 1 not all was done, or you said no; 2 the command cannot be used so; 3 there is no such run.

    Examples:
        mainstay contacts dedupe --out pairs.csv
        mainstay contacts dedupe --open --above 0.8
        mainstay contacts dedupe --apply --above 0.98
        mainstay contacts dedupe --undo 1f00c2ab
    """
    from mainstay.cli.suggesting import check_writable, progress

    options = options_of(ctx)
    _check(above, to_review=to_review, apply=apply, resume=resume, undo=undo)
    if out is not None:
        check_writable(out)
    told = _Told("undo" if undo else "apply" if apply else "open" if to_review else "show", undo or resume)

    async def work(app: App, workspace: Workspace) -> None:
        from mainstay.deduping import Deduping, Done

        verbs = Deduping(app.pool, app.contacts, workspace.id, workspace.routing)
        if told.run and not await verbs.merges_of(told.run):
            raise MissingError(f'no merge of a run "{told.run}" stands in {workspace.slug}')
        with progress(workspace.slug) as verbs.on_progress:
            if told.verb == "undo":
                told.done = Done()
                await verbs.undo(told.run, told.done)
                return
            suggests = workspace.routing.policy.suggest
            told.found = await verbs.find(above or (suggests if suggests <= 1 else _USUAL))
            if out is not None:
                _write(out, told.found.pairs)
            told.names = await _names(app, workspace, told.found.pairs[:_TOP])
        if told.verb != "show":
            await _change(verbs, told, options, yes=yes)

    began = time.monotonic()
    try:
        act(options, work, pool_size=3)
    except KeyboardInterrupt:
        _tell_stopped(told, above)
        raise typer.Exit(_STOPPED) from None
    told.seconds = time.monotonic() - began
    _tell(options, told, out)
    if told.done is not None and (told.done.error or (told.verb == "undo" and told.done.skipped)):
        raise typer.Exit(BROKEN)


def _check(above: float | None, *, to_review: bool, apply: bool, resume: str, undo: str) -> None:
    if sum((to_review, apply, bool(undo))) > 1:
        raise CommandError("--open, --apply and --undo exclude each other", "Say one of them.")
    if apply and above is None:
        raise CommandError(
            "--apply does not say how likely a pair must be",
            "Say: --apply --above 0.98; look at it first, without --apply",
        )
    if resume and not apply:
        raise CommandError("--resume goes with --apply", f"Say: --apply --above 0.98 --resume {resume}")
    for option, run in (("--resume", resume), ("--undo", undo)):
        if run and not _RUN.fullmatch(run):
            raise CommandError(
                f'{option} "{run}" is no run', "A run is the eight letters and digits that --apply told."
            )


async def _change(verbs: Deduping, told: _Told, options: Options, *, yes: bool) -> None:
    """Do with the pairs what was asked for."""
    from mainstay.cli.output import number
    from mainstay.cli.suggesting import progress
    from mainstay.deduping import Done
    from mainstay.identity.likeness import ALWAYS
    from mainstay.model import new_id, short_id

    pairs = told.found.pairs if told.found else ()
    told.wanted = [pair for pair in pairs if told.verb != "apply" or pair.rule not in ALWAYS]
    if not told.wanted:
        return
    if told.verb == "apply":
        confirm(f"Merge {number(len(told.wanted), 'pair')}?", options, yes=yes)
        told.run = told.run or short_id(new_id())
    told.done = Done()
    with progress(told.verb) as verbs.on_progress:
        if told.verb == "open":
            await verbs.open(told.wanted, told.done)
        else:
            await verbs.apply(told.run, told.wanted, told.done)


async def _names(app: App, workspace: Workspace, pairs: Sequence[Pair]) -> dict[str, str]:
    """Return the names of those that are shown, by id."""
    from mainstay.db import acquire
    from mainstay.identity.likeness import standing

    async with acquire(app.pool) as connection:
        found = await standing(
            connection, workspace.id, {each for pair in pairs for each in (pair.one_id, pair.other_id)}
        )
    return {str(each.id): each.name for each in found.values()}


def _write(out: Path, pairs: Sequence[Pair]) -> None:
    from mainstay.cli.suggesting import written

    with written(out) as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "score", "rule", "reasons"])
        for pair in pairs:
            writer.writerow([pair.one_id, pair.other_id, f"{pair.score:.4f}", pair.rule, ", ".join(pair.reasons)])


def _tell(options: Options, told: _Told, out: Path | None) -> None:
    from mainstay.cli.output import emit

    if options.as_json:
        emit(_as_json(told, out))
        return
    if told.found is not None:
        _show_found(told, told.found, out)
    _show_done(told)


def _as_json(told: _Told, out: Path | None) -> dict[str, Any]:
    found, done = told.found, told.done
    shown: dict[str, Any] = {"verb": told.verb, "run": told.run or None}
    if found is not None:
        shown |= {
            "contacts": found.contacts,
            "compared": found.compared,
            "decisions": found.decisions,
            "pairs": len(found.pairs),
            "bands": [{"score": title, "pairs": count} for title, count in _bands(found.pairs)],
            "rules": dict(Counter(pair.rule for pair in found.pairs)),
            "top": found.pairs[:_TOP],
            "out": str(out) if out else None,
        }
    if done is not None:
        shown |= {"changed": done.changed, "skipped": done.skipped, "error": done.error or None}
    return shown | {"seconds": round(told.seconds, 3)}


def _bands(pairs: Sequence[Pair]) -> list[tuple[str, int]]:
    from mainstay.cli.suggesting import BANDS, band_title

    counts = Counter(next(least for least in BANDS if pair.score >= least) for pair in pairs)
    return [(band_title(least), counts[least]) for least in BANDS if counts[least]]


_RULES = {
    "model": "alike",
    "identifier": "with the same e-mail or phone",
    "alias": "with one e-mail but for a tag or dots",
    "employer": "of one name at one employer",
    "chain": "both like a third",
}


def _show_found(told: _Told, found: Found, out: Path | None) -> None:
    from mainstay.cli.output import Column, facts, identifier, number, say, table, text

    say(text((number(found.contacts, "contact"), "bold"), f", {number(found.compared, 'pair')} compared"))
    rules = Counter(pair.rule for pair in found.pairs)
    facts(
        [
            ("may be one", number(len(found.pairs), "pair")),
            *((_RULES[rule], f"{count:,}") for rule, count in rules.most_common()),
            *((title, f"{count:,}") for title, count in _bands(found.pairs)),
        ]
    )
    if found.decisions:
        say(text((f"The probabilities are refined by {found.decisions:,} of your decisions.", "dim")))
    if told.verb == "show" and found.pairs:
        table(
            [Column("sure", right=True), Column("one"), Column("other"), Column("why", grows=True)],
            [
                (
                    f"{pair.score:.0%}",
                    *(
                        text(identifier(each), f" {told.names.get(str(each), '')}")
                        for each in (pair.one_id, pair.other_id)
                    ),
                    ", ".join(pair.reasons),
                )
                for pair in found.pairs[:_TOP]
            ],
        )
    if out is not None:
        say(text((f"Written: {out}", "cyan")))


def _show_done(told: _Told) -> None:
    from mainstay.cli.output import number, say, text

    done = told.done
    if done is None:
        if told.verb == "show":
            say("Nothing was changed. To review them: --open; to merge the surest: --apply --above 0.98")
        elif told.verb != "undo":
            say("Nothing was changed: there is no such pair.")
        return
    word = {"open": "put to review", "apply": "merged", "undo": "parted again"}[told.verb]
    say(text((f"{number(done.changed, 'pair')} {word}", "bold"), f", {done.skipped:,} skipped"))
    if done.error:
        say(text((f"Stopped: {done.error}", "red")))
    if told.verb == "apply":
        say(text("to take it all back: ", (f"mainstay contacts dedupe --undo {told.run}", "cyan")))


def _tell_stopped(told: _Told, above: float | None) -> None:
    changed = told.done.changed if told.done else 0
    typer.echo(f"\nStopped: {changed:,} pairs are done.", err=True)
    if told.verb == "apply" and changed:
        typer.echo(f"To go on: mainstay contacts dedupe --apply --above {above:g} --resume {told.run}", err=True)
        typer.echo(f"To take it back: mainstay contacts dedupe --undo {told.run}", err=True)
