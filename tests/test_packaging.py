"""What a user gets by pip is whole: as a wheel, as a source distribution, and editable."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "napari_toposeg"
RESOURCES = ROOT / "resources"
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.nbi", "*.nbc")

# Run in a fresh interpreter outside the checkout. `-S` keeps the environment's own editable install out of the way;
# the libraries are put behind the installation that is looked at.
LOOK = """
import json, site, sys
from importlib import import_module, metadata, resources

site.addsitedir(sys.argv[1])
sys.path.extend(sys.argv[2:])
import napari_toposeg

def files(folder, above=""):
    for item in folder.iterdir():
        if item.is_dir():
            if item.name != "__pycache__":
                yield from files(item, above + item.name + "/")
        elif not item.name.endswith((".py", ".pyc")):
            yield above + item.name

installed = metadata.distribution("napari-toposeg")
manifest = installed.entry_points.select(group="napari.manifest")["napari-toposeg"]
room, _, name = manifest.value.partition(":")
for module in json.load(sys.stdin):
    import_module(module)
print(json.dumps({
    "home": napari_toposeg.__file__,
    "version": napari_toposeg.__version__,
    "resources": sorted(files(resources.files("napari_toposeg.resources"))),
    "manifest": resources.files(room).joinpath(name).read_text(encoding="utf-8"),
    "typed": resources.files("napari_toposeg").joinpath("py.typed").is_file(),
    "commands": {point.name: point.value for point in installed.entry_points.select(group="console_scripts")},
}))
"""

# The priors come from the resources: a command that lists them shows that both work together.
LIST_PRIORS = """
import site, sys
from importlib import metadata

site.addsitedir(sys.argv[1])
sys.path.extend(sys.argv[2:])
command = metadata.distribution("napari-toposeg").entry_points.select(group="console_scripts")["toposeg"].load()
sys.argv = ["toposeg", "priors", "--json"]
sys.exit(command())
"""


def run(*command: object, **options: object) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
        [str(part) for part in command], check=False, capture_output=True, text=True, **options
    )
    if done.returncode != 0:
        pytest.fail(f"exit code {done.returncode}:\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def rooms() -> set[str]:
    folders = (path.parent.relative_to(ROOT) for path in PACKAGE.rglob("*.py"))
    return {".".join(folder.parts) for folder in folders}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, so that building leaves nothing in the real one."""
    copy = tmp_path_factory.mktemp("packaging") / "checkout"
    copy.mkdir()
    for folder in ("napari_toposeg", "resources", "tests", ".ci"):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=NOT_SHIPPED)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, copy / path.name, follow_symlinks=False)
    return copy


@pytest.fixture(scope="module")
def built(checkout: Path) -> Path:
    """A folder with the source distribution and the wheel that was made from it (not from the checkout)."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", checkout.parent / "built", checkout)
    return checkout.parent / "built"


@pytest.fixture(scope="module", params=["wheel", "sdist", "editable"])
def installation(request: pytest.FixtureRequest, checkout: Path, built: Path) -> tuple[str, Path]:
    """The way of installing, and the site-packages into which it was done."""
    (what,) = {
        "wheel": lambda: list(built.glob("*.whl")),
        "sdist": lambda: list(built.glob("*.tar.gz")),
        "editable": lambda: [checkout],
    }[request.param]()
    prefix = checkout.parent / request.param
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-compile"]
    # --ignore-installed: the environment's own installation stays as it is.
    install += ["--disable-pip-version-check", "--ignore-installed", "--prefix", str(prefix)]
    run(*install, *(["--editable"] if request.param == "editable" else []), what)
    (site,) = prefix.rglob("site-packages")
    return request.param, site


def look(program: str, site: Path, **options: object) -> str:
    libraries = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    return run(sys.executable, "-S", "-P", "-c", program, site, *libraries, cwd=site.parent, **options)


def test_every_way_of_installing_brings_code_resources_manifest_and_command(
    installation: tuple[str, Path], checkout: Path
) -> None:
    way, site = installation
    modules = sorted(room for room in rooms() if not room.startswith("napari_toposeg.docks"))

    seen = json.loads(look(LOOK, site, input=json.dumps(modules)))

    home = checkout if way == "editable" else site
    assert Path(seen["home"]).resolve() == (home / "napari_toposeg" / "__init__.py").resolve()
    assert seen["version"] == settings()["metadata"]["version"]
    files = (path for path in RESOURCES.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert seen["resources"] == sorted(path.relative_to(RESOURCES).as_posix() for path in files if path.suffix != ".py")
    assert seen["manifest"] == (PACKAGE / "napari.yaml").read_text(encoding="utf-8")
    assert seen["typed"]
    assert seen["commands"] == {"toposeg": "napari_toposeg.cli:main"}


def test_every_way_of_installing_finds_its_priors(installation: tuple[str, Path]) -> None:
    _, site = installation
    names = {prior["name"] for prior in json.loads(look(LIST_PRIORS, site))}
    assert {"annulus", "ball", "torus"} <= names


def test_the_source_distribution_holds_the_tests_and_the_licence(built: Path) -> None:
    import tarfile

    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "constraints.txt", "Makefile", "napari.yaml", "tests/conftest.py"} <= names
    assert not [name for name in names if "__pycache__" in name]


def test_the_manifest_at_the_root_is_a_link_to_the_packages() -> None:
    assert (ROOT / "napari.yaml").is_symlink()
    assert (ROOT / "napari.yaml").resolve() == (PACKAGE / "napari.yaml").resolve()


def test_every_room_is_listed_and_has_an_init() -> None:
    listed = set(lines(settings()["options"]["packages"]))
    assert listed == rooms() | {"napari_toposeg.resources"}
    assert not [room for room in rooms() if not (ROOT / room.replace(".", "/") / "__init__.py").is_file()]


def test_the_version_is_the_changelogs_newest_and_the_installed_one() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == settings()["metadata"]["version"] == metadata.version("napari-toposeg")


def requirements(*sections: str) -> list[Requirement]:
    extras = settings()["options.extras_require"]
    texts = [settings()["options"]["install_requires"], *(extras[section] for section in sections)]
    found = [Requirement(line) for text in texts for line in lines(text)]
    return [requirement for requirement in found if requirement.name != "napari-toposeg"]


def test_every_requirement_has_a_lower_bound_and_a_tested_version_within_it() -> None:
    tested = {}
    for line in lines((ROOT / "constraints.txt").read_text(encoding="utf-8")):
        if not line.startswith("#"):
            name, _, version = line.partition("==")
            tested[canonicalize_name(name)] = version
    for requirement in requirements(*settings()["options.extras_require"]):
        assert [bound.operator for bound in requirement.specifier] == [">="], requirement
        assert requirement.specifier.contains(tested[canonicalize_name(requirement.name)]), requirement


DECODERS = {"pylibjpeg", "pylibjpeg-openjpeg", "python-gdcm"}
"""Of compressed DICOM: pydicom finds and imports them."""


def imported(paths: Iterable[Path]) -> set[str]:
    """The distributions that modules import from, in functions too."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    homes = metadata.packages_distributions()
    foreign = names - sys.stdlib_module_names - {"napari_toposeg"}
    return {canonicalize_name(home) for name in foreign for home in homes.get(name, [name])[:1]}


def test_what_the_code_imports_is_required_and_the_core_requires_no_more() -> None:
    docks = set((PACKAGE / "docks").rglob("*.py"))
    core = {canonicalize_name(requirement.name) for requirement in requirements()}
    app = {canonicalize_name(requirement.name) for requirement in requirements("app")}
    assert imported(set(PACKAGE.rglob("*.py")) - docks) == core - DECODERS
    assert imported(docks) <= app


def test_the_classifiers_and_the_bound_name_the_same_pythons() -> None:
    versions = re.findall(r"Python :: (3\.\d+)", settings()["metadata"]["classifiers"])
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    bound = SpecifierSet(settings()["options"]["python_requires"])
    assert bound.contains("3.11")
    assert not bound.contains("3.10.13")


def licence(distribution: metadata.Distribution) -> str:
    """What a distribution says of its licence: the expression, the classifiers, or the first line of the text."""
    said = distribution.metadata
    classifiers = [line for line in said.get_all("Classifier") or [] if line.startswith("License ::")]
    text = said.get("License") or ""
    return said.get("License-Expression") or " ".join(classifiers) or text.partition("\n")[0]


def closure(names: list[str]) -> dict[str, metadata.Distribution]:
    """The distributions that these need, and all that those need, as far as they are installed here."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        for text in found[name].requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def copyleft(distribution: metadata.Distribution) -> bool:
    said = re.sub(
        r"\S*GPL\S* WITH GCC-exception\S*", "", licence(distribution)
    )  # the compiler's run time: free of terms
    return re.search(r"\bA?GPL|Affero|GNU General Public", said) is not None


def test_nothing_that_the_core_needs_is_under_the_gpl() -> None:
    assert copyleft(metadata.distribution("PyQt6"))  # the check can see one where there is one
    core = closure([requirement.name for requirement in requirements()])
    assert {"numpy", "torch", "llvmlite"} <= set(core)
    assert not [name for name, distribution in core.items() if copyleft(distribution)]
