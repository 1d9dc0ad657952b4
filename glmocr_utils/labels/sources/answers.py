"""A large model's answer → the text of the page, without anything around it.

Models think aloud, put the text into a fence or a box, announce it and offer further help. Each of
these is known by its structure and its words together, since a page may print such words itself:
"Here is the list of names:" stays. The label keeps the whole answer as `raw_text`.
"""

import re

FENCE = "```"
MAX_REFUSAL_CHARACTERS = 600  # of an answer that is a refusal; a page is longer
MAX_PREAMBLE_CHARACTERS = 200

THOUGHT_TAGS = r"think|thinking|thought|reasoning"
THOUGHT = re.compile(rf"<({THOUGHT_TAGS})>.*?</\1>|◁think▷.*?◁/think▷", re.DOTALL)
OPEN_THOUGHT = re.compile(rf"<(?:{THOUGHT_TAGS})>|◁think▷")
# The chat template of some models ends in the opening tag, so that only the closing one is written.
CLOSED_THOUGHT = re.compile(rf".*?(?:</(?:{THOUGHT_TAGS})>|◁/think▷)", re.DOTALL)
ANSWER = re.compile(r"<answer>\s*(.*?)\s*(?:</answer>)?", re.DOTALL)
BOX = re.compile(r"<\|begin_of_box\|>(.*?)<\|end_of_box\|>", re.DOTALL)
BOX_MARK = re.compile(r"<\|(?:begin|end)_of_box\|>")
TURN_END = re.compile(r"\s*(?:<\|(?:user|assistant|im_end|endoftext|eot_id|end)\|>|</s>)\s*\Z")
RULE = re.compile(r"\s*(?:-{3,}|\*{3,}|_{3,})\s*")

IMAGE = r"(?:image|page|picture|photo|photograph|scan|document|screenshot|file)"
BILD = r"(?:Bild\w*|Seite|Scans?|Dokuments?|Foto\w*)"
TEXT_NOUN = rf"""(?:
    (?:\w+\ ){{0,3}}transcri(?:pt|ption|bed)\b.*
  | (?:\w+\ ){{0,2}}(?:text|contents?)
        (?:\ (?:\w+\ ){{0,3}}(?:of|in|on|from|within)\ (?:\w+\ ){{0,2}}{IMAGE}.*)?
)"""
# A line that announces the text; it has to end in a colon.
PREAMBLE = re.compile(
    rf"""[\s*_#]*(?:
        (?:(?:sure|certainly|of\ course|absolutely|okay|ok|yes)[,.!]?\ )?
        (?:here(?:\ is|'s|’s|\ are)|below\ is|this\ is|the\ following\ is)\ {TEXT_NOUN}
      | (?:[*_]{{2}}|\#+\ ?)(?:full\ )?(?:transcription|transcribed\ text|transcript)
      | (?:gerne[,.!]?\ |natürlich[,.!]?\ )?(?:hier|nachfolgend|im\ folgenden)
        \ (?:ist|finden\ sie|folgt)\ .*
        (?:transkri\w+.*|(?:text|inhalt)\ (?:der|des|auf\ der|auf\ dem|aus\ dem|vom|von)\ (?:\w+\ )?
        {BILD}.*)
      | (?:bien\ sûr[,.!]?\ )?voici\ .*(?:transcription.*|
        (?:texte|contenu)\ .*(?:image|page|document|photo).*)
      | (?:claro[,.!]?\ )?aquí\ (?:está|tienes|tiene)\ .*(?:transcripción.*|
        (?:texto|contenido)\ .*(?:imagen|página|documento).*)
      | (?:certo[,.!]?\ )?ecco\ .*(?:trascrizione.*|
        (?:testo|contenuto)\ .*(?:immagine|pagina|documento).*)
      | (?:claro[,.!]?\ )?aqui\ está\ .*(?:transcrição.*|
        (?:texto|conteúdo)\ .*(?:imagem|página|documento).*)
      | (?:好的[，,。]?)?(?:以下|这|下面|這)(?:是|为|為).*
        (?:转录|轉錄|转写|识别|文字|文本|内容|內容).*
      | вот\ .*(?:транскрипция|расшифровка|текст\ .*(?:изображени|страниц|документ)).*
    )\s*[:：][\s*_]*""",
    re.IGNORECASE | re.VERBOSE,
)
HELP = r"""(?:transcri|translat|assist|further|anything\ else|question|adjust|clarif|format
    |another\ (?:page|image))"""
# A last paragraph that offers help or comments on the transcription.
CLOSING = re.compile(
    rf"""[\s*_(\[>]*(?:
        (?:please\ )?(?:let\ me\ know|feel\ free)\b.*{HELP}.*
      | (?:i\ hope|hope)\ (?:this|that|the\ transcription)\b.*(?:help|useful|transcri).*
      | (?:is\ there\ anything\ else|would\ you\ like\ me\ to)\b.*
      | if\ you\ (?:need|have|want|would|'d)\b.*(?:let\ me\ know|feel\ free|happy\ to|glad\ to).*
      | (?:please\ )?note\b.*(?:transcri|illegib|legib|blurr).*
      | (?:this|the)\ transcription\b.*(?:preserve|maintain|reproduc|keep|include|follow).*
      | end\ of\ (?:the\ )?transcri.*
      | (?:lassen\ sie\ mich\ wissen|sagen\ sie\ (?:mir\ )?bescheid|wenn\ sie\ (?:weitere|noch))\b.*
      | (?:hinweis|anmerkung)\b.*transkri.*
      | n['’]hésitez\ pas\b.*(?:aide|question|besoin).*
      | (?:espero\ que|si\ necesitas|no\ dudes\ en)\b.*(?:ayuda|útil|preguntar).*
      | (?:如果您?|若您?|希望).*(?:需要|帮助|幫助|告诉我|告訴我).*
    )""",
    re.IGNORECASE | re.VERBOSE,
)
DO = r"""(?:help|assist|transcri|process|provide|comply|fulfil|read|view|see|access|extract|identify
    |do\ (?:that|this)|complete|continue|reproduce|share|analy[sz]e|recogni[sz]e)"""
REFUSAL = re.compile(
    rf"""[\s*_]*(?:
        (?:(?:i['’]?m|i\ am)\ (?:very\ |so\ )?sorry|sorry|apologies|i\ apologi[sz]e|unfortunately)
            \b[^.]*\b(?:can['’]?t|can\ ?not|unable|not\ able|won['’]?t)\b.*{DO}.*
      | i\ (?:can['’]?t|can\ ?not|am\ unable\ to|am\ not\ able\ to|won['’]?t)\ {DO}.*
      | i['’]m\ (?:unable|not\ able)\ to\ {DO}.*
      | as\ an\ ai\b.*
      | (?:es\ tut\ mir\ leid|tut\ mir\ leid|entschuldigung|leider)\b.*\bich\b.*(?:nicht|keine).*
      | (?:es\ tut\ mir\ leid|leider)\b.*\bkann\ ich\b.*
      | ich\ kann\b.*\bnicht\ (?:helfen|transkribieren|lesen|bearbeiten|verarbeiten).*
      | (?:je\ suis\ )?désolée?\b.*\bje\ (?:ne|n['’]).*
      | je\ ne\ (?:peux|suis)\ pas\b.*(?:aider|transcri|traiter|lire|mesure).*
      | (?:lo\ siento|lamentablemente|disculp\w+)\b.*\bno\ (?:puedo|es\ posible).*
      | (?:mi\ dispiace|purtroppo)\b.*\bnon\ (?:posso|sono).*
      | (?:desculpe|sinto\ muito|lamento|infelizmente)\b.*\bnão\ (?:posso|consigo).*
      | (?:很|非常)?(?:抱歉|对不起|對不起|遗憾).*(?:无法|無法|不能|没法).*
      | 我(?:无法|無法|不能)(?:提供|处理|處理|识别|識別|转录|協助|协助|帮助).*
      | 申し訳.*(?:できません|ません).*
      | 죄송.*(?:없습니다|못).*
      | (?:извините|к\ сожалению|простите)\b.*\bне\ могу.*
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
NO_TEXT = re.compile(
    rf"""[\s*_(\[]*(?:
        (?:the|this)\ (?:provided\ |given\ |uploaded\ )?{IMAGE}\ (?:is|appears|seems)\ (?:to\ be\ )?
            (?:completely\ |entirely\ |just\ )?
            (?:blank|empty|white|illegible|unreadable|too\ blurry).*
      | (?:there\ is|there['’]s|there\ appears\ to\ be|i\ see)
            \ no\ (?:visible\ |readable\ |legible\ )?text.*
      | no\ (?:visible\ |readable\ |legible\ )?text\ (?:is\ |was\ )?
            (?:visible|found|detected|present|in\ the\ {IMAGE}).*
      | (?:blank|empty)\ (?:page|image)
    )[\s*_)\].]*""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def page_text(answer: str) -> str:
    """The text of the page in a model's answer.

    Raises:
        ValueError: the answer has none: it is a thought without an end, refuses, or describes the
            page. The message says which.
    """
    text = _unboxed(_without_thought(answer))
    while TURN_END.search(text):
        text = TURN_END.sub("", text)
    _check_that_it_is_a_text(text)
    text = _without_chatter(text)
    if not text.strip():
        raise ValueError("the answer has no text beside a thought, an announcement or a fence")
    _check_that_it_is_a_text(text)
    return text


def _without_thought(answer: str) -> str:
    begun = answer.lstrip()
    if thought := THOUGHT.match(begun):
        return _without_thought(begun[thought.end() :]).lstrip("\n")
    if OPEN_THOUGHT.match(begun):
        raise ValueError("the answer is a thought without an end; raise the endpoint's token limit")
    opened = OPEN_THOUGHT.search(begun)
    closed = CLOSED_THOUGHT.match(begun)
    if closed and not (opened and opened.start() < closed.end()):
        return begun[closed.end() :].lstrip("\n")
    return answer


def _unboxed(text: str) -> str:
    """Without `<answer>` around it and without GLM's box marks; a box that is the answer alone."""
    if whole := ANSWER.fullmatch(text.strip()):
        text = whole[1]
    boxes = BOX.findall(text)
    if len(boxes) == 1 and len(boxes[0]) > len(BOX.sub("", text)):
        return boxes[0]
    return BOX_MARK.sub("", text)


def _check_that_it_is_a_text(text: str) -> None:
    said = text.strip()
    if len(said) > MAX_REFUSAL_CHARACTERS:
        return
    if REFUSAL.fullmatch(said):
        raise ValueError(f"the model refused: {said[:120]!r}; ask another model for this page")
    if NO_TEXT.fullmatch(said):
        raise ValueError(
            f"the answer describes the page instead of giving its text: {said[:120]!r}"
        )


def _without_chatter(text: str) -> str:
    """Without what announces the text and what follows it, and without a fence around it."""
    paragraphs = text.strip("\n").split("\n")
    lines = _after_preamble(paragraphs)
    announced = len(lines) < len(paragraphs)
    body = _before_closing(lines)
    fenced = _in_fence(body)
    if fenced is not None:
        return "\n".join(fenced)
    if announced or len(body) < len(lines):
        return "\n".join(_without_rules(body))
    return text


def _after_preamble(lines: list[str]) -> list[str]:
    """The lines below an announcement; it ends in a colon, before a blank line, rule or fence."""
    if len(lines) < 2 or len(lines[0]) > MAX_PREAMBLE_CHARACTERS:
        return lines
    below = lines[1].strip()
    set_apart = not below or below.startswith(FENCE) or RULE.fullmatch(below)
    return _stripped(lines[1:]) if set_apart and PREAMBLE.fullmatch(lines[0]) else lines


def _before_closing(lines: list[str]) -> list[str]:
    """The lines above the last paragraphs that offer help."""
    lines = _stripped(lines)
    blank = [number for number, line in enumerate(lines) if not line.strip()]
    if blank and CLOSING.fullmatch(" ".join(lines[blank[-1] + 1 :])):
        return _before_closing(lines[: blank[-1]])
    return lines


def _in_fence(lines: list[str]) -> list[str] | None:
    """What the fence around all lines has in it; None where there is no such fence."""
    if len(lines) < 2 or not lines[0].startswith(FENCE):
        return None
    closed = lines[-1].strip() == FENCE
    inner = lines[1:-1] if closed else lines[1:]
    return None if any(FENCE in line for line in inner) else inner


def _without_rules(lines: list[str]) -> list[str]:
    """Without the rules that part the text from what is said about it."""
    lines = _stripped(lines)
    if lines and RULE.fullmatch(lines[0]):
        lines = lines[1:]
    if lines and RULE.fullmatch(lines[-1]):
        lines = lines[:-1]
    return _stripped(lines)


def _stripped(lines: list[str]) -> list[str]:
    """Without blank lines at either end."""
    kept = [number for number, line in enumerate(lines) if line.strip()]
    return lines[kept[0] : kept[-1] + 1] if kept else []
