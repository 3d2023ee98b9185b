"""docs/licences.md has every pinned package, with the licence that it states."""

from tests.licences import PAGE, licence, listed, pinned


def test_every_pinned_package_is_listed_with_its_licence() -> None:
    page = listed()
    assert sorted(page) == pinned(), "run python -m tests.licences"
    installed = {name: stated for name in page if (stated := licence(name))}
    assert len(installed) > 50
    assert {name: page[name] for name in installed} == installed, "run python -m tests.licences"


def test_every_package_with_conditions_is_explained() -> None:
    _, _, conditions = PAGE.read_text(encoding="utf-8").partition("## With conditions")
    copyleft = [name for name, kind in listed().items() if "GPL" in kind]
    assert copyleft
    assert [name for name in copyleft if f"`{name}`" not in conditions] == []
