import re
from pathlib import Path

import pytest
import yaml

from colony.rehearsal.faults import load_faults

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{p}.md" for p in (
    "overview", "specs", "commands", "market", "components", "lifecycle", "rehearsal", "engine",
    "testing", "installing", "jobs", "backends", "state", "elastic", "importers", "examples",
    "skypilot", "onprem", "layers", "policy",
))]  # fmt: skip


def commands():
    import typer.main

    from colony.cli.app import app

    return set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_the_repository_leads_somewhere(page, checkout):
    text = (checkout / page).read_text()
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    assert [link for link in links if not Path(checkout, page).parent.joinpath(link).exists()] == []


def test_every_page_is_linked_from_the_readme(checkout):
    text = (checkout / "README.md").read_text()
    pages = [f"docs/{path.name}" for path in (checkout / "docs").glob("*.md")]
    assert [page for page in pages if page not in text] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page, checkout):
    text = (checkout / page).read_text()
    named = re.findall(r"`((?:colony|components|jobs|charts|stacks|tools|tests)/[\w./-]*)`", text)
    missing = [name for name in named if not (checkout / name).exists()]
    assert [name for name in missing if "NAME" not in name and "*" not in name] == []


def test_the_page_of_commands_has_exactly_the_commands_that_there_are(checkout):
    table = (checkout / "docs/commands.md").read_text().split("| --- | --- |")[1]
    first_cells = re.findall(r"^\| (.*?) \|", table, re.M)
    named = {word.split()[0] for cell in first_cells for word in re.findall(r"`([^`]+)`", cell)}
    assert named == commands()


def test_the_example_faults_are_valid(checkout):
    assert load_faults(checkout / "docs/no-capacity.yaml")


def test_targets_that_pages_name_are_in_the_makefile(checkout):
    targets = set(re.findall(r"^([a-z-]+):", (checkout / "Makefile").read_text(), re.M))
    for page in PAGES:
        text = (checkout / page).read_text()
        for line in re.findall(r"(?:^    |`)make ([a-z][a-z -]*)", text, re.M):
            word = line.split()[0]
            assert word in targets, f"{page}: make {word}"


def test_the_picture_is_well_formed(checkout):
    import xml.etree.ElementTree as tree

    root = tree.parse(checkout / "docs/life.svg").getroot()
    assert root.find("{http://www.w3.org/2000/svg}title").text


def test_the_project_file_is_valid_and_names_the_folders_that_exist(checkout):
    project = yaml.safe_load((checkout / "Pulumi.yaml").read_text())
    assert project["name"] == "colony"
    assert (checkout / project["main"] / "__main__.py").is_file()
    assert (checkout / project["stackConfigDir"]).is_dir()
