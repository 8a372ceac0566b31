"""A block of the sequence with its defaults behind it."""

from dataclasses import dataclass
from typing import Any

from onnes.runner import blocks
from onnes.runner.problems import Place


@dataclass(frozen=True)
class Filled:
    """A block with the defaults for its name behind it; ``place`` is that of its name."""

    name: str
    block: blocks.Block
    behind: blocks.Block
    place: Place

    def get(self, key: str) -> Any:
        """Return the value of the block, else that of the defaults."""
        own = getattr(self.block, key)
        return getattr(self.behind, key) if own is None else own

    def layers(self, group: str) -> tuple[Any, Any]:
        """Return the group of the defaults and of the block, the stronger one last."""
        return getattr(self.behind, group), getattr(self.block, group)
