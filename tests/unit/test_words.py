"""A page's tokens in its text: words, and what the page says with another token."""

from dataclasses import replace

import pytest
from bpe_readings import bpe_readings
from make_results import page_of

from glmocr_utils.confidence import PageTokens, words_of_tokens
from glmocr_utils.markup import ink
from glmocr_utils.records import Alternative


class TestWords:
    def words(self, *texts: str) -> list[str]:
        result = page_of(*((text, 0.9) for text in texts))
        return [
            "".join(result.tokens[index].text for index in word) for word in words_of_tokens(result)
        ]

    def test_white_space_separates_words(self):
        assert self.words("a", "b", " ", "c", "\n", "\n", "d") == ["ab", "c", "d"]

    def test_tokens_may_begin_or_end_with_white_space(self):
        assert self.words("The", " qu", "ick", " fox. ", "It") == ["The", " quick", " fox. ", "It"]

    def test_a_token_that_reaches_into_two_words_is_in_both(self):
        assert self.words("a", "b c", "d") == ["ab c", "b cd"]

    def test_bytes_of_a_character_go_with_it(self):
        assert self.words("", "ü", "b", " ", "", "ä") == ["üb", "ä"]

    def test_markup_ends_words_and_is_none(self):
        assert self.words("<td", ">1", "2</", "td", "><", "td>", "x") == [">12</", "x"]

    @pytest.mark.parametrize("result", bpe_readings(), ids=lambda result: result.text[:9])
    def test_each_token_with_ink_is_in_a_word(self, result):
        has_ink, tokens = ink(result.text), PageTokens(result)
        inked = {n for n, (start, stop) in enumerate(tokens.spans) if any(has_ink[start:stop])}
        assert {index for word in words_of_tokens(result) for index in word} == inked


class TestChoices:
    """What a page says with another token."""

    def words(self, index: int, *tokens: tuple) -> list[tuple[str, str]]:
        choices = PageTokens(page_of(*tokens)).choices(index)
        return [(choice.before, choice.after) for choice in choices]

    def test_a_word_with_another_token(self):
        tokens = (("the ", 1.0), ("c", 0.9), ("a", 0.4, {"o": 0.3, "": 0.1}), ("t on", 0.9))
        assert self.words(2, *tokens) == [("cat", "cot"), ("cat", "ct")]

    def test_a_tokens_own_space_belongs_to_it(self):
        others = {" by": 0.3, "by": 0.1, "\nby": 0.1}
        tokens = (("Served", 1.0), (" bx", 0.4, others), (" K.", 1.0))
        assert self.words(1, *tokens) == [
            ("bx", "by"),
            ("Served bx", "Servedby"),
            ("Served bx", "Served\nby"),
        ]

    def test_line_ends_in_a_token(self):
        tokens = (("end", 1.0), (".\n\n", 0.4, {".": 0.3, ",\n\n": 0.2, ".\n": 0.1}), ("New", 1.0))
        assert self.words(1, *tokens) == [
            ("end.\n\nNew", "end.New"),
            ("end.", "end,"),
            ("\nNew", "New"),
        ]

    def test_a_change_in_markup_shows_the_tag(self):
        tokens = (("a</", 1.0), ("td", 0.5, {"th": 0.4}), ("><td>b", 1.0))
        assert self.words(1, *tokens) == [("</td>", "</th>")]

    def test_what_spells_no_text_is_not_a_choice(self):
        others = {"x": 0.3, "<|user|>": 0.2, "</think>": 0.1, "\ufffd": 0.1, "a": 0.1}
        assert self.words(0, ("a", 0.2, others)) == [("a", "x")]

    def test_part_of_a_character_has_no_choice_unless_the_rest_is_known(self):
        first, last = ("", 0.5, {"u": 0.4}), ("ü", 0.5, {"x": 0.4})
        assert self.words(0, first, last) == []
        assert self.words(1, first, last) == []  # as older results have it: `x` alone
        tokens = PageTokens(page_of(first, last)).result.tokens
        own = (Alternative(tokens[1].token_id, "ü", -0.7), Alternative(9, "ä", -1.0))
        known = replace(
            page_of(first, last), tokens=(tokens[0], replace(tokens[1], alternatives=own))
        )
        assert [choice.after for choice in PageTokens(known).choices(1)] == ["ä"]

    def test_a_token_without_the_space_at_its_end_is_layout(self):
        others = {".": 0.3, ".\n": 0.1, ",": 0.1}
        tokens = PageTokens(page_of(("end", 1.0), (".\n\n", 0.4, others), ("New", 1.0)))
        assert [tokens.is_layout(choice) for choice in tokens.choices(1)] == [True, True, False]

    def test_a_change_of_layout_is_distinguished_from_one_of_text(self):
        result = page_of(
            ("a-", 1.0), ("\n", 0.4, {" ": 0.2, "\n\n": 0.1, "x": 0.1}), ("b.", 0.5, {"b.\n": 0.3})
        )
        tokens = PageTokens(result)
        layout = [tokens.is_layout(choice) for index in (1, 2) for choice in tokens.choices(index)]
        assert layout == [True, True, False, True]
        assert not tokens.is_layout(
            PageTokens(page_of(("a", 1.0), (" b", 0.5, {"b": 0.4}))).choices(1)[0]
        )
