"""`cost --saved`: the sum of saved responses, in any layout."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from qwen_cli.answer.completion import Answer
from qwen_cli.cost.saved_responses import read_saved
from qwen_cli.cost.usage import Total
from qwen_cli.errors import LocalError
from tests.api_server import ApiServer, reply, stream
from tests.bodies import DOCUMENTED, META, USAGE, Json, chunk, chunks, completion, event_stream
from tests.program import Program


class TestSaved:
    """`--saved` sums what `json` has printed, and sends nothing."""

    def test_sums_bodies_and_chunk_lines_from_files_and_standard_input(self, qwen: Program, api: ApiServer) -> None:
        api.answer(reply(completion("One.")))
        assert qwen("json", "-o", "body.json", "hi").status == 0
        qwen.file("pretty.json", json.dumps(completion("Two."), indent=2))
        lines = "".join(f"{json.dumps(each)}\n" for each in chunks("Three."))
        result = qwen("cost", "--saved", "body.json", "-", "pretty.json", input=lines)
        assert (result.status, result.stderr) == (0, "")
        assert result.text == (
            "responses\t3\n"
            "prompt_tokens\t33\n"
            "completion_tokens\t126\n"
            "reasoning_tokens\t90\n"
            "total_tokens\t159\n"
            "credits_used\t780\n"
            "usd_spent\t0.00039\n"
        )
        assert len(api.requests) == 1

    def test_many_answers_may_share_a_file(self, qwen: Program) -> None:
        first = [json.dumps(each) for each in chunks("One.")]
        second = [json.dumps(each | {"id": "chatcmpl-2"}) for each in chunks("Two.")]
        qwen.file("all", "\n".join([*first, *second, json.dumps(completion()), json.dumps(completion())]))
        result = qwen.call("cost", "--saved", "--json", "all")
        assert result.status == 0
        assert json.loads(result.text)["responses"] == 4
        assert json.loads(result.text)["total_tokens"] == 4 * 53

    def test_no_later_chunk_takes_back_what_an_earlier_one_said(self, qwen: Program) -> None:
        qwen.file("lines", "".join(f"{json.dumps(each)}\n" for each in [*chunks("One."), chunk(usage=None, meta=None)]))
        result = qwen.call("cost", "--saved", "lines")
        assert (result.status, result.text, result.stderr) == (0, "responses\t1\n" + DOCUMENTED, "")

    def test_says_which_figures_are_sums_of_some_only(self, qwen: Program) -> None:
        qwen.file("a", json.dumps(completion()))
        qwen.file("b", json.dumps(completion(meta=None)))
        qwen.file("c", json.dumps(completion(meta=None)))
        result = qwen.call("cost", "--saved", "a", "b", "c")
        assert result.status == 0
        assert "usd_spent\t0.00013\n" in result.text
        assert result.stderr.splitlines() == [
            f"qwen-cli: 2 of 3 responses give no {name}: the sum is without them"
            for name in ("credits_used", "usd_spent")
        ]
        assert qwen.call("cost", "--saved", "-q", "a", "b").stderr == ""

    def test_a_figure_that_none_of_them_gives_is_a_dash(self, qwen: Program) -> None:
        qwen.file("a", json.dumps(completion(meta=None)))
        result = qwen.call("cost", "--saved", "a", "a")
        assert (result.status, result.stderr) == (0, "")
        assert result.text.endswith("credits_used\t-\nusd_spent\t-\n")

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ('{"a": 1}', "something other"),
            ("[1, 2]", "something other"),
            ('{"choices": []} {"usage": ', "line 1"),
            ('{"choices": []}\n\nHello.', "line 3"),
            (b'{"choices": []}\xff', "offset 15"),
            ("7", "something other"),
            ("[" * 100_000, "not a saved response"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_a_file_of_something_else_ends_with_7_and_names_it(
        self, qwen: Program, content: str | bytes, reason: str
    ) -> None:
        qwen.file("good", json.dumps(completion()))
        qwen.file("odd", content)
        result = qwen.call("cost", "--saved", "good", "odd")
        assert (result.status, result.stdout) == (7, b"")
        assert result.message.startswith("odd ")
        assert reason in result.message

    def test_a_missing_file_ends_with_7(self, qwen: Program) -> None:
        result = qwen.call("cost", "--saved", "gone")
        assert (result.status, result.message) == (7, "cannot read gone: No such file or directory")

    def test_reads_standard_input_without_operands(self, qwen: Program) -> None:
        result = qwen.call("cost", "--saved", input=json.dumps(completion()))
        assert (result.status, result.stderr) == (0, "")
        assert result.text == "responses\t1\n" + DOCUMENTED
        result = qwen.call("cost", "--saved", input="Hello.")
        assert (result.status, result.stdout) == (7, b"")
        assert result.message.startswith("standard input ")

    def test_needs_no_key(self, qwen: Program) -> None:
        qwen.file("a", json.dumps(completion()))
        assert qwen.call("cost", "--saved", "a", env={"AIMLAPI_API_KEY": None}).status == 0


COUNTS = st.none() | st.integers(0, 10**9)


@st.composite
def saved_answers(draw: st.DrawFn) -> tuple[str, list[Json]]:
    """Text as `json` saves it, and for each answer in it the usage and meta that it says."""
    parts: list[str] = []
    said: list[Json] = []
    for number in range(draw(st.integers(0, 5))):
        usage = draw(st.none() | st.just(USAGE) | st.fixed_dictionaries({"prompt_tokens": COUNTS}))
        meta = draw(st.none() | st.just(META))
        said.append({"usage": usage, "meta": meta})
        layout = {"indent": draw(st.sampled_from([None, 2])), "ensure_ascii": draw(st.booleans())}
        content = draw(st.text(max_size=10))
        if draw(st.booleans()):
            documents = [completion(content, usage=usage, meta=meta)]
        else:
            documents = [chunk(content, finish_reason="stop"), chunk(choices=[], usage=usage), chunk(meta=meta)]
        for document in documents:
            text = json.dumps(document | {"id": f"chatcmpl-{number}"}, **layout)  # type: ignore[arg-type]
            parts.append(text + draw(st.sampled_from(["\n", "\r\n", " ", "", "\n\n"])))
    return draw(st.sampled_from(["", "\n", " "])) + "".join(parts), said


@given(saved_answers())
def test_every_saved_answer_counts_once_in_any_layout(case: tuple[str, list[Json]]) -> None:
    text, said = case
    answers = list(read_saved(text, "saved"))
    assert [(answer.usage, answer.meta_usage) for answer in answers] == [
        (each["usage"] or None, (each["meta"] or {}).get("usage")) for each in said
    ]
    values = Total(answers).as_figures()
    assert values["responses"] == len(said)
    counts = [each["usage"]["prompt_tokens"] for each in said if each["usage"]]
    known = [count for count in counts if count is not None]
    assert values["prompt_tokens"] == (sum(known) if known else None)


@st.composite
def saved_streams(draw: st.DrawFn) -> tuple[list[Json], list[int]]:
    """The chunks of one server's streams, saved after each other, and the tokens that each of them took."""
    ids = draw(st.sampled_from(["one for each stream", "always the same", "none"]))
    place = draw(
        st.sampled_from(["last text", "finish", "empty choice", "own chunk", "chat.completion", "all", "never"])
    )
    role_first = draw(st.booleans())
    documents: list[Json] = []
    tokens: list[int] = []
    for number in range(draw(st.integers(1, 4))):
        spent = draw(st.integers(1, 1000))
        usage = {"total_tokens": spent}
        stream = [chunk("", delta={"role": "assistant"})] if role_first else []
        stream += [chunk(f"word {index}") for index in range(draw(st.integers(1, 3)))]
        if place == "last text":
            stream[-1] |= {"usage": usage}
            stream[-1]["choices"][0]["finish_reason"] = "stop"
        else:
            stream.append(chunk("", finish_reason="stop", usage=usage if place == "finish" else None))
        if place == "all":
            for index, each in enumerate(stream):
                each["usage"] = {"total_tokens": index}
        if place in ("own chunk", "all", "chat.completion"):
            label = place if place == "chat.completion" else "chat.completion.chunk"
            stream.append(chunk(choices=[], usage=usage, object=label))
        elif place == "empty choice":
            stream.append(chunk("", delta={"role": "assistant"}, usage=usage))
        for each in stream:
            match ids:
                case "one for each stream":
                    each["id"] = f"stream-{number}"
                case "none":
                    del each["id"]
        documents += stream
        tokens.append(spent if place != "never" else 0)
    return documents, tokens


@given(saved_streams())
@settings(max_examples=150, deadline=None)
def test_a_stream_counts_once_however_its_server_gives_ids_and_usage(case: tuple[list[Json], list[int]]) -> None:
    documents, tokens = case
    answers = list(read_saved("\n".join(map(json.dumps, documents)), "saved"))
    assert [(answer.usage or {}).get("total_tokens", 0) for answer in answers] == tokens


def test_a_stream_that_was_cut_ends_where_another_id_begins() -> None:
    cut = [chunk("One ", id="a"), chunk("two", id="a")]
    whole = [each | {"id": "b"} for each in chunks("Three.")]
    answers = list(read_saved("".join(map(json.dumps, [*cut, *whole, completion()])), "saved"))
    assert [answer.usage for answer in answers] == [None, USAGE, USAGE]


NOTHING: Json = {"usage": {"total_tokens": 0}, "meta": {"usage": {"usd_spent": 0}}}

AFTER_THE_FIGURES: list[tuple[str, list[Json]]] = [
    ("more text", [chunk("One", usage=USAGE, meta=META), chunk(" more."), chunk("", finish_reason="stop")]),
    ("a chunk without choices", [*chunks("One."), chunk(choices=[])]),
    ("an empty choice with figures of its own", [*chunks("One."), chunk("", **NOTHING)]),
    (
        "nothing, and they came with a second finish reason",
        [chunk("One.", finish_reason="stop"), chunk("", finish_reason="stop", usage=USAGE, meta=META)],
    ),
]


@pytest.mark.parametrize("saved", [pytest.param(saved, id=name) for name, saved in AFTER_THE_FIGURES])
def test_the_figures_of_a_stream_stand_before(saved: list[Json]) -> None:
    answers = list(read_saved("".join(map(json.dumps, saved)), "saved"))
    assert [(answer.usage, answer.meta_usage) for answer in answers] == [(USAGE, META["usage"])]


def test_figures_alone_are_an_answer_each() -> None:
    text = json.dumps({"usage": USAGE, "meta": META}) + "\n"
    assert len(list(read_saved(text * 3, "saved"))) == 3


def test_other_choices_of_a_stream_are_no_other_answers() -> None:
    other: Json = {"index": 1, "delta": {"content": "Other."}, "finish_reason": "stop"}
    saved = [chunk("One.", finish_reason="stop"), chunk(choices=[other]), chunk(choices=[], usage=USAGE)]
    assert [answer.usage for answer in read_saved("".join(map(json.dumps, saved)), "saved")] == [USAGE]


@given(st.lists(st.sampled_from([completion(), *chunks("Hello."), {"usage": {"total_tokens": 1}}]), max_size=8))
def test_any_mixture_of_documents_is_counted(documents: list[Json]) -> None:
    answers = list(read_saved("".join(map(json.dumps, documents)), "saved"))
    assert sum(each["object"] == "chat.completion" for each in documents if "object" in each) <= len(answers)
    assert len(answers) <= len(documents)


@pytest.mark.parametrize("streamed", [False, True], ids=["a body", "chunks"])
def test_what_json_saved_of_a_body_with_a_byte_order_mark_can_be_read_back(
    qwen: Program, api: ApiServer, streamed: bool
) -> None:
    bom = "\ufeff".encode()
    body = bom + json.dumps(completion()).encode()
    api.answer(*[stream(bom + event_stream(chunks("Hello."))) if streamed else reply(body=body)] * 2)
    saved = b"".join(qwen.call("json", *(["--stream"] if streamed else []), "hi").stdout for _ in range(2))
    result = qwen.call("cost", "--saved", input=saved)
    assert (result.status, result.text.splitlines()[:2]) == (0, ["responses\t2", "prompt_tokens\t22"])


@given(st.text())
def test_no_text_upsets_the_reader_of_saved_answers(text: str) -> None:
    message = ""
    answers: list[Answer] = []
    try:
        answers += read_saved(text, "saved")
    except LocalError as error:
        message = str(error)
    # Text at random is no response: it is empty, or refused by the file's name.
    assert message.startswith("saved ") if text.strip(" \t\r\n") else not message
    assert not answers
