"""Tables of this package in JupyterLab's outputs, which have style sheets of their own."""

from glmocr_utils.display import show
from glmocr_utils.display.labels import text_difference_html

# as in JupyterLab 4
JUPYTERLAB = """<style>
:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon td { text-align: right; }
.jp-RenderedHTMLCommon pre { word-break: break-all; }
</style>"""
READ = "the keeper of the lighthouse"


def test_text_side_by_side_is_flush_left_and_its_words_are_whole(browser):
    html = show(text_difference_html("a page", ("one", "other"), "", READ)).data
    page = browser.new_page(viewport={"width": 420, "height": 600})
    page.set_content(f'{JUPYTERLAB}<div class="jp-RenderedHTMLCommon">{html}</div>')
    cell = page.locator(".difference td").nth(1)
    assert cell.evaluate("cell => getComputedStyle(cell).textAlign") == "left"
    lines = cell.evaluate(
        """cell => {
          const text = cell.querySelector("ins").childNodes, tops = new Map();
          for (const node of text) {
            if (node.nodeType !== Node.TEXT_NODE) continue;
            for (let at = 0; at < node.length; at++) {
              const range = new Range();
              range.setStart(node, at);
              range.setEnd(node, at + 1);
              const top = Math.round(range.getBoundingClientRect().top);
              tops.set(top, (tops.get(top) ?? "") + node.data[at]);
            }
          }
          return [...tops.values()];
        }"""
    )
    assert len(lines) > 1
    assert all(line.strip("␣") in READ.replace(" ", "␣") for line in lines)
    assert {word for line in lines for word in line.split("␣") if word} == set(READ.split())
