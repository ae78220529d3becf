"""``mainstay init``: a folder with a stack that runs at once, without any account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import CommandError

# Where each file of a starter goes.
EXAMPLES = {
    "speed_to_lead": {
        "stack.toml": "stack.toml",
        "speed_to_lead.py": "workflows/speed_to_lead.py",
        "test_speed_to_lead.py": "tests/test_speed_to_lead.py",
    },
    "stripe_to_books": {
        "stripe_to_books.toml": "stack.toml",
        "book_payment.py": "workflows/book_payment.py",
        "test_book_payment.py": "tests/test_book_payment.py",
    },
}
_AROUND = {
    "conftest.py": "conftest.py",
    "pytest.ini": "pytest.ini",
    "env.example": ".env.example",
    "gitignore": ".gitignore",
}
_WORDS = re.compile(r"[^\w&'.]+|_+")


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where; made if it is not there.")] = Path(),
    name: Annotated[str, typer.Option(help="The business's name. Default: made from the folder's.")] = "",
    timezone: Annotated[str, typer.Option(help="Where its clock hangs.")] = "America/Chicago",
    region: Annotated[str, typer.Option(help="How local phone numbers are read, as two letters.")] = "US",
    example: Annotated[str, typer.Option(help=f"What to begin with: {', '.join(EXAMPLES)}.")] = "speed_to_lead",
) -> None:
    """Write a commented stack.toml, one workflow and its test, which runs at once, without an account anywhere.

    Nothing that is there already is overwritten.

    Examples:
        mainstay init acme && cd acme && mainstay up
        mainstay init clients/bell --name "Bell & Sons" --timezone Europe/London --region GB
        mainstay init books --example stripe_to_books
    """
    options = options_of(ctx)
    if example not in EXAMPLES:
        raise CommandError(f'There is no example "{example}"', f"Choose one of: {', '.join(EXAMPLES)}.")
    files_of = EXAMPLES[example] | _AROUND
    there = [target for target in files_of.values() if (folder / target).exists()]
    if there:
        where = f'"{folder}"' if str(folder) != "." else "This folder"
        raise CommandError(f"{where} has {', '.join(there)} already: nothing was written", "Choose a new folder.")
    business = name.strip() or _WORDS.sub(" ", folder.resolve().name).strip().title() or "Acme"
    written = _write(folder, files_of, {"name": business, "timezone": timezone, "region": region})
    slug = _check(folder, written)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"folder": str(folder), "workspace": slug, "files": list(files_of.values())})
        return
    _tell(folder, business, example)


def _write(folder: Path, files_of: Mapping[str, str], values: Mapping[str, str]) -> list[Path]:
    starter = files("mainstay.cli").joinpath("starter")
    written = []
    for template, target in files_of.items():
        text = starter.joinpath(f"{template}.template").read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"{{{{{key}}}}}", value.replace("\\", "\\\\").replace('"', '\\"'))
        path = folder / target
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error
        written.append(path)
    return written


def _check(folder: Path, written: list[Path]) -> str:
    """Read the stack as `up` will, so that a wrong time zone is said now; take everything back if it is."""
    from mainstay.errors import ConfigError
    from mainstay.settings.stack import load_stack
    from mainstay.testing.stack import SampleEnvironment

    try:
        return load_stack(folder, SampleEnvironment.load(folder, {})).slug
    except ConfigError:
        for path in written:
            path.unlink()
        raise


def _tell(folder: Path, business: str, example: str) -> None:
    from mainstay.cli.output import facts, say, text

    where = "" if str(folder) == "." else f"cd {folder}"
    workflow, test = [each for each in EXAMPLES[example].values() if each != "stack.toml"]
    is_connected = example == "speed_to_lead"
    say(text(("✓ ", "green"), (business, "bold"), " is ready to run" if is_connected else " is ready to be tried"))
    facts(
        [
            ("stack.toml", "sources, connections, where contacts live"),
            (workflow, "what happens to a new lead" if is_connected else "what happens when an invoice is paid"),
            (test, "its test: pytest, pytest-asyncio"),
            (".env.example", "names of secrets; copy it to .env"),
        ]
    )
    say()
    say("Next:")
    commands = [where, "pytest", "mainstay up"]
    if is_connected:
        commands = [
            where,
            "mainstay up",
            "mainstay send website --email you@example.com --name 'Your Name'",
            "mainstay status",
        ]
    besides = {"mainstay send": "(in a second terminal)", "pytest": "(against simulated vendors)"}
    if not is_connected:
        besides["mainstay up"] = "(once .env has the secrets that stack.toml names)"
    for command in commands:
        if command:
            beside = next((said for begins, said in besides.items() if command.startswith(begins)), "")
            say(text((command, "cyan"), (f"     {beside}" if beside else "", "dim")), indent=2)
