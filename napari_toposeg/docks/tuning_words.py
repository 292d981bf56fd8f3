"""Fine-tuning as a person says it."""

from __future__ import annotations

from collections.abc import Sequence

from napari_toposeg.session.tuning import Proposal
from napari_toposeg.topology import betti_words

TERMS = {
    "topology": "topology",
    "keep": "change",
    "chan_vese": "image",
    "outside": "outside",
    "jacobian": "folds",
    "laplacian": "bends",
    "gradient": "slope",
    "prompts": "prompts",
    "total": "total",
}
"""What the terms of a loss are called where there is little room."""


def now_words(betti: Sequence[int] | None, wanted: Sequence[int] | None) -> tuple[str, bool]:
    """What a mask has on its way, and whether that is what is wanted."""
    if betti is None or wanted is None:
        return "Nothing is tuned yet.", False
    right = tuple(betti) == tuple(wanted)
    return f"Now {betti_words(betti)}: {'as wanted' if right else f'wanted {betti_words(wanted)}'}.", right


def proposal_words(proposal: Proposal, *, accepted: bool) -> str:
    """What was changed, what did it, and where it stands."""
    record = proposal.after.tuned[-1] if proposal.after.tuned else {}
    count = int(record.get("iterations_done", proposal.after.iterations))
    iterations = f"{count} iteration{'' if count == 1 else 's'}"
    how = {
        "loss": f"The loss did it in {iterations}: {record.get('ended')}.",
        "correction": f"After {iterations} ({record.get('ended')}) homotopic correction did it.",
        "nothing": f"Not reached after {iterations}: {record.get('ended')}.",
    }.get(str(record.get("solved_by")), f"{iterations[0].upper()}{iterations[1:]}.")
    changed = proposal.changed_voxels
    voxels = f"{changed:,} voxel{'' if changed == 1 else 's'} changed"
    end = "accepted as the result" if accepted else "nothing is changed until you accept"
    before = f"Before: {betti_words(proposal.betti_before)}."
    return f"{before} {how} {voxels}; {end}."


def terms_html(last: dict[str, float], colour_of: dict[str, str]) -> str:
    """The newest value of each term, with the colour of its curve."""
    return "&nbsp;&nbsp; ".join(
        f'<span style="color:{colour_of[name]}">&#9644;</span>&nbsp;{TERMS.get(name, name)}&nbsp;{value:.3g}'
        for name, value in last.items()
    )
