"""How long lists are cut for the models."""

from services.gateway.compatible.texts import portions


def test_all_texts_in_their_order() -> None:
    texts = [str(number) * 50 for number in range(1000)]
    cut = list(portions(texts))
    assert [text for portion in cut for text in portion] == texts
    assert len(cut) > 1
    assert all(sum(map(len, portion)) <= 1_500 for portion in cut)


def test_what_the_models_do_not_read_does_not_count() -> None:
    assert [len(portion) for portion in portions(["长" * 100_000] * 5)] == [2, 2, 1]


def test_a_query_counts_with_each_text() -> None:
    assert len(list(portions(["a"] * 100, "问" * 399))) == 34
    assert list(portions([])) == []
