"""Stating numbers: what `record` accepts and shows, and how prose numbers follow it."""

import nbformat
import numpy as np
import pytest
import torch

from vaecourse.publish.prose import MarkedNumber, collect_data, collect_records, marked_numbers, restate
from vaecourse.record import as_text, record, record_data


@pytest.mark.parametrize(
    ("value", "se", "text"),
    [
        (-16.0213, 0.052, "-16.02 ± 0.05 nats"),
        (torch.tensor(-16.0213, dtype=torch.float64), torch.tensor([0.0121]), "-16.021 ± 0.012 nats"),
        (np.float32(0.5), None, "0.5 nats"),
        (np.int64(1797), None, "1797 nats"),
        (6.21e-17, None, "6.21e-17 nats"),
        (12345.678, None, "12346 nats"),
        (-12345.678, None, "-12346 nats"),
        (1.5e10, None, "1.5e+10 nats"),
        (1234.0, 37.0, "1234 ± 37 nats"),
    ],
)
def test_record_shows_no_more_digits_than_the_standard_error_supports(capsys, value, se, text):
    record("name", value, se)
    assert capsys.readouterr().out == f"name = {text}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Test", 1.0), "lower-case identifier"),
        (("two words", 1.0), "lower-case identifier"),
        (("a", float("nan")), "not a finite number"),
        (("a", torch.tensor(float("inf"))), "not a finite number"),
        (("a", torch.ones(2)), "must be one number, not 2"),
        (("a", "1.0"), "must be a number, not str"),
        (("a", True), "must be a number, not bool"),
        (("a", None), "must be a number, not NoneType"),
        (("a", 1.0, -0.1), "must not be negative"),
    ],
)
def test_record_refuses_what_is_no_number(arguments, message):
    with pytest.raises(ValueError, match=message):
        record(*arguments)


def test_as_text_without_unit_has_no_trailing_space():
    assert as_text(3) == "3"


def displayed(mime, payload):
    output = nbformat.v4.new_output("display_data", data={mime: payload, "text/plain": ""})
    return nbformat.v4.new_code_cell("x", outputs=[output])


RECORD = "application/vnd.vaecourse.record+json"
DATA = "application/vnd.vaecourse.data+json"


def test_records_and_data_are_collected_from_outputs():
    digits = {"name": "digits", "split": "test", "protocol": "binomial", "size": 300}
    notebook = nbformat.v4.new_notebook(
        cells=[
            displayed(RECORD, {"name": "elbo", "value": -16.5, "se": None, "unit": "nats"}),
            displayed(DATA, digits),
            displayed(DATA, digits),
            nbformat.v4.new_markdown_cell("no outputs here"),
        ]
    )
    assert collect_records(notebook) == {"elbo": {"value": -16.5, "se": None, "unit": "nats"}}
    assert collect_data(notebook) == [digits]


def test_a_name_recorded_twice_is_an_error():
    cells = [displayed(RECORD, {"name": "elbo", "value": v, "se": None, "unit": "nats"}) for v in (-16.5, -16.4)]
    with pytest.raises(ValueError, match="'elbo' twice"):
        collect_records(nbformat.v4.new_notebook(cells=cells))


def test_record_data_prints_the_protocol(capsys):
    class Digits:
        name, split, protocol = "digits", "test", "binomial"

        def __len__(self):
            return 1300

    record_data(Digits())
    assert capsys.readouterr().out == "data: digits, test, binomial, 1,300 examples\n"


@pytest.mark.parametrize(
    ("printed", "value", "stated"),
    [
        ("1.34", 2.0, "2.00"),
        ("−16.02", -15.9871, "−15.99"),
        ("-16.02", -15.9871, "-15.99"),
        ("-16.02", 3.0, "3.00"),
        ("1.34", -0.5, "−0.50"),
        ("0.00", -0.0004, "0.00"),
        ("97", 96.4, "96"),
        ("1,797", 59600, "59,600"),
        ("+0.3", 0.26, "+0.3"),
        ("3.1e-12", 4.44e-13, "4.4e-13"),
        ("3e−12", 4.4e-13, "4e−13"),
    ],
)
def test_a_prose_number_is_restated_in_its_own_form(printed, value, stated):
    assert MarkedNumber(printed, "name").stated(value) == stated
    assert MarkedNumber(stated, "name").agrees(value)


def test_agreement_is_at_the_printed_precision():
    assert MarkedNumber("1.34", "gap").agrees(1.3449)
    assert not MarkedNumber("1.34", "gap").agrees(1.3451)
    assert not MarkedNumber("1.34", "gap").agrees(-1.34)


def test_markers_are_found_and_only_they_are_restated():
    prose = "It loses 1.34<!--record:gap--> nats of 16.02<!-- record:bound -->, not 7.5, in $2.5$ s."
    assert list(marked_numbers(prose)) == [("1.34", "gap"), ("16.02", "bound")]
    new, missing = restate(prose, {"gap": {"value": 2}, "bound": {"value": 10.5}})
    assert new == "It loses 2.00<!--record:gap--> nats of 10.50<!-- record:bound -->, not 7.5, in $2.5$ s."
    assert missing == []
    assert restate(new, {"gap": {"value": 2}, "bound": {"value": 10.5}}) == (new, [])


def test_a_number_that_was_not_recorded_is_starred_once_and_named():
    once, missing = restate("1.34<!--record:gap--> nats", {})
    assert (once, missing) == ("1.34<!--record:gap-->\\* nats", ["gap"])
    assert restate(once, {})[0] == once
    assert restate(once, {"gap": {"value": 1.5}})[0] == "1.50<!--record:gap--> nats"
