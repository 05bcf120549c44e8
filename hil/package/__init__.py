"""The driver package on disk: INF, catalog, signature, image, and all of them together."""

from hil.package.catalog import Catalog, Member
from hil.package.finding import Finding, Severity
from hil.package.inf import Inf
from hil.package.keywords import Keyword
from hil.package.models import Model, Target
from hil.package.package import Package, PackageFile
from hil.package.pe import Pe
from hil.package.signature import Reason, SignatureRefused, Signer

__all__ = [
    "Catalog", "Finding", "Inf", "Keyword", "Member", "Model", "Package", "PackageFile", "Pe", "Reason",
    "Severity", "SignatureRefused", "Signer", "Target",
]  # fmt: skip
