"""``mainstay init``: a folder with a stack that runs at once, without any account."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import CommandError

# Where each file of the starter goes.
FILES = {
    "stack.toml": "stack.toml",
    "speed_to_lead.py": "workflows/speed_to_lead.py",
    "test_speed_to_lead.py": "tests/test_speed_to_lead.py",
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
) -> None:
    """Write a commented stack.toml, one workflow and its test. They run at once, without an account anywhere.

    Nothing that is there already is overwritten.

    Examples:
        mainstay init acme && cd acme && mainstay up
        mainstay init clients/bell --name "Bell & Sons" --timezone Europe/London --region GB
    """
    options = options_of(ctx)
    there = [target for target in FILES.values() if (folder / target).exists()]
    if there:
        where = f'"{folder}"' if str(folder) != "." else "This folder"
        raise CommandError(f"{where} has {', '.join(there)} already: nothing was written", "Choose a new folder.")
    business = name.strip() or _WORDS.sub(" ", folder.resolve().name).strip().title() or "Acme"
    written = _write(folder, {"name": business, "timezone": timezone, "region": region})
    slug = _check(folder, written)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"folder": str(folder), "workspace": slug, "files": list(FILES.values())})
        return
    _tell(folder, business)


def _write(folder: Path, values: dict[str, str]) -> list[Path]:
    starter = files("mainstay.cli").joinpath("starter")
    written = []
    for template, target in FILES.items():
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
    from mainstay.settings.environment import Environment
    from mainstay.settings.stack import load_stack

    try:
        return load_stack(folder, Environment.load(folder, {})).slug
    except ConfigError:
        for path in written:
            path.unlink()
        raise


def _tell(folder: Path, business: str) -> None:
    from mainstay.cli.output import facts, say, text

    where = "" if str(folder) == "." else f"cd {folder}"
    say(text(("✓ ", "green"), (business, "bold"), " is ready to run"))
    facts(
        [
            ("stack.toml", "sources, connections, where contacts live"),
            ("workflows/speed_to_lead.py", "what happens to a new lead"),
            ("tests/test_speed_to_lead.py", "its test: pytest, pytest-asyncio"),
            (".env.example", "names of secrets; copy it to .env"),
        ]
    )
    say()
    say("Next:")
    commands = [
        where,
        "mainstay up",
        "mainstay send website --email you@example.com --name 'Your Name'",
        "mainstay status",
    ]
    for command in commands:
        if command:
            beside = "     (in a second terminal)" if command.startswith("mainstay send") else ""
            say(text((command, "cyan"), (beside, "dim")), indent=2)
