"""The figures of the recorded runs' report in Chromium: no two words meet, and none is cut off."""

import pytest

from tests.support.browser import NEEDED, Tab, own_pages

pytestmark = NEEDED

# Of each figure: pairs of words whose boxes overlap by more than a pixel, and words outside it
MET = """[...document.querySelectorAll('.drawing svg')].map(svg => {
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


def opened(tab, path):
    page = tab.show(path)
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    return page


@pytest.mark.parametrize("width", [1280, 500])
def test_the_words_of_a_figure_never_meet(published_report, browser, width):
    tab, met, figures = Tab(browser, viewport={"width": width, "height": 900}), [], 0
    for path in own_pages(published_report):
        for label, words, own in opened(tab, path).evaluate(MET):
            assert words > 1, label
            met += [(path.name, label, text) for text in own]
            figures += 1
    tab.context.close()
    assert met == [] and figures > 40
