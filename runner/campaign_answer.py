"""What ``onnes campaign`` answers: a table of what was lost, and a sentence for each defect."""

from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from onnes.runner.campaign import Campaign
from onnes.runner.campaign_judge import Verdict
from onnes.runner.campaign_plan import KINDS

_COLUMNS: Final = {
    "nights": "nights",
    "points": "points committed",
    "lost": "points lost",
    "unsafe": "unsafe ends",
    "told": "not confirmed, told",
    "wrong": "wrong statuses",
    "stalls": "stalls",
    "resumed": "killed and resumed",
    "differ": "of these, data differ",
}


@dataclass(frozen=True, slots=True)
class CampaignAnswer:
    """The table of a campaign; a night of several kinds is in the row of each, and once in the total."""

    campaign: Campaign

    @property
    def exit_code(self) -> int:
        """Return 0 where nothing that must not be was found, else 3."""
        return 3 if any(verdict.defects for verdict in self.campaign.verdicts) else 0

    def rows(self) -> dict[str, dict[str, int]]:
        """Return {kind: {column: number}}, the total last."""
        verdicts = self.campaign.verdicts
        of = {kind: [each for each in verdicts if kind in each.night.kinds] for kind in KINDS}
        return {kind: _row(some) for kind, some in {**of, "total": list(verdicts)}.items() if some}

    def sentences(self) -> list[str]:
        """Return each defect, where it is, and how to see it again."""
        said = []
        for verdict in self.campaign.verdicts:
            repeat = f"seed {verdict.night.seed}; `onnes run {verdict.folder / 'night.yaml'}`"
            said += [f"{verdict.night.name}: {defect} ({repeat})" for defect in verdict.defects]
        return said

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        campaign = self.campaign
        return {
            "folder": str(campaign.folder),
            "seed": campaign.seed,
            "jobs": campaign.jobs,
            "started": campaign.started.isoformat(),
            "wall_s": round(campaign.wall_s, 1),
            "kinds": self.rows(),
            "messages": self.sentences(),
        }

    def print(self, console: Console) -> None:
        """Print the table as it can stand in a page, and the sentences."""
        lines = [f"| kind | {' | '.join(_COLUMNS.values())} |", "|---" * (len(_COLUMNS) + 1) + "|"]
        for kind, row in self.rows().items():
            lines.append(f"| {kind} | {' | '.join(str(row[name]) for name in _COLUMNS)} |")
        campaign = self.campaign
        lines += ["", *self.sentences()]
        lines.append(f"seed {campaign.seed}, {campaign.wall_s:.0f} s of wall time, {campaign.folder}")
        lines.append("SIMULATED: no hardware was touched")
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _row(verdicts: list[Verdict]) -> dict[str, int]:
    resumed = [verdict for verdict in verdicts if verdict.kills]
    return {
        "nights": len(verdicts),
        "points": sum(verdict.points for verdict in verdicts),
        "lost": sum(len(verdict.lost) for verdict in verdicts),
        "unsafe": sum(len(verdict.unsafe) for verdict in verdicts),
        "told": sum(verdict.told for verdict in verdicts),
        "wrong": sum(len(verdict.wrong) for verdict in verdicts),
        "stalls": sum(len(verdict.stalls) for verdict in verdicts),
        "resumed": len(resumed),
        "differ": sum(verdict.is_bad_data for verdict in resumed),
    }
