"""What a leg found, by columns, reads as a list of documents."""

from hypothesis import given
from hypothesis import strategies as st

from services.recall.domain import Found
from services.recall.legs.found import FoundColumns

_FOUND = st.lists(
    st.tuples(st.text(max_size=3), st.floats(-1, 1), st.integers(0, 9)).map(
        lambda one: Found(one[0], one[1], version=one[2])
    ),
    max_size=6,
)


@given(_FOUND, st.integers(-7, 7), st.slices(7))
def test_it_reads_as_the_list_of_its_documents(found: list[Found], at: int, part: slice) -> None:
    columns = FoundColumns.of(found)
    assert FoundColumns.of(columns) is columns
    assert list(columns) == found
    assert len(columns) == len(found)
    assert list(columns[part]) == found[part]
    if -len(found) <= at < len(found):
        assert columns[at] == found[at]
