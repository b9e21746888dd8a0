"""The style and the script that stand inline in every page, and the policy that allows no
others."""

import base64
import hashlib
from functools import cache

from markupsafe import Markup

from protocols.files import ROOT

TEMPLATES = ROOT / "reports" / "templates"


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@cache
def inline() -> dict[str, Markup]:
    """Return `style`, `script` and `policy`; by the policy no page loads anything or runs a foreign
    script."""
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "report.js")
    )
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    text = "; ".join(f"{key} {value}" for key, value in policy.items())
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(text)}
