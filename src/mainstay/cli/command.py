"""What all commands share: the options that are taken everywhere, and how help is laid out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    # Typer carries its own Click; these two names are needed for types alone.
    from typer._click import Context, HelpFormatter
    from typer._click.core import Parameter

StackOption = Annotated[
    list[Path] | None,
    typer.Option("--stack", "-s", metavar="PATH", help="A stack.toml, or its folder; may be repeated."),
]
WorkspaceOption = Annotated[
    str, typer.Option("--workspace", "-w", metavar="SLUG", help="Which workspace, where the stacks make several.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON, for programs.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]

META = "mainstay.options"
"""Where the options of the command being run are kept, for whoever tells its errors."""

_EXAMPLES = ("Example:", "Examples:")


@dataclass(frozen=True, slots=True)
class Options:
    """What was said of every command. ``stacks`` is never empty."""

    stacks: tuple[Path, ...] = (Path("stack.toml"),)
    workspace: str = ""
    as_json: bool = False
    debug: bool = False

    def with_given(self, given: dict[str, Any]) -> Options:
        """Return these options with those that were given behind the command."""
        changed: dict[str, Any] = {}
        if given.get("stack"):
            changed["stacks"] = stack_files(given["stack"])
        for name in ("workspace", "as_json", "debug"):
            if given.get(name):
                changed[name] = given[name]
        return replace(self, **changed)


def stack_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the stack.toml of each path that is a folder, and every other path as it is."""
    return tuple(path / "stack.toml" if path.is_dir() else path for path in paths)


def options_of(ctx: typer.Context) -> Options:
    """Return the options of the command that is being run."""
    return ctx.find_object(Options) or Options()


def _shared(
    stack: StackOption = None, workspace: WorkspaceOption = "", as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Hold the options that every command takes, as Typer reads them."""


@cache
def _shared_params() -> tuple[Parameter, ...]:
    app = typer.Typer(add_completion=False)
    app.command()(_shared)
    return tuple(typer.main.get_command(app).params)


class _QuickReading:
    """Reads what needs no checking: texts, paths, and defaults.

    Typer builds a pydantic model for each option, which costs every command a third of a second.
    """

    def __init__(self, param: Any) -> None:
        self._param = param

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return a value as the command's function takes it."""
        annotation = self._param.type_descriptor.annotation
        if annotation in _PLAIN:
            return None if value is None else _PLAIN[annotation](value)
        if annotation in _PLAIN_LISTS:
            return [_PLAIN_LISTS[annotation](each) for each in value or ()]
        if value is None or isinstance(value, int | bool):
            return value
        return self._full().coerce(value, param=param, ctx=ctx)

    def _full(self) -> Any:
        from typer._coercion import build_runtime_param

        return build_runtime_param(self._param.type_descriptor)


_READING = "_runtime_param"
_PLAIN: dict[Any, Any] = {str: str, Path: Path}
_PLAIN_LISTS: dict[Any, Any] = {list[str]: str, list[Path]: Path}


def read_quickly(params: Iterable[Parameter]) -> None:
    """Spare options Typer's own way of reading them, where this version of Typer has it as we know it."""
    for param in params:
        if getattr(param, _READING, True) is None and hasattr(param, "type_descriptor"):
            setattr(param, _READING, _QuickReading(param))


class Command(TyperCommand):
    """A command that takes the shared options too, before or behind its own."""

    shared: tuple[str, ...] = ("stack", "workspace", "as_json", "debug")

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the options."""
        read_quickly(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Return its own options, then the shared ones."""
        own = super().get_params(ctx)
        return [*own, *(param for param in _shared_params() if param.name in self.shared)]

    def invoke(self, ctx: Context) -> Any:
        """Take the shared options aside, then run."""
        given = {name: ctx.params.pop(name, None) for name in self.shared}
        ctx.obj = ctx.meta[META] = (ctx.find_object(Options) or Options()).with_given(given)
        return super().invoke(ctx)

    def format_help_text(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - the signature of the base
        """Write what the command does; its examples come last, see :meth:`format_epilog`."""
        text, _ = _split(self.help)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write arguments, options, and apart from them what every command takes."""
        own = [param for param in self.get_params(ctx) if param.name not in self.shared]
        arguments = [param for param in own if param.param_type_name == "argument"]
        _section(ctx, formatter, "Arguments", arguments)
        _section(ctx, formatter, "Options", [param for param in own if param not in arguments])
        everywhere = [param for param in _shared_params() if param.name in self.shared]
        _section(ctx, formatter, "Everywhere", everywhere)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - the signature of the base
        """Write the examples as they stand."""
        _, examples = _split(self.help)
        write_lines(formatter, "Examples" if len(examples) > 1 else "Example", examples)


class LocalCommand(Command):
    """A command that touches no stack."""

    shared = ("as_json", "debug")


class Group(TyperGroup):
    """A group of commands whose help shows an example of each."""

    def format_help_text(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - the signature of the base
        """Write what the group is about."""
        text, _ = _split(self.help)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - the signature of the base
        """Write the first example of each command."""
        found = [_split(command.help)[1][:1] for command in self.commands.values() if not command.hidden]
        write_lines(formatter, "Examples", [line for lines in found for line in lines])


def group(help_text: str) -> typer.Typer:
    """Make a group; its commands are given ``cls=Command``."""
    return typer.Typer(cls=Group, help=help_text, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


def write_lines(formatter: HelpFormatter, title: str, lines: Iterable[str]) -> None:
    """Write lines under a title without folding them."""
    shown = list(lines)
    if shown:
        with formatter.section(title):
            for line in shown:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _section(ctx: Context, formatter: HelpFormatter, title: str, params: Sequence[Parameter]) -> None:
    records = [record for param in params if (record := param.get_help_record(ctx)) is not None]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def _split(help_text: str | None) -> tuple[str, list[str]]:
    """Part a docstring into its words and its examples."""
    words, examples = [], []
    is_example = False
    for line in cleandoc(help_text or "").splitlines():
        if line.strip().startswith(_EXAMPLES):
            is_example = True
            line = line.strip().partition(":")[2]  # noqa: PLW2901 - what stands behind the title is an example too
        if is_example:
            if line.strip():
                examples.append(line.strip())
        else:
            words.append(line)
    return "\n".join(words).strip(), examples
