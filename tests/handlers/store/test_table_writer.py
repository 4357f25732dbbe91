"""A batch of messages as Python objects, or as the JSON they came as: rows, an outcome for each, and what goes again."""

from collections import namedtuple
from dataclasses import dataclass

import msgspec
import pytest

from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.batching.batch_run import BatchRun
from millstream.handlers.store import ClickHouseTable, DataError, QueryError, StoreUnavailable, UnknownOutcome
from millstream.handlers.testing import FakeStore
from millstream.router import Assignment, ConfigurationError, HaltedError, Message, MessageRun, TransientError
from tests.handlers.batching.batching_aids import is_whole

COLUMNS = ["id", "kind"]
NAME = "`shop`.`things`"


class PickyStore(FakeStore):
    """A store whose blocks take no row with an id among *unfit*, and whose table refuses those of the kind "bad"."""

    def __init__(self, *unfit):
        super().__init__()
        self.add_table("shop", "things", COLUMNS)
        self.refuse_lines(lambda line: b'"bad"' in line)
        self.unfit = set(unfit)
        self.blocks = []

    def make_block(self, table, columns, rows):
        """Make the block, unless a row is unfit."""
        self.blocks.append([row[0] for row in rows])
        if self.unfit.intersection(self.blocks[-1]):
            raise DataError("column `id` is UInt8, and this int does not fit")
        return super().make_block(table, columns, rows)


def table_in(store, columns=COLUMNS):
    """The table."""
    return ClickHouseTable(store, database="shop", table="things", columns=columns)


def batch_of(*items):
    """A batch of messages with these items."""
    return Batch(BatchMessage(Message(b"", uuid=str(place)), item) for place, item in enumerate(items))


def payloads(*lines):
    """A batch of messages with these payloads, of a run that nobody has looked into; and the run."""
    run = MessageRun(list(lines), Assignment("t", 0), 0, len(lines) - 1)
    return Batch([BatchRun(run, run.payloads)]), run


def item_of(each):
    """Encode a message as what its item is."""
    return each.item


def ids(store):
    """The ids of the stored rows, in their order."""
    return [msgspec.json.decode(line)["id"] for line in store.rows()]


class Struct(msgspec.Struct):
    """A row, whose attributes have an order of their own."""

    kind: str
    id: int
    more: int = 0


@dataclass
class Data:
    """Another."""

    kind: str
    id: int


Named = namedtuple("Named", ["kind", "id"])


@pytest.mark.parametrize(
    "row",
    [(7, "k"), {"kind": "k", "id": 7, "more": 1}, Struct("k", 7), Data("k", 7), Named("k", 7)],
    ids=["tuple", "dict", "struct", "dataclass", "named tuple"],
)
def test_a_row_is_told_by_the_order_of_the_columns_or_by_their_names(row):
    """A tuple whose values have names goes by these; what is no column is left out."""
    store, batch = PickyStore(), batch_of(row)
    result = table_in(store).writer(item_of)(batch)

    assert store.rows() == [b'{"id":7,"kind":"k"}']
    assert (list(result.done), result.failures) == ([0], {})
    assert [insert.token for insert in store.inserts] == [batch.token]


def test_a_table_of_one_column_takes_all_of_them():
    """Its rows are rows as well."""
    store = PickyStore()
    result = table_in(store, ["id"]).writer(item_of)(batch_of((1,), {"id": 2}, Struct("k", 3)))

    assert (list(result.done), ids(store)) == ([0, 1, 2], [1, 2, 3])


def test_several_rows_of_a_message_are_stored_together_or_not_at_all():
    """One that is refused takes the others of its message with it, and no neighbour's."""
    store = PickyStore()
    result = table_in(store).writer(item_of)(batch_of([(1, "a"), (2, "a")], [(3, "a"), (4, "bad")], (5, "a")))

    assert (list(result.done), list(result.failures), sorted(ids(store))) == ([0, 2], [1], [1, 2, 5])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((1,), "its row has 1 values for 2 columns"),
        ({"id": 1}, "its row has no value for column `kind`"),
        (Message(b""), "its row has no value for column `id`"),
        ([], "it is encoded to no row"),
        ([(1, "a"), (1,)], "its row has 1 values for 2 columns"),
    ],
    ids=["short tuple", "short dict", "other object", "no row", "short row"],
)
def test_what_is_not_all_of_a_row_refuses_its_message_alone(row, said):
    """Nothing is made up for what is missing."""
    store = PickyStore()
    result = table_in(store).writer(item_of)(batch_of((1, "a"), row, (2, "a")))

    assert (list(result.done), ids(store)) == ([0, 2], [1, 2])
    assert said in str(result.failures[1])


@pytest.mark.parametrize("row", [None, b"{}", "{}", 1], ids=["None", "bytes", "text", "number"])
def test_what_is_no_row_at_all_is_the_programs_fault(row):
    """Nobody's message is refused for it."""
    store = PickyStore()
    with pytest.raises(HaltedError, match="encode must return a tuple, a dict or an object"):
        table_in(store).writer(item_of)(batch_of((1, "a"), row))

    assert store.inserts == []


def test_a_message_whose_encoder_raises_is_refused_with_that_error():
    """And so is what fits no column, which costs no INSERT; the others are stored by one."""
    store, number = PickyStore(3, 4, 9), iter(range(10))

    def encode(each):
        if each.item == 6:
            raise ValueError("odd")
        return (each.item, "a")

    result = table_in(store).writer(encode)(batch_of(*number))

    assert {place: str(error) for place, error in result.failures.items()} == {
        6: "odd",
        **dict.fromkeys([3, 4, 9], "column `id` is UInt8, and this int does not fit"),
    }
    assert (list(result.done), ids(store), len(store.inserts)) == ([0, 1, 2, 5, 7, 8], [0, 1, 2, 5, 7, 8], 1)


def test_a_batch_of_which_nothing_fits_sends_nothing():
    """All of it is refused."""
    store = PickyStore(0, 1)
    result = table_in(store).writer(item_of)(batch_of((0, "a"), (1, "a")))

    assert (sorted(result.failures), store.inserts) == ([0, 1], [])


@pytest.mark.parametrize("error", [TransientError("away"), ConnectionError("gone"), ConfigurationError("wrong")])
def test_an_error_of_the_surroundings_refuses_no_message(error):
    """It passes through, and the batch comes again."""
    store, batch = PickyStore(), batch_of((1, "a"))

    def fail(each):
        raise error

    with pytest.raises(type(error)):
        table_in(store).writer(fail)(batch)
    assert list(table_in(store).writer(item_of)(batch).done) == [0]


def test_a_store_that_cannot_be_asked_for_the_types_refuses_no_message():
    """The rows are made again once it is back."""

    class Away(PickyStore):
        def make_block(self, table, columns, rows):
            raise StoreUnavailable("away")

    batch = batch_of((1, "a"))
    with pytest.raises(StoreUnavailable):
        table_in(Away()).writer(item_of)(batch)
    assert batch.plans == {}
    assert list(table_in(PickyStore()).writer(item_of)(batch).done) == [0]


def test_the_types_are_asked_for_anew_before_anybody_is_refused_and_once_a_batch():
    """A column may have been altered since."""

    class Altered(PickyStore):
        def make_block(self, table, columns, rows):
            if not rows:
                self.unfit = {2}
            return super().make_block(table, columns, rows)

    store = Altered(1, 2, 3)
    result = table_in(store).writer(item_of)(batch_of((1, "a"), (2, "a"), (3, "a")))

    assert (list(result.done), ids(store), store.blocks.count([])) == ([0, 2], [1, 3], 1)


def test_a_block_that_a_table_takes_no_more_is_made_anew_before_a_row_is_to_blame():
    """A column was altered, and the engine cannot make the new type of the old one; the second time it is the row's fault."""
    store, batch = PickyStore(), batch_of((1, "a"))
    writer = table_in(store).writer(item_of)
    store.fail_next(DataError("Type mismatch", code=53), None, DataError("Type mismatch", code=53))
    with pytest.raises(StoreUnavailable, match="a column has another type than it had: Type mismatch"):
        writer(batch)

    assert (list(writer(batch).done), ids(store), store.blocks) == ([0], [1], [[1], [], [1]])
    other = batch_of((2, "a"))
    with pytest.raises(StoreUnavailable):
        writer(other)
    store.fail_next(DataError("Type mismatch", code=53))
    assert list(writer(other).failures) == [0]


def test_what_the_table_refuses_is_found_and_the_others_are_stored():
    """By three INSERTs for one bad row, as with lines; the reason is the store's."""
    store = PickyStore()
    result = table_in(store).writer(item_of)(batch_of(*((number, "a") for number in range(9)), (9, "bad"), (10, "a")))

    assert (list(result.failures), str(result.failures[9])) == ([9], "refused as scripted [ClickHouse code 469]")
    assert sorted(ids(store)) == [*range(9), 10]
    assert len(store.inserts) == 4


@pytest.mark.parametrize("error", [StoreUnavailable("away"), UnknownOutcome("no answer")])
def test_after_an_error_the_same_bytes_go_again_under_the_same_token(error):
    """Whatever has become of the table: neither the rows nor their block are made again."""
    store, batch, calls = PickyStore(), batch_of((1, "a"), (2, "a")), []

    def encode(each):
        calls.append(each)
        return each.item

    writer = table_in(store).writer(encode)
    store.fail_next_after_storing(error)
    with pytest.raises(type(error)):
        writer(batch)
    store.unfit = {1, 2}
    result = writer(batch)

    assert (list(result.done), ids(store), len(calls), len(store.blocks)) == ([0, 1], [1, 2], 2, 1)
    assert {insert.token for insert in store.inserts} == {batch.token}


def test_rows_that_fit_alone_and_not_beside_each_other_go_by_themselves():
    """The driver judges a value by the first of its column: nobody is refused for that."""

    class Mixed(PickyStore):
        def make_block(self, table, columns, rows):
            if len({type(row[0]) for row in rows}) > 1:
                raise DataError("column `id`: a value does not fit")
            return super().make_block(table, columns, rows)

    store = Mixed()
    result = table_in(store).writer(item_of)(batch_of((1, "a"), ("x", "a"), (2, "a"), ("y", "a")))

    assert (list(result.done), result.failures) == ([0, 1, 2, 3], {})
    assert [sorted(insert.lines) for insert in store.inserts] == [
        [b'{"id":1,"kind":"a"}', b'{"id":2,"kind":"a"}'],
        [b'{"id":"x","kind":"a"}', b'{"id":"y","kind":"a"}'],
    ]


def test_one_row_for_many_messages_is_no_mistake():
    """A block is known again by its rows, not by what they say."""
    store, same = PickyStore(), (1, "a")
    store.refuse_lines(lambda line: b'"id":2' in line, names_row=False)
    result = table_in(store).writer(item_of)(batch_of(same, same, (2, "a"), same, (3, "a"), same))

    assert (list(result.failures), sorted(ids(store))) == ([2], [1, 1, 1, 1, 3])


def test_an_encoder_that_cannot_be_called_is_told_where_it_is_given():
    """Not by the first batch."""
    with pytest.raises(ConfigurationError, match="encode is 7: pass a function"):
        table_in(PickyStore()).writer(7)


@pytest.mark.parametrize("encode", [None, item_of], ids=["raw", "objects"])
@pytest.mark.parametrize(
    ("columns", "error", "said"),
    [(["id", "sort"], ConfigurationError, "has no column `sort`; it has id, kind"), (None, QueryError, "things")],
    ids=["no such column", "no such table"],
)
def test_a_table_that_takes_nothing_is_told_at_the_start(encode, columns, error, said):
    """As `prepare` does."""
    store = PickyStore()
    if columns is None:
        store.answers.clear()
    with pytest.raises(error, match=said):
        table_in(store, columns or COLUMNS).writer(encode).prepare()


def test_lines_go_into_the_store_as_they_came():
    """Nobody looks at a message for it."""
    store = PickyStore()
    batch, run = payloads(b'{"id":1}', b' {"id": 2}\n', b'{\n"id":3}')
    result = table_in(store).writer()(batch)

    assert store.inserts[0].lines == (b'{"id":1}', b'{"id": 2}', b'{\n"id":3}')
    assert (list(result.done), is_whole(run)) == ([0, 1, 2], True)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "its payload is no JSON"),
        (b"odd", "its payload is no JSON"),
        (b'{"id":1', "its payload is no JSON"),
        (b'{"id":1}{"id":2}', "its payload is no JSON"),
        (b'{"id":1}\n{"id":2}', "its payload is no JSON"),
        (b'{"id":"a\nb"}', "its payload is no JSON"),
        (b"[1]", "its payload is no JSON object"),
        (b"7", "its payload is no JSON object"),
    ],
    ids=["empty", "no JSON", "cut off", "two", "two lines", "line break in a text", "list", "number"],
)
def test_a_payload_that_is_no_json_object_is_refused_by_itself(payload, said):
    """Its neighbours are stored."""
    store = PickyStore()
    batch, _ = payloads(b'{"id":1}', payload, b'{"id":3}')
    result = table_in(store).writer()(batch)

    assert (list(result.done), ids(store)) == ([0, 2], [1, 3])
    assert str(result.failures[1]).startswith(said)


def test_two_halves_of_an_object_are_no_row():
    """A store that reads one after the other would make one of them."""
    store = PickyStore()
    batch, _ = payloads(b'{"id":1,', b'"kind":"a"}', b'{"id":3}{"id":4}', b'{"id":5}')
    result = table_in(store).writer()(batch)

    assert (sorted(result.failures), list(result.done), ids(store)) == ([0, 1, 2], [3], [5])
