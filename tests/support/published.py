"""The folders in which the recorded runs lie."""

from protocols.files import ROOT

PUBLISHED = ROOT / "reports" / "published"
FOLDERS = sorted(path.parent for path in PUBLISHED.glob("*/plan.json"))
