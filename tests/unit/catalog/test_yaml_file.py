import pytest

from myriad.catalog.yaml_file import parse, read_mapping
from myriad.errors import SpecError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e9", 10**9),
        ("1e4", 10**4),
        ("1E-3", 0.001),
        ("1.0", 1.0),
        (".5", 0.5),
        ("-7", -7),
        ("007", 7),
        ("16_384", "16_384"),
        ("no", "no"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("2026-11-21", "2026-11-21"),
        ("12:30", "12:30"),
        ("'1e9'", "1e9"),
        ('"true"', "true"),
        ("80 GB", "80 GB"),
        ("万卡", "万卡"),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    found = parse(f"key: {text}\n", "x.yaml").plain()["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_value_knows_its_line_and_the_line_of_its_key():
    node = parse("a:\n  b:\n    - 1\n    - 2\n  c: |\n    text\n", "x.yaml")
    a = node.value["a"]
    assert (a.key_line, a.line) == (1, 2)
    assert [item.line for item in a.value["b"].value] == [3, 4]
    assert a.value["c"].where == "x.yaml:5"


def test_keys_are_text():
    assert parse("{no: 1, 2: x, null: y}", "x.yaml").plain() == {"no": 1, "2": "x", "null": "y"}


def test_json_is_yaml():
    node = parse('{\n\t"a": [1, 2.5e3, "x"],\n\t"b": {"c": null, "d": true}\n}\n', "x.json")
    assert node.plain() == {"a": [1, 2500, "x"], "b": {"c": None, "d": True}}


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes("\ufeffa: 1\r\nb: 2\r\n".encode())
    assert read_mapping(path).plain() == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: the file is empty"),
        ("# only a comment\n", "1: the file is empty"),
        ("a: 1\nb: 2\na: 3\n", "3: key 'a' is given twice, first in line 1"),
        ("x:\n  a: 1\n  a: 2\n", "3: x: key 'a' is given twice, first in line 2"),
        ("x:\n  a: .nan\n", "2: x.a: expected a finite number, found .nan"),
        ("a: -.inf\n", "1: a: expected a finite number, found -.inf"),
        ("a: 1e999\n", "1: a: expected a finite number, found 1e999"),
        ("a: &x 1\nb: *x\n", "1: a: anchor '&x' is not supported; write the value out each time"),
        ("a: *x\n", "1: a: alias '*x' is not supported; write the value out"),
        ("<<: {a: 1}\n", "1: merge key '<<' is not supported; write the keys out"),
        ("a: !!python/name:os.system x\n", "1: a: tag 'tag:yaml.org,2002:python/name:os.system' is not supported"),
        ("a:\n\tb: 1\n", "2: a tab indents this line; YAML wants spaces"),
        ("a: [1, 2\n", "2: did not find expected ',' or ']'"),
        ("a: 'open\n", "2: found unexpected end of stream"),
        ("a: 1\n---\nb: 2\n", "2: expected one document, found a second after '---'"),
        ("? [a]\n: 1\n", "1: a key must be text, not a list or a mapping"),
        ("a: \x07\n", "1: a control character is not allowed in YAML"),
        ("[" * 100_000, "1: nested deeper than 64 levels"),
        ("a: {" * 5_000, "1: a"),
    ],
)
def test_refuses_with_the_line(text, message):
    with pytest.raises(SpecError) as caught:
        parse(text, "x.yaml")
    assert str(caught.value).startswith("x.yaml:" + message)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_endless_number_stays_text():
    assert isinstance(parse("a: " + "9" * 5000, "x.yaml").plain()["a"], str)
