"""The README: its code and commands print what it shows, and its first screen has what it promises."""

import re

from tools import snippets
from tools.files import ROOT

README = (ROOT / "README.md").read_text()


def test_the_code_and_the_commands_print_what_is_shown() -> None:
    assert snippets.refreshed(README) == README, "run: make records"


def test_the_first_screen_is_a_sentence_a_picture_ten_lines_and_two_commands() -> None:
    first = README.split("\n## ")[0]
    code = re.findall(r"```python\n(.*?)```", first, re.DOTALL)
    assert first.index("docs/figures/accuracy_cost.svg") < first.index("```python")
    assert len(code) == 1
    assert sum(bool(line.strip()) for line in code[0].splitlines()) <= 10
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == ["demo", "test"]


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_extras_to_install_exist() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"\w+", " ".join(re.findall(r"\.\[([\w,]+)\]", README)))) <= set(extras)


def test_every_extra_is_named_where_the_readme_installs() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    install = README[README.index("## Install") : README.index("## On the command line")]
    [block] = re.findall(r"```sh\n(.*?)```", install, re.DOTALL)
    named = {name for names in re.findall(r"'\.\[([\w,]+)\]'", block) for name in names.split(",")}
    parts = set(re.findall(r"`(\w+)`", block))
    assert named | parts == set(extras)
    assert not named & parts


def test_nothing_in_the_readme_is_a_badge_or_a_boast() -> None:
    assert "badge" not in README
    assert not re.search(r"blazing|state-of-the-art|seamless|powerful|cutting-edge|effortless", README, re.IGNORECASE)
