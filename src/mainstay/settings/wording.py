"""What pydantic finds wrong, in words for the person who wrote the file. Values are never quoted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mainstay.settings.document import Document, suggest
from mainstay.settings.positions import KeyPath

Model = TypeVar("Model", bound=BaseModel)

_EXPECTED = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of sane size",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list in brackets",
    "tuple_type": "a list in brackets",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "time_delta_type": 'a duration, like "10m", "1h 30m", or seconds',
    "time_delta_parsing": 'a duration, like "10m", "1h 30m", or seconds',
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "string_too_short": "at least {min_length} long",
    "string_too_long": "at most {max_length} characters long",
    "too_short": "a list of {min_length} or more",
    "too_long": "a list of {max_length} at most",
    "string_pattern_mismatch": "a text of the form {pattern}",
}


def check(document: Document, path: KeyPath, model: type[Model], value: Any) -> Model | None:
    """Read ``value``, which stands at ``path``, as ``model``; None when it cannot be, with the problems noted.

    A secret written out is a problem too, whatever else is right. Validators find the file's folder in their context.
    """
    _refuse_plain_secrets(document, path, model, value)
    try:
        return model.model_validate(value, context={"folder": document.folder})
    except ValidationError as error:
        _note(document, path, model, value, error.errors(include_url=False, include_input=False))
        return None


def takes(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return a model's fields by the key that a file uses."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _note(document: Document, path: KeyPath, model: type[BaseModel], value: Any, errors: list[ErrorDetails]) -> None:
    expected: dict[KeyPath, list[str]] = {}
    for error in errors:
        at = _existing(error["loc"], value, is_missing=error["type"] == "missing")
        whole = (*path, *at)
        if any(whole[: len(broken)] == broken or broken[: len(whole)] == whole for broken in document.broken):
            continue
        if error["type"] == "missing":
            info = takes(_model_at(model, at[:-1])).get(str(at[-1]))
            document.add(whole, f"{at[-1]} is missing", info.description or "" if info else "")
        elif error["type"] == "extra_forbidden":
            _note_unknown(document, whole, _model_at(model, at[:-1]))
        elif error["type"] == "string_too_short" and error["ctx"]["min_length"] == 1:
            document.add(whole, "should not be empty")
        elif template := _EXPECTED.get(error["type"]):
            text = template.format(**error.get("ctx", {})).replace("'", '"')
            expected.setdefault(whole, []).append(text)
        else:
            text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
            document.add(whole, text.replace("Input should be", "should be"))
    for whole, wanted in expected.items():
        document.add(whole, f"should be {' or '.join(dict.fromkeys(wanted))}")


def _note_unknown(document: Document, whole: KeyPath, model: type[BaseModel]) -> None:
    known = takes(model)
    hint = suggest(str(whole[-1]), known) or f"Known here: {', '.join(known)}."
    document.add(whole, f'there is no key "{whole[-1]}" here', hint)


def _existing(loc: tuple[str | int, ...], value: Any, *, is_missing: bool) -> KeyPath:
    """Cut what pydantic adds to a path (names of union members, ``[key]``)."""
    path: KeyPath = ()
    for part in loc:
        is_there = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
        )
        if not is_there:
            return (*path, loc[-1]) if is_missing else path
        path, value = (*path, part), value[part]
    return path


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    for part in path:
        info = takes(model).get(str(part))
        if info is not None:
            model = next(_models_in(info.annotation), model)
    return model


def _types_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _types_in(argument)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    return (each for each in _types_in(annotation) if isinstance(each, type) and issubclass(each, BaseModel))


def _refuse_plain_secrets(document: Document, path: KeyPath, model: type[BaseModel], value: Any) -> None:
    if not isinstance(value, dict):
        return
    for key, info in takes(model).items():
        if key not in value:
            continue
        at = (*path, key)
        if any(each is SecretStr for each in _types_in(info.annotation)):
            for leaf, text in _texts(at, value[key]):
                if text and leaf not in document.referring | document.broken:
                    document.hide(text)
                    document.broken.add(leaf)
                    document.add(
                        leaf,
                        "secrets don't belong in stack.toml",
                        f'write {key} = "${{{_variable(path, key)}}}" and put the value in .env',
                    )
        for inner in _models_in(info.annotation):
            for place, table in _tables(at, value[key]):
                _refuse_plain_secrets(document, place, inner, table)


def _variable(path: KeyPath, key: str) -> str:
    owner = "_".join(str(part) for part in path[1:])
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in f"{owner}_{key}").upper()


def _texts(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for part, each in pairs:
            yield from _texts((*path, part), each)


def _tables(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _tables((*path, index), each)
