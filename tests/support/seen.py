"""What the pages of a report show in the browser: each is opened once, and looked at all over."""

from pathlib import Path

from tests.support.browser import OPEN, WIDTHS, Tab, is_kept

TALLEST = 8000  # pixels of one picture; a longer page is kept in several
A4 = 718  # CSS pixels between the margins of a printed page
HEIGHT = 900  # pixels of the window

AS_IT_OPENS = """() => ({
  titles: document.querySelectorAll("h1").length,
  parts: document.querySelectorAll("main > section").length,
  styled: document.querySelectorAll("[style]").length,
  ids: [...document.querySelectorAll("[id]")].map(e => e.id),
  links: [...document.links].map(a => a.getAttribute("href")),
  numbers: [...document.querySelectorAll("[data-key]")].map(e => {
    const own = e.cloneNode(true);
    own.querySelectorAll("small, sup").forEach(x => x.remove());
    return [e.dataset.key, own.textContent, Number(e.dataset.scale ?? 1)];
  }),
  height: document.documentElement.scrollHeight,
  "lines of the menu":
    new Set([...document.querySelectorAll("nav:not(.within) li")].map(e => e.offsetTop)).size,
})"""
WIDE_TABLES = """[...document.querySelectorAll(".table")]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.getAttribute("aria-labelledby"))"""
# Of each figure: its words, pairs of words whose boxes overlap by more than a pixel, and words
# outside it
FIGURES = """[...document.querySelectorAll('.drawing svg')].map(svg => {
  const whole = svg.getBoundingClientRect();
  const words = [...svg.querySelectorAll('text')].filter(e => e.textContent.trim());
  const found = words.map(e => [e.textContent.trim(), e.getBoundingClientRect()]);
  const met = [];
  found.forEach(([one, a], i) => {
    if (a.left < whole.left - 1 || a.right > whole.right + 1 || a.top < whole.top - 1
      || a.bottom > whole.bottom + 1) met.push(`${one} is cut off`);
    found.slice(i + 1).forEach(([other, b]) => {
      const [x, y] = [Math.min(a.right, b.right) - Math.max(a.left, b.left),
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
      if (x > 1 && y > 1 && one !== other) met.push(`${one} meets ${other}`);
    });
  });
  return [svg.getAttribute('aria-label'), found.length, met];
})"""
PRINTED = """width => {
  dispatchEvent(new Event('beforeprint'));
  return [...document.querySelectorAll('table, svg, img, code')]
    .map(e => [e.querySelector('caption')?.id ?? e.tagName, e.getBoundingClientRect().right])
    .filter(([_, end]) => end > width + 1);
}"""


def visit(tab: Tab, report: str, path: Path, shots: Path) -> dict:
    """Opens a page and gives what is seen: as it opens, narrow, with all parts open, and printed.
    Some pages are kept as pictures in the folder `shots`."""
    tab.troubles.clear()
    tab.requests.clear()
    tab.page.emulate_media(media="screen")
    tab.page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
    page = tab.show(path)
    found = page.evaluate(AS_IT_OPENS) | {"width": {}, "pictures": {}}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        found["width"][width] = page.evaluate("document.documentElement.scrollWidth")
        if is_kept(report, path.name):
            name = f"{report}-{path.stem}-{width}"
            found["pictures"][width] = pictures(page, shots, name)
    page.evaluate(OPEN)
    for width in (500, WIDTHS[0]) if report == "published" else ():
        page.set_viewport_size({"width": width, "height": HEIGHT})
        found[f"figures at {width}"] = page.evaluate(FIGURES)
    page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
    found["tables too wide"] = page.evaluate(WIDE_TABLES)
    page.set_viewport_size({"width": A4, "height": HEIGHT})
    page.emulate_media(media="print")
    found["printed too wide"] = page.evaluate(PRINTED, A4)
    return found | {"troubles": [*tab.troubles], "requests": [*tab.requests]}


def pictures(page, folder: Path, name: str) -> list[str]:
    """Keeps the whole page, as wide as it is shown, as one picture or several; gives their
    paths."""
    width, found = page.viewport_size["width"], []
    whole = page.evaluate("document.documentElement.scrollHeight")
    for top in range(0, whole, TALLEST):
        part = f"-{top // TALLEST + 1}" if whole > TALLEST else ""
        clip = {"x": 0, "y": top, "width": width, "height": min(TALLEST, whole - top)}
        found.append(str(folder / f"{name}{part}.png"))
        page.screenshot(path=found[-1], full_page=True, clip=clip)
    return found
