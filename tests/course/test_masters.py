import pytest

from helpers.course.masters import MasterError, milestone_calls, parse, with_run_dir, with_stubs, without_markers

SOLVED = '''# %% id="ex1-twice"
def twice(x: int) -> int:
    """Twice x."""
    ### BEGIN SOLUTION multiply
    y = 2 * x
    return y
    ### END SOLUTION
'''
PARAMETERS = """# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""
"""


def test_cells_keep_their_ids_kinds_and_tags() -> None:
    cells = parse(
        '# %% [markdown] id="intro" tags=["lab-only"]\n# # Title\n#\n# text\n\n# %% id="code"\n\nx = 1\n\n', "m"
    )
    assert [(cell.id, cell.markdown, cell.tags, cell.source, cell.line) for cell in cells] == [
        ("intro", True, ("lab-only",), "# Title\n\ntext", 1),
        ("code", False, (), "x = 1", 6),
    ]


def test_a_stub_stands_where_the_solution_stood_and_names_the_to_do() -> None:
    stub = with_stubs(parse(SOLVED, "m")[0], "m").source
    assert stub.splitlines()[-1] == '    raise helpers.ExerciseTodo("ex1-twice: multiply")'
    assert "y = 2" not in stub
    compile(stub, "stub", "exec")


def test_a_to_do_with_quotes_is_written_as_the_formatter_would() -> None:
    stub = with_stubs(parse(SOLVED.replace("multiply", 'return "2x"'), "m")[0], "m").source
    assert stub.endswith("""raise helpers.ExerciseTodo('ex1-twice: return "2x"')""")


def test_a_to_do_that_makes_a_long_line_is_refused() -> None:
    with pytest.raises(MasterError, match="m:4: the to-do makes a line of"):
        with_stubs(parse(SOLVED.replace("multiply", "multiply " * 12), "m")[0], "m")


def test_the_solution_view_has_no_markers() -> None:
    source = without_markers(parse(SOLVED, "m")[0]).source
    assert "SOLUTION" not in source
    assert source.endswith("    y = 2 * x\n    return y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# %%\nx = 1\n", "header"),
        ('# %% id="Upper"\nx = 1\n', "header"),
        ('# %% id="a" tags=["raises-exception"]\nx = 1\n', "unknown tag"),
        ('x = 1\n# %% id="a"\nx = 1\n', "before the first cell"),
        ('# %% id="a"\nx = 1\n# %% id="a"\nx = 2\n', "used 2 times"),
        ('# %% id="a"\n\n', "empty"),
        ('# %% [markdown] id="a"\ntext\n', "must begin with"),
        ("", "no cell"),
        ('# %% id="a"\n' + "x = 1\n" * 21, "longer than 20"),
        (SOLVED.replace("    ### END SOLUTION\n", ""), "never ends"),
        (SOLVED.replace(" multiply", ""), "what the learner is to do"),
        (SOLVED.replace("    y = 2 * x\n", "    ### BEGIN SOLUTION again\n"), "inside a solution region"),
        (SOLVED + "    ### END SOLUTION\n", "without its beginning"),
    ],
)
def test_a_slip_is_an_error_that_names_the_place(text: str, message: str) -> None:
    with pytest.raises(MasterError, match=message) as raised:
        parse(text, "content/x/lab.py")
    assert raised.value.what.startswith("content/x/lab.py")


def test_the_view_chooses_the_run_dir() -> None:
    (cell,) = with_run_dir(parse(PARAMETERS, "m"), "runs/notebooks/01_x", "m")
    assert cell.source.endswith('run_dir = "runs/notebooks/01_x"')


@pytest.mark.parametrize("broken", ["", PARAMETERS.replace("seed = 0\n", ""), PARAMETERS.replace('""', '"here"')])
def test_the_five_parameters_are_required(broken: str) -> None:
    with pytest.raises(MasterError, match="parameters"):
        with_run_dir(parse(broken + '# %% id="last"\nx = 1\n', "m"), "runs", "m")


def test_milestone_calls_are_found_by_their_literal_ids() -> None:
    (cell,) = parse('# %% id="m"\nx = helpers.milestone("12.1.report", evidence={})\nhelpers.check("a", x)\n', "m")
    assert milestone_calls(cell) == ["12.1.report"]
