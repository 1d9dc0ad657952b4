"""What a large model says beside the text of a page, and pages that print such words themselves."""

import pytest

from glmocr_utils.labels.sources.answers import page_text

PAGE = "Decree of the council\n\nof 3 May, on the price of bread."


@pytest.mark.parametrize(
    "answer",
    [
        f"<think>The page has two lines.\n\nLet me see.</think>\n{PAGE}",
        f"<think></think>{PAGE}",
        f"The page has two lines.</think>\n\n{PAGE}",
        f"<thinking>so</thinking><answer>{PAGE}</answer>",
        f"◁think▷so◁/think▷{PAGE}",
        f"<|begin_of_box|>{PAGE}<|end_of_box|>",
        f"The text is:\n<|begin_of_box|>{PAGE}<|end_of_box|>",
        f"{PAGE}<|im_end|>",
        f"Here is the transcription:\n\n{PAGE}",
        f"Sure! Here's the transcribed text from the image:\n\n{PAGE}",
        f"**Here is the text of the page:**\n\n{PAGE}",
        f"Here is the exact transcription of the page as printed:\n```text\n{PAGE}\n```",
        f"Here is the transcription:\n\n---\n\n{PAGE}\n\n---\n\nLet me know if you need any "
        "changes to the format!",
        f"**Transcription:**\n\n{PAGE}",
        f"Hier ist die Transkription der Seite:\n\n{PAGE}",
        f"Voici la transcription :\n\n{PAGE}",
        f"Aquí está el texto de la imagen:\n\n{PAGE}",
        f"Ecco la trascrizione della pagina:\n\n{PAGE}",
        f"以下是图片中的文字：\n\n{PAGE}",
        f"{PAGE}\n\nLet me know if you need further assistance with this document.",
        f"{PAGE}\n\nI hope this transcription helps! Is there anything else?",
        f"{PAGE}\n\n(Note: some words are illegible in the scan.)",
        f"```\n{PAGE}\n```\n\nFeel free to ask if you have questions.",
        f"```markdown\n{PAGE}",
    ],
)
def test_what_is_said_beside_the_text_is_taken_off(answer):
    assert page_text(answer) == PAGE


@pytest.mark.parametrize(
    "page",
    [
        PAGE,
        "Here is the list of names:\n\nAnna\nBerta",
        "Here is the text of the treaty:\n\nArticle 1. Peace.",
        "Here is the transcription: it hangs beside the door.\n\nLine two.",
        "Here is the transcription:\nof a deed that was lost",
        "Here is the house that Jack built.",
        "The following is the law:\n\n1. Nobody may bake.",
        "Dear Anna,\n\nplease let me know if you can come.\n\nYours, Berta",
        "Dear Anna,\n\nplease let me know if you can come.",
        "Note: the prices are in shillings.\n\nNote: no bread on Sundays.",
        "I'm sorry, I can't come tonight, she said.",
        "Unfortunately the king was ill.",
        "Sorry",
        "This page intentionally left blank",
        "The page is turned by the wind.",
        "The prompt begins with <think> and ends with </think>.",
        "---\nA rule above\n---",
        "line\n```\ncode\n```",
        "```a\n```\ntext\n```b\n```",
        "Leider regnete es.",
    ],
)
def test_a_page_that_prints_such_words_stays_whole(page):
    assert page_text(page) == page


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("I'm sorry, I can't assist with that request.", "refused"),
        ("I'm sorry, but I cannot transcribe this document.", "refused"),
        ("I’m unable to read the text in this image.", "refused"),
        ("Sorry, I can’t help with identifying people.", "refused"),
        ("Unfortunately, I am not able to process images.", "refused"),
        ("As an AI language model, I do not see images.", "refused"),
        ("Es tut mir leid, aber ich kann diese Seite nicht transkribieren.", "refused"),
        ("Leider kann ich dabei nicht helfen.", "refused"),
        ("Désolé, je ne peux pas vous aider.", "refused"),
        ("Lo siento, pero no puedo ayudar con eso.", "refused"),
        ("Mi dispiace, ma non posso aiutarti.", "refused"),
        ("Desculpe, mas não posso ajudar com isso.", "refused"),
        ("抱歉，我无法处理这张图片。", "refused"),
        ("申し訳ありませんが、お手伝いできません。", "refused"),
        ("죄송하지만 도와드릴 수 없습니다.", "refused"),
        ("К сожалению, я не могу помочь с этим.", "refused"),
        ("<think>no</think>I'm sorry, but I can't help with that.", "refused"),
        ("```\nI'm sorry, but I can't help with that.\n```", "refused"),
        ("The image appears to be blank.", "describes the page"),
        ("There is no visible text in the image.", "describes the page"),
        ("[blank page]", "describes the page"),
        ("<think>The page has many lines, and", "thought without an end"),
        ("<think>nothing</think>\n", "no text"),
        ("```\n```", "no text"),
        ("<|begin_of_box|><|end_of_box|>", "no text"),
    ],
)
def test_an_answer_without_text_is_refused_with_the_reason(answer, said):
    with pytest.raises(ValueError, match=said):
        page_text(answer)
