"""The program: every command by name, imported when it is called."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from mainstay.cli.command import (
    META,
    Command,
    DebugOption,
    JsonOption,
    LocalCommand,
    Options,
    StackOption,
    WorkspaceOption,
    read_quickly,
    stack_files,
    write_lines,
)
from mainstay.cli.errors import EXIT_CODES, tell

if TYPE_CHECKING:
    from typer._click import Command as ClickCommand
    from typer._click import Context, HelpFormatter


class Foreign(Command):
    """A command that declares all its options itself."""

    shared = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is not yet imported: ``attribute`` of ``module`` is its function, or its group's Typer."""

    name: str
    module: str
    attribute: str
    summary: str
    command_class: type[TyperCommand] = Command


COMMANDS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Begin",
        (
            Entry("init", "init", "init", "Make a folder with a stack that runs at once.", LocalCommand),
            Entry("demo", "demo", "demo", "See the main job run on simulated vendors.", Foreign),
            Entry("up", "up", "up", "Serve intake and pages, and drive runs.", Foreign),
            Entry("check", "check", "check", "Say what a start would refuse or warn of."),
            Entry("worker", "worker", "worker", "Drive runs, beside an `up` or on another machine.", Foreign),
            Entry("sign-in", "sign_in", "sign_in", "Make a one-time link to the pages."),
        ),
    ),
    (
        "Look",
        (
            Entry("status", "status", "status", "Did anything break in the last 24 hours?"),
            Entry("review", "review", "review", "What a week brought, what failed, what was slow, what was saved."),
            Entry("runs", "runs", "runs", "What workflows did: list, show, retry, cancel."),
            Entry("approvals", "approvals", "approvals", "What runs ask people: list, approve, decline."),
            Entry("schedules", "schedules", "schedules", "What runs by the clock: list."),
            Entry("workflows", "workflows", "workflows", "The stack's workflows, their open runs, what drains: list."),
            Entry("replay", "replay", "replay", "Execute a run again here, from its record, touching nothing."),
            Entry("retries", "retries", "retries", "Orders to retry many runs: list, show, stop, resume."),
            Entry("contacts", "contacts", "contacts", "Who is known: list, show, edit, merge, normalize."),
            Entry("records", "records", "records", "Deals, invoices, tasks and the like: list, show."),
            Entry("deliveries", "deliveries", "deliveries", "What arrived: list, show, replay."),
            Entry(
                "incidents", "incidents", "incidents", "What is broken, and has been: list, show, acknowledge, resolve."
            ),
            Entry("alerts", "alerts", "alerts", "Who hears of what is broken: list, test."),
            Entry("monitors", "monitors", "monitors", "Jobs elsewhere that say that they ran: list, show, renew."),
            Entry("quarantine", "quarantine", "quarantine", "What could not be proven: list, show, release."),
            Entry(
                "connections",
                "connections",
                "connections",
                "Accounts and sources of the stack: list, check, pause, resume.",
            ),
            Entry("mirrors", "mirrors", "mirrors", "Copies of contacts and other records: list, compare."),
            Entry("swap", "swap", "swap", "Let another CRM take over as system of record: contact, status, back."),
            Entry("drift", "drift", "drift", "Where a copy was changed: list, revert, take-over, leave, undo."),
        ),
    ),
    (
        "Bring in",
        (
            Entry("connect", "connect", "connect", "Let Mainstay into an account, by its vendor's page."),
            Entry("send", "send", "send", "Send a test lead, as a source's sender would."),
            Entry("import", "import_file", "imports", "Bring in contacts from a CSV file."),
        ),
    ),
    (
        "Run it",
        (
            Entry("tokens", "tokens", "tokens", "Who may use the API: create, list, revoke."),
            Entry("mcp", "mcp", "mcp", "Let an assistant look, and retry if its token may."),
            Entry("db", "db", "db", "The database: migrate, url."),
        ),
    ),
)
_ENTRIES = {entry.name: entry for _, entries in COMMANDS for entry in entries}
# They take --stack themselves: as a default it reaches them when it was given before their name.
_TAKE_STACK = ("up", "worker")
EXAMPLES = (
    "mainstay init acme && cd acme && mainstay up",
    "mainstay send website --email sarah@example.com --name 'Sarah Johnson'",
    "mainstay status",
)


class Program(TyperGroup):
    """All commands. Listing them imports none."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the options that stand before the command."""
        read_quickly(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - the signature of the base
        """Return the names in the order of the help."""
        return list(_ENTRIES)

    def get_command(self, ctx: Context, cmd_name: str) -> ClickCommand | None:
        """Import one command."""
        entry = _ENTRIES.get(cmd_name)
        if entry is None:
            return None
        if ctx.resilient_parsing and not ctx.args and not ctx._protected_args:  # noqa: SLF001 - Click has no other word for it
            # Names are being completed: their summaries will do.
            return TyperCommand(entry.name, help=entry.summary)
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _load(entry)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, ClickCommand | None, list[str]]:
        """Find the command; for a mistyped name say which one is near."""
        if args[0] not in _ENTRIES and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], _ENTRIES, 1)
            hint = f" Did you mean '{near[0]}'?" if near else " All commands: mainstay --help"
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Context) -> Any:
        """Run the command; tell an error instead of throwing it at the user."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(error, BrokenPipeError) or type(error).__module__.startswith("typer"):
                raise
            asked = _asked(ctx)
            raise typer.Exit(tell(error, as_json=asked.as_json, debug=asked.debug)) from error

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - the signature of the base
        """Write the commands by what they are for."""
        widest = max(map(len, _ENTRIES))
        for title, entries in COMMANDS:
            with formatter.section(title):
                formatter.write_dl([(entry.name.ljust(widest), entry.summary) for entry in entries])

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands first, then the options."""
        self.format_commands(ctx, formatter)
        records = [record for param in self.get_params(ctx) if (record := param.get_help_record(ctx)) is not None]
        with formatter.section("Options, before or behind any command"):
            formatter.write_dl(records)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - the signature of the base
        """Write the exit codes and the first commands to try."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES])
        write_lines(formatter, "Examples", EXAMPLES)


def _load(entry: Entry) -> ClickCommand:
    found = getattr(import_module(f"mainstay.cli.{entry.module}"), entry.attribute)
    if isinstance(found, typer.Typer):
        command = typer.main.get_command(found)
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(entry.name, cls=entry.command_class)(found)
        command = typer.main.get_command(app)
    command.name = entry.name
    return command


def _asked(ctx: Context) -> Options:
    """Return what the innermost command was asked for; where it did not come so far, the program."""
    last: Options = ctx.meta.get(META) or ctx.find_object(Options) or Options()
    return last


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"mainstay {version('mainstay')}")
        raise typer.Exit


def _everything(
    ctx: typer.Context,
    stack: StackOption = None,
    workspace: WorkspaceOption = "",
    as_json: JsonOption = False,
    debug: DebugOption = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """No lead lost, no contact doubled, no failure unseen: the automation stack of a service business, as code."""
    if ctx.resilient_parsing:
        return
    stacks = stack_files(stack or _default_stacks())
    ctx.obj = Options(stacks, workspace, as_json, debug)
    ctx.default_map = {name: {"stack": [str(path) for path in stacks]} for name in _TAKE_STACK}


def _default_stacks() -> list[Path]:
    import os

    from mainstay.settings.environment import Environment

    named = Environment.load(Path()).get("MAINSTAY_STACK") or ""
    return [Path(part) for part in named.split(os.pathsep) if part] or [Path("stack.toml")]


def program() -> TyperGroup:
    """Return the whole command line."""
    app = typer.Typer(
        cls=Program,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_everything)
    made = typer.main.get_command(app)
    assert isinstance(made, TyperGroup)  # noqa: S101 - an app with a callback is a group
    return made
