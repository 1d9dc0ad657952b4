"""PAGE XML and ALTO beside page images become labels, and what was exported comes back."""

import pytest
from make_results import page_of
from PIL import Image

from glmocr_utils.labels import LabelStore, find_pages
from glmocr_utils.labels.workflow import label_from
from glmocr_utils.ocr_formats.alto import alto
from glmocr_utils.ocr_formats.page_xml import page_xml
from glmocr_utils.records import Box, PageLayout, TokenBox

TOKENS = ["One", " line", "\n\n", "第", "一章", "\n\n", "<td>a</td>", "<td>b & c</td>"]
RESULT = page_of(*[(token, 0.9) for token in TOKENS])
BOXES = tuple(
    TokenBox(Box(10 * n, 30 * (n // 3), 10 * n + 10, 30 * (n // 3) + 20), 0.9, n // 3)
    for n in range(len(TOKENS))
)
LINES = (Box(0, 0, 20, 20), Box(30, 30, 50, 50), Box(60, 60, 80, 80))
LAYOUT = PageLayout(RESULT.page, 200, 100, BOXES, LINES)
PAGE = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2013-07-15"><Page>
<ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="1" regionRef="a"/>
<RegionRefIndexed index="0" regionRef="b"/></OrderedGroup></ReadingOrder>
<!-- a comment --><TextRegion id="a"><TextLine id="1"><TextEquiv index="1"><Unicode>no</Unicode>
</TextEquiv><TextEquiv index="0"><Unicode>second</Unicode></TextEquiv></TextLine></TextRegion>
<TextRegion id="b"><TextLine id="2"><Word id="w"><TextEquiv><Unicode>fi</Unicode></TextEquiv></Word>
<Word id="v"><TextEquiv><Unicode>rst</Unicode></TextEquiv></Word></TextLine></TextRegion>
</Page></PcGts>"""
ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v2#"><Layout><Page><PrintSpace><TextBlock>
<TextLine><String CONTENT="two"/><String CONTENT="Wör"/><HYP CONTENT="&#173;"/></TextLine>
<TextLine><String CONTENT="ter,"/><SP/><String CONTENT="so"/></TextLine>
</TextBlock></PrintSpace></Page></Layout></alto>"""


def labelled(folder, source):
    store = LabelStore(folder / "set")
    (run,) = label_from(store, source, folder)
    return [label.raw_text for label in store.current_labels()], run


def with_image(folder):
    Image.new("RGB", (20, 20), "white").save(folder / "leaf.png")
    return folder


@pytest.mark.parametrize("source", ["page", "alto"])
def test_what_was_exported_comes_back(source, tmp_path):
    text = alto([(RESULT, LAYOUT)]) if source == "alto" else page_xml(RESULT, LAYOUT, "leaf.png")
    (with_image(tmp_path) / "leaf.xml").write_text(text, encoding="utf-8")
    texts, _ = labelled(tmp_path, source)
    assert texts == ["One line\n\n第一章\n\na b & c"]


@pytest.mark.parametrize("folder", ["page", "."])
def test_page_xml_is_read_in_its_reading_order(folder, tmp_path):
    (with_image(tmp_path) / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "leaf.xml").write_text(PAGE, encoding="utf-8")
    assert labelled(tmp_path, "page")[0] == ["fi rst\n\nsecond"]


def test_alto_without_spaces_between_words(tmp_path):
    (with_image(tmp_path) / "leaf.xml").write_text(ALTO, encoding="utf-8")
    assert labelled(tmp_path, "alto")[0] == ["two Wör-\nter, so"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no leaf.xml in PAGE XML"),
        (ALTO, "there is no leaf.xml in PAGE XML"),
        ("<PcGts", "not sound XML"),
        (PAGE.replace("second", " "), "1 of 2 lines without text"),
        ("<PcGts><Page/></PcGts>", "has no lines of text"),
    ],
)
def test_what_is_not_a_whole_transcription_is_left_out(content, reason, tmp_path):
    with_image(tmp_path)
    if content:
        (tmp_path / "leaf.xml").write_text(content, encoding="utf-8")
    texts, run = labelled(tmp_path, "page")
    assert not texts and reason in run.left_out[0].reason
    assert len(find_pages(tmp_path)) == 1
