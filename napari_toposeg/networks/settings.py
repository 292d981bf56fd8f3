"""What all settings of networks share, and their way to plain values and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from napari_toposeg.errors import ToposegError

Answer = Literal["displacement", "velocity"]

_Settings = TypeVar("_Settings", bound="NetworkSettings")


@dataclass(frozen=True)
class NetworkSettings:
    """What every network is told.

    Attributes
    ----------
    ndim : int
        2 or 3.

    Raises
    ------
    ToposegError
        If a value is not one that a network can be built with. So do all settings that are made of this.
    """

    ndim: int

    def __post_init__(self) -> None:
        if self.ndim not in (2, 3):
            raise ToposegError(f"There are no networks for {self.ndim} axes.", todo="Set ndim to 2 or 3.")

    def require(self, **least: float) -> None:
        """Refuse settings of which a number, or one of several, is below what is given for its name."""
        for name, lowest in least.items():
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not numbers or not min(numbers) >= lowest:
                raise ToposegError(
                    f"{name} of {type(self).__name__} is {value!r}.", todo=f"Give it at least {lowest:g}."
                )


def settings_to_dict(settings: NetworkSettings) -> dict[str, Any]:
    """Settings as plain values that JSON and YAML can hold.

    Parameters
    ----------
    settings : NetworkSettings
        Of any network.

    Returns
    -------
    dict
        One entry by attribute; several numbers become a list.
    """
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in ((field.name, getattr(settings, field.name)) for field in dataclasses.fields(settings))
    }


def settings_of_kind(kind: type[_Settings], values: Mapping[str, Any]) -> _Settings:
    """Settings of one kind from plain values; the way back from `settings_to_dict`.

    Parameters
    ----------
    kind : type
        A frozen dataclass of settings.
    values : mapping
        Plain values by attribute. What has a default may be left out.

    Returns
    -------
    settings of that kind

    Raises
    ------
    ToposegError
        If a key is unknown, one without a default is missing, or a value is of the wrong type or out of range.
    """
    known = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(str(key) for key in values if key not in known)
    if unknown:
        raise ToposegError(
            f"{kind.__name__} has no {' and no '.join(unknown)}.", todo=f"It has: {', '.join(sorted(known))}."
        )
    missing = [name for name, field in known.items() if field.default is dataclasses.MISSING and name not in values]
    if missing:
        raise ToposegError(f"{kind.__name__} is not told its {' and its '.join(missing)}.")
    hints = get_type_hints(kind)
    return kind(**{name: _checked(kind, name, hints[name], value) for name, value in values.items()})


def _checked(kind: type, name: str, hint: Any, value: Any) -> Any:
    """One plain value as the attribute's type."""
    wanted = None
    if get_origin(hint) is Literal:
        if value in get_args(hint):
            return value
        wanted = "one of " + ", ".join(map(str, get_args(hint)))
    elif get_origin(hint) is tuple:
        if isinstance(value, list | tuple):
            return tuple(_checked(kind, name, get_args(hint)[0], item) for item in value)
        wanted = "a list"
    elif hint is bool:
        if isinstance(value, bool):
            return value
        wanted = "true or false"
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        wanted = "a whole number"
    elif hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        wanted = "a number"
    else:
        raise TypeError(f"{kind.__name__}.{name} is of a type that settings do not have: {hint}")
    raise ToposegError(f"{name} of {kind.__name__} is {value!r}.", todo=f"Give {wanted}.")
