"""`toposeg models`: which trained networks there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

if TYPE_CHECKING:
    from napari_toposeg.inference.weights import Card, KnownWeights


def models(*, json: Annotated[bool, arg(help_behavior_hint="")] = False) -> int:
    """List trained networks: what each is, what it was trained on, how good it was, and where it is.

    A name is looked for in the user's own folder, then among shipped weights, then among those that are retrieved when
    they are asked for; one that stands for different weights is refused. The environment variable TOPOSEG_WEIGHTS names
    the user's own folder.

    Parameters
    ----------
    json
        Print them to standard output as JSON instead.
    """
    from napari_toposeg.cli.show import print_json
    from napari_toposeg.inference.weights import known_weights

    known = known_weights()
    if json:
        print_json([_facts(one) for one in known])
    else:
        _show(known)
    return 0


def _facts(known: KnownWeights) -> dict[str, Any]:
    from napari_toposeg.inference.weights import card_to_dict

    where = {"name": known.name, "where": known.place, "path": str(known.path), "url": known.url or None}
    card = None if known.card is None else card_to_dict(known.card)
    return {**where, "card": card, "trouble": known.trouble or None}


def _show(known: Sequence[KnownWeights]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from napari_toposeg.cli.show import results
    from napari_toposeg.inference.weights import own_folder

    console = results()
    if not known:
        console.print("There are no trained networks yet: none is shipped, and none is in your folder.")
    usable = [(one, one.card) for one in known if one.card is not None]
    if usable:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        table.add_column("name", no_wrap=True)  # so that it can be copied
        for heading in ("network", "prior", "data", "how good", "where"):
            table.add_column(heading, overflow="fold", min_width=len("validation") if heading == "how good" else None)
        for one, card in usable:
            table.add_row(*map(Text, (one.name, *_cells(card), one.place)))
        console.print(table)
    for one in known:
        if one.trouble:
            console.print(Text.assemble((f"{one.name}: ", "bold red"), one.trouble), soft_wrap=True)
    advice = (
        f"To add one, put NAME.safetensors and NAME.json, as a training saves them, into\n{own_folder()}\n"
        "or set TOPOSEG_WEIGHTS to the folder that holds them."
    )
    console.print(Text(advice, style="dim"), soft_wrap=True)


def _cells(card: Card) -> tuple[str, str, str, str]:
    priors = ", ".join(f"{prior.name} {' '.join(map(str, prior.betti))}" for prior in card.priors)
    # Of all metrics one, on the best images to judge by; `--json` has the rest.
    scores = ((name, card.metrics.get(name)) for name in ("test dice", "validation dice", "dice"))
    good = next((f"{name} {value:.3f}" for name, value in scores if value is not None), "-")
    return f"{card.network} {card.settings.ndim}-D", priors or "-", f"{card.data} ({card.licence})", good
