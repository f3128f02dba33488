from collections import Counter

from helpers.models.training.glossary import ASPECTS, load_glossary


def test_there_are_enough_terms_and_no_name_means_two() -> None:
    terms = load_glossary()
    assert len(terms) >= 150
    names = Counter(name.lower() for term in terms for name in (term.name, *term.aliases))
    assert [name for name, count in names.items() if count > 1] == []


def test_sentences_are_short_name_their_term_and_hold_their_key() -> None:
    for term in load_glossary():
        assert len(set(term.sentences.values())) == 3
        for aspect in ASPECTS:
            sentence = term.sentences[aspect]
            assert term.name.lower() in sentence.lower(), sentence
            assert term.keys[aspect] in sentence, sentence
            assert sentence.isascii()
            assert sentence.endswith(".")
            assert 10 <= len(sentence.split()) <= 26, sentence


def test_what_begins_with_the_term_so_that_it_can_be_asked_for() -> None:
    for term in load_glossary():
        starts = [f"{article}{term.name}".lower() for article in ("", "a ", "an ", "the ")]
        assert term.sentences["what"].lower().startswith(tuple(starts))


def test_no_sentence_stands_twice() -> None:
    sentences = [term.sentences[aspect] for term in load_glossary() for aspect in ASPECTS]
    assert len(set(sentences)) == len(sentences)
