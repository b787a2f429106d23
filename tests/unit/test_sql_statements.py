"""Statements: where their parameters are, where they end, and what is written without SQL."""

import contextlib
import time

import pytest

from domain.json import JSON, JSONObject
from jobs.databases import builder
from jobs.databases.failures import DatabaseFailed
from jobs.databases.statements import Dialect, Parameters, Statement, read, stand_in

POSTGRESQL, MYSQL, SQLITE = Dialect.POSTGRESQL, Dialect.MYSQL, Dialect.SQLITE


def written(statement: Statement) -> tuple[str, tuple[JSON, ...]]:
    return statement.text(lambda slot: f"<{slot}>"), statement.values


def refusal(text: str, dialect: Dialect, parameters: Parameters = ()) -> str:
    with pytest.raises(DatabaseFailed) as caught:
        read(text, dialect, parameters)
    return caught.value.code


@pytest.mark.parametrize("dialect", Dialect)
def test_names_become_parameters_and_one_that_occurs_twice_is_one_value(dialect: Dialect) -> None:
    statement = read("SELECT :a, :b_2, :a", dialect, {"a": 1, "b_2": "x", "unused": 3})

    assert written(statement) == ("SELECT <0>, <1>, <0>", (1, "x"))
    assert statement.keyword == "SELECT"


@pytest.mark.parametrize(
    ("dialect", "text", "expected"),
    [
        (POSTGRESQL, "SELECT $2, $1, $2, '{}'::jsonb ? 'a'", "SELECT <0>, <1>, <0>, '{}'::jsonb ? 'a'"),
        (MYSQL, "SELECT ?, ?", "SELECT <0>, <1>"),
        (SQLITE, "SELECT ?2, ?1", "SELECT <0>, <1>"),
        (MYSQL, "SELECT $1, $2 FROM a$1", "SELECT <0>, <1> FROM a$1"),
    ],
)
def test_a_list_is_bound_by_number_or_in_order(dialect: Dialect, text: str, expected: str) -> None:
    assert written(read(text, dialect, [10, 20]))[0] == expected


@pytest.mark.parametrize(
    ("dialect", "passed_over"),
    [
        (POSTGRESQL, "':x'''"),
        (POSTGRESQL, '":x"""'),
        (POSTGRESQL, r"E'\':x'"),
        (POSTGRESQL, "E'a'\n  '\\':x'"),
        (POSTGRESQL, r"'\' "),
        (POSTGRESQL, "$$ :x ; ' $$"),
        (POSTGRESQL, "$tag$ :x $$ ; $tag$"),
        (POSTGRESQL, "/* :x /* ; */ :x */ 1"),
        (POSTGRESQL, "-- :x ; '\n1"),
        (POSTGRESQL, "a::text"),
        (POSTGRESQL, "a[1 : 2]"),
        (MYSQL, r"'\':x;'"),
        (MYSQL, r'"\":x;"'),
        (MYSQL, "`:x``;`"),
        (MYSQL, "# :x ; '\n1"),
        (MYSQL, "-- :x ;\n1"),
        (MYSQL, "1--1"),
        (MYSQL, "/* :x /* ; */ 1"),
        (MYSQL, "@a := 1"),
        (SQLITE, "[:x;]"),
        (SQLITE, "`:x`"),
        (SQLITE, r"'\'"),
        (SQLITE, "/* :x ; */ 1"),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_parameter_or_an_end_is_left_alone(dialect: Dialect, passed_over: str) -> None:
    statement = read(f"SELECT {passed_over}, :real", dialect, {"real": 1})

    assert written(statement) == (f"SELECT {passed_over}, <0>", (1,))


@pytest.mark.parametrize("dialect", Dialect)
def test_a_second_statement_is_refused_and_a_last_semicolon_is_none(dialect: Dialect) -> None:
    assert refusal("SELECT 1; DROP TABLE a", dialect) == "STATEMENT_INVALID"
    assert refusal("SELECT 1;;x", dialect) == "STATEMENT_INVALID"
    assert written(read("SELECT 1; -- the end\n", dialect, {}))[0] == "SELECT 1 -- the end"


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (POSTGRESQL, "SELECT 'a"),
        (POSTGRESQL, 'SELECT "a'),
        (POSTGRESQL, "SELECT $$ a"),
        (POSTGRESQL, "SELECT /* a"),
        (MYSQL, "SELECT `a"),
        (MYSQL, "SELECT /* a"),
        (MYSQL, "SELECT /*! 1 */"),
        (MYSQL, "SELECT /*M!100000 1 */"),
        (SQLITE, "SELECT [a"),
        (POSTGRESQL, ""),
        (POSTGRESQL, " -- nothing"),
        (POSTGRESQL, "SELECT \x00"),
        (POSTGRESQL, "SELECT" + " " * 200_000),
    ],
)
def test_a_text_that_is_no_statement_is_refused(dialect: Dialect, text: str) -> None:
    assert refusal(text, dialect) == "STATEMENT_INVALID"


@pytest.mark.parametrize(
    ("text", "parameters", "code"),
    [
        ("SELECT :a", {"b": 1}, "PARAMETER_MISSING"),
        ("SELECT $2", [1], "PARAMETER_MISSING"),
        ("SELECT $0", [1], "PARAMETER_MISSING"),
        ("SELECT $99999999999999999999", [1], "PARAMETER_MISSING"),
        ("SELECT $1", [1, 2], "PARAMETER_UNUSED"),
    ],
)
def test_values_and_parameters_have_to_fit(text: str, parameters: Parameters, code: str) -> None:
    assert refusal(text, POSTGRESQL, parameters) == code


@pytest.mark.parametrize("dialect", Dialect)
def test_an_expressions_value_is_a_parameter_beside_the_others(dialect: Dialect) -> None:
    text = f"SELECT {stand_in(0)}, :a, {stand_in(1)}"

    assert written(read(text, dialect, {"a": "A"}, ["x", "y"])) == ("SELECT <0>, <1>, <2>", ("x", "A", "y"))


@pytest.mark.parametrize("quoted", ["'{}'", '"{}"', "-- {}\n", "/* {} */"])
@pytest.mark.parametrize("dialect", Dialect)
def test_an_expression_inside_quotes_is_refused_with_a_remedy(dialect: Dialect, quoted: str) -> None:
    with pytest.raises(DatabaseFailed) as caught:
        read(f"SELECT 1 {quoted.format(stand_in(0))}", dialect, {}, ["x"])

    assert caught.value.code == "STATEMENT_INVALID"
    assert (
        caught.value.remedy == "Leave out the quotes: the value of an expression is bound, not written into the text."
    )


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "part", ["$a$", "/*", "*/", "'", '"', "`", "[", "E'a'\n\n", "--", "(", "$", ":", "\\", "e'\\", "#\n", "-- \n"]
)
def test_hostile_text_is_read_in_linear_time(dialect: Dialect, part: str) -> None:
    began = time.process_time()
    with contextlib.suppress(DatabaseFailed):
        read("SELECT " + part * (60_000 // len(part)), dialect, {})

    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (POSTGRESQL, 'INSERT INTO "shop"."or""ders" ("a", "b`") VALUES (<0>, <1>), (<2>, <3>)'),
        (MYSQL, 'INSERT INTO `shop`.`or"ders` (`a`, `b```) VALUES (<0>, <1>), (<2>, <3>)'),
        (SQLITE, 'INSERT INTO "shop"."or""ders" ("a", "b`") VALUES (<0>, <1>), (<2>, <3>)'),
    ],
)
def test_rows_are_inserted_with_their_names_quoted(dialect: Dialect, expected: str) -> None:
    statement = builder.insert(dialect, 'shop.or"ders', [{"a": 1, "b`": None}, {"b`": "x", "a": 2}])

    assert written(statement) == (expected, (1, None, 2, "x"))


def test_conditions_know_null_and_lists() -> None:
    where: JSONObject = {"id": 7, "gone": None, "status": ["new", "paid"]}

    update = builder.update(POSTGRESQL, "t", {"a": 1, "b": None}, where)
    delete = builder.delete(MYSQL, "t", where)
    select = builder.select(SQLITE, "t", {})

    assert written(update) == (
        'UPDATE "t" SET "a" = <0>, "b" = <1> WHERE "id" = <2> AND "gone" IS NULL AND "status" IN (<3>, <4>)',
        (1, None, 7, "new", "paid"),
    )
    assert written(delete) == (
        "DELETE FROM `t` WHERE `id` = <0> AND `gone` IS NULL AND `status` IN (<1>, <2>)",
        (7, "new", "paid"),
    )
    assert written(select) == ('SELECT * FROM "t"', ())


@pytest.mark.parametrize("name", ["", "a.", "x\x00", "a" * 129])
def test_a_name_no_database_takes_is_refused(name: str) -> None:
    with pytest.raises(DatabaseFailed):
        builder.delete(POSTGRESQL, name, {"id": 1})


def test_what_would_hit_every_row_is_refused() -> None:
    with pytest.raises(DatabaseFailed) as update:
        builder.update(POSTGRESQL, "t", {"a": 1}, {})
    with pytest.raises(DatabaseFailed) as delete:
        builder.delete(POSTGRESQL, "t", {})

    assert (update.value.code, delete.value.code) == ("WHERE_MISSING", "WHERE_MISSING")


@pytest.mark.parametrize("rows", [[], [{}], [{"a": 1}, {"b": 1}], [{"a": 1}, {"a": 1, "b": 1}]])
def test_rows_without_columns_or_with_different_ones_are_refused(rows: list[JSONObject]) -> None:
    with pytest.raises(DatabaseFailed):
        builder.insert(POSTGRESQL, "t", rows)


@pytest.mark.parametrize("value", [[], [None], [1, None]])
def test_a_condition_on_no_value_or_on_null_in_a_list_is_refused(value: list[JSON]) -> None:
    with pytest.raises(DatabaseFailed):
        builder.delete(POSTGRESQL, "t", {"a": value})
