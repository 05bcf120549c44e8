"""All rules for a network driver package. Which there are: ``hil package rules``."""

from hil.package.rules import files, images, keywords, models, network, parameters, sections, services, signing, version
from hil.package.rules.rule import Rule, Seen

RULES: tuple[Rule, ...] = (
    *version.RULES, *sections.RULES, *models.RULES, *network.RULES, *services.RULES, *parameters.RULES,
    *keywords.RULES, *files.RULES, *images.RULES, *signing.RULES,
)  # fmt: skip

__all__ = ["RULES", "Rule", "Seen"]
