"""Makes report.html: all pages in one file, to be sent or kept, which opens from anywhere.
Runs and data files, which lie beside the pages, are named in this file but not linked."""

import re

from jinja2 import Environment

NAME = "report.html"
_LINK = re.compile(r'<a\b([^>]*?)\shref="([^"]*)"([^>]*)>(.*?)</a>', re.S)
_IDS = re.compile(r'\s(id|aria-labelledby|for)="([^"]+)"')
_SAVED = re.compile(r'<span class="save">.*?</span>', re.S)  # the files of a figure
_OWN = re.compile(r'(href="|url\()#([^")]+)')  # addresses within SVG, and from a link to its target


def _key(file: str) -> str:
    return file.removesuffix(".html")


def _section(file: str, text: str, files: set[str]) -> str:
    """Return a page's content, with ids that are unique in the file and links that stay within
    it."""
    body = text[text.index('<main id="main">') + len('<main id="main">') : text.rindex("</main>")]
    body, key = _SAVED.sub("", body), _key(file)

    def link(found: re.Match[str]) -> str:
        before, target, after, content = found.groups()
        page, _, anchor = target.partition("#")
        if page in files:  # the link leads to a page, or to a place on a page
            target = "#" + (f"{_key(page)}--{anchor}" if anchor else _key(page))
        elif page and not target.startswith("https:"):
            return content
        return f'<a{before} href="{target}"{after}>{content}</a>'

    body = _IDS.sub(lambda m: f' {m[1]}="{key}--{m[2]}"', body)
    body = _OWN.sub(lambda m: f"{m[1]}#{key}--{m[2]}", body)
    return f'<section id="{key}">{_LINK.sub(link, body)}</section>'


def single(pages: dict[str, str], menu: list[tuple[str, str]], engine: Environment) -> str:
    """Return the text of the one file.
    `pages` has the text by file; `menu` has (file, title) of each page in the header."""
    order = [file for file, _ in menu] + [f for f in pages if f not in dict(menu)]
    sections = [_section(file, pages[file], set(pages)) for file in order]
    return engine.get_template("single.html.j2").render(
        menu=[(_key(file), title) for file, title in menu], sections=sections
    )
