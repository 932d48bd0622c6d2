"""The package that CMake makes for Slicer holds every file where the code looks for it, and gets what it needs."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.standalone

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
CMAKE_STANDIN = HERE / "slicer_cmake_standin"
MODULE_FOLDER = REPOSITORY / "SlicerMedCompress"
METADATA = ["HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"]


@dataclass(frozen=True)
class Built:
    """A build folder and the tree of scripted modules that was installed from it."""

    folder: Path
    modules: Path


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, folder: Path, testing: bool) -> Built:
    """Configure, build and install with the stand-in for Slicer."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl")):
        pytest.skip("CMake's project() needs a C++ compiler, and none is installed")
    binary, installed = folder / "build", folder / "installed"
    options = [f"-DSlicer_DIR={CMAKE_STANDIN}", f"-DBUILD_TESTING={'ON' if testing else 'OFF'}"]
    run("cmake", "-S", source, "-B", binary, *options, f"-DCMAKE_INSTALL_PREFIX={installed}")
    run("cmake", "--build", binary)
    run("cmake", "--install", binary)
    return Built(binary, installed / "lib" / "Slicer-5.12" / "qt-scripted-modules")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The extension, built without tests as the extensions' catalog builds it."""
    return build(REPOSITORY, tmp_path_factory.mktemp("package"), testing=False)


def files_below(folder: Path, start: Path) -> set[str]:
    """Paths of all files below ``start``, relative to ``folder``, without caches."""
    found = (path for path in start.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


def expected_files() -> set[str]:
    """All Python files of the module, all resources, and the specifications of the format."""
    scripts = {name for name in files_below(MODULE_FOLDER, MODULE_FOLDER) if name.endswith(".py")}
    resources = files_below(REPOSITORY, REPOSITORY / "Resources")
    # Screenshots are for the README and the extensions' catalog.
    resources = {name for name in resources if not name.startswith("Resources/Screenshots/")}
    return scripts | resources | {f"SlicerMedCompressLib/{folder}/FORMAT.md" for folder in ("container", "learned")}


def test_every_script_and_resource_is_packaged_and_nothing_else(package: Built) -> None:
    assert files_below(package.modules, package.modules) == expected_files()


def test_packaged_files_are_the_repository_s(package: Built) -> None:
    for name in sorted(expected_files()):
        original = REPOSITORY / name if name.startswith("Resources/") else MODULE_FOLDER / name
        assert (package.modules / name).read_bytes() == original.read_bytes(), name


def test_files_outside_the_module_folder_are_not_packaged_by_the_stand_in(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "Module").mkdir(parents=True)
    (source / "outside.txt").write_text("outside")
    (source / "Module" / "Module.py").write_text("")
    (source / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(Outside NONE)\nfind_package(Slicer REQUIRED)\n"
        "include(${Slicer_USE_FILE})\nadd_subdirectory(Module)\n"
    )
    (source / "Module" / "CMakeLists.txt").write_text(
        "slicerMacroBuildScriptedModule(NAME Module SCRIPTS Module.py RESOURCES ../outside.txt)\n"
    )
    built = build(source, tmp_path, testing=False)
    assert files_below(built.modules, built.modules) == {"Module.py"}


ALONE = """
import sys
from pathlib import Path
modules, repository = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
own = Path(sys.prefix).resolve()  # the environment may lie in the repository
inside = lambda path: Path(path).resolve().is_relative_to(repository) and not Path(path).resolve().is_relative_to(own)
sys.path[:] = [str(modules)] + [path for path in sys.path if path and not inside(path)]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
{code}
strays = [name for name, module in sys.modules.items() if getattr(module, "__file__", None) and inside(module.__file__)]
assert not strays, strays
"""


def run_alone(package: Built, tmp_path: Path, code: str) -> str:
    """Output of Python code that sees the packaged tree and not the repository."""
    script = tmp_path / "alone.py"
    script.write_text(ALONE.format(code=code))
    return run(sys.executable, script, package.modules, REPOSITORY, cwd=tmp_path)


def test_the_packaged_tree_imports_and_finds_its_requirements(package: Built, tmp_path: Path) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    code = "from SlicerMedCompressLib.scene import dependencies\nprint(dependencies.requirements_file())"
    found = run_alone(package, tmp_path, code).strip()
    assert Path(found) == (package.modules / "Resources" / "requirements.txt").resolve()


def test_every_packaged_python_file_of_the_library_imports(package: Built, tmp_path: Path) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    names = sorted(
        ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__")
        for name in files_below(package.modules, package.modules / "SlicerMedCompressLib")
        if name.endswith(".py") and not name.endswith("__main__.py")
    )
    code = f"import importlib\nfor name in {names}:\n    importlib.import_module(name)\nprint(len({names}))"
    assert int(run_alone(package, tmp_path, code)) == len(names) > 40


def test_the_packaged_module_file_finds_its_panel_and_its_icon(package: Built, tmp_path: Path) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    shutil.copytree(HERE / "slicer_standin", tmp_path / "slicer_standin")
    code = (
        "sys.path.append(str(Path(__file__).parent))\n"
        "import slicer_standin\nslicer_standin.install()\n"
        "import SlicerMedCompress\n"
        "for name in ('UI/SlicerMedCompress.ui', 'Icons/SlicerMedCompress.png', 'requirements.txt'):\n"
        "    print(Path(SlicerMedCompress.moduleResource(name)).resolve(strict=True))"
    )
    found = [Path(line) for line in run_alone(package, tmp_path, code).splitlines()]
    assert found == [
        (package.modules / "Resources" / name).resolve()
        for name in ("UI/SlicerMedCompress.ui", "Icons/SlicerMedCompress.png", "requirements.txt")
    ]


def test_the_format_specification_lies_beside_the_code_that_implements_it(package: Built, tmp_path: Path) -> None:
    code = "import SlicerMedCompressLib.container as container\nprint(Path(container.__file__).with_name('FORMAT.md'))"
    assert Path(run_alone(package, tmp_path, code).strip()).is_file()


def test_turning_testing_on_registers_the_generic_test_and_the_suite(tmp_path: Path) -> None:
    built = build(REPOSITORY, tmp_path, testing=True)
    listed = run("ctest", "-N", cwd=built.folder)
    assert "py_SlicerMedCompressInSlicer" in listed
    assert "py_nomainwindow_SlicerMedCompressModuleGenericTest" in listed


def test_tests_do_not_reach_the_package(tmp_path: Path, package: Built) -> None:
    built = build(REPOSITORY, tmp_path, testing=True)
    assert files_below(built.modules, built.modules) == files_below(package.modules, package.modules)


@pytest.mark.parametrize("name", METADATA)
def test_extension_metadata_is_one_literal_line(name: str) -> None:
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    assert len(re.findall(rf'^set\(EXTENSION_{name} "[^"$\n]*"\)$', text, re.MULTILINE)) == 1
    assert len(re.findall(rf"EXTENSION_{name}\b", text)) == 1


@pytest.mark.parametrize("name", ["HOMEPAGE", "ICONURL", "SCREENSHOTURLS"])
def test_extension_links_are_given_and_secure(package: Built, name: str) -> None:
    description = (package.folder / "description.txt").read_text(encoding="utf-8")
    values = dict(line.split(" ", 1) for line in description.splitlines())
    assert re.fullmatch(r"https://\S+", values[f"EXTENSION_{name}"])


def test_the_icon_link_names_a_file_of_the_repository() -> None:
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    found = re.search(r'EXTENSION_ICONURL "https://\S+?/(?:main|master)/(\S+)"', text)
    assert found is not None
    assert (REPOSITORY / found[1]).is_file()


def test_the_module_file_is_the_only_python_file_in_its_folder() -> None:
    assert [path.name for path in MODULE_FOLDER.glob("*.py")] == ["SlicerMedCompress.py"]


def test_nothing_in_the_module_folder_imports_the_tests() -> None:
    for path in MODULE_FOLDER.rglob("*.py"):
        for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
            if isinstance(statement, ast.ImportFrom) and not statement.level:
                names = [statement.module or ""]
            assert not {name.partition(".")[0] for name in names} & {"Testing", "tests", "conftest"}, path


def test_loading_the_module_file_imports_no_library_that_slicer_lacks(tmp_path: Path) -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    code = (
        "import sys\nsys.path[:0] = sys.argv[1:]\nimport slicer_standin\nslicer_standin.install()\n"
        "import SlicerMedCompress\n"
        "print([name for name in ('imagecodecs', 'crackle', 'nilearn', 'torch', 'Testing') if name in sys.modules])"
    )
    folders = [str(MODULE_FOLDER), str(HERE)]
    assert run(sys.executable, "-c", code, *folders, cwd=tmp_path).strip() == "[]"


PACKAGING = """
asked = []
def load_requirements(path):
    return open(path).read().split()
def pip_ensure(requirements, requester=None):
    asked.append((requirements, requester))
"""


@pytest.fixture
def dependencies(monkeypatch: pytest.MonkeyPatch, scene: Any) -> Any:
    """The package's dependencies.py, made to believe that a library is missing."""
    from SlicerMedCompressLib.scene import dependencies

    monkeypatch.setattr(dependencies, "missing_packages", lambda: ["imagecodecs"])
    return dependencies


def test_slicer_s_own_installer_is_used_even_if_nobody_imported_it_before(
    dependencies: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import slicer
    import slicer.util

    (tmp_path / "packaging.py").write_text(PACKAGING)
    monkeypatch.setattr(slicer, "__path__", [*slicer.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "slicer.packaging", raising=False)
    monkeypatch.delattr(slicer, "packaging", raising=False)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: pytest.fail("asked by itself"))
    try:
        dependencies.ensure_installed()
        requirements, requester = sys.modules["slicer.packaging"].asked[0]
    finally:
        sys.modules.pop("slicer.packaging", None)
        vars(slicer).pop("packaging", None)
    assert requester == "MedCompress"
    assert [line.partition(">=")[0] for line in requirements] == ["imagecodecs", "crackle-codec"]


def test_a_slicer_without_an_installer_asks_first_and_takes_no_for_an_answer(
    dependencies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer.util

    questions: list[str] = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: bool(questions.append(text)))
    monkeypatch.setattr(slicer.util, "pip_install", lambda package: pytest.fail("installed without consent"))
    with pytest.raises(RuntimeError, match="imagecodecs"):
        dependencies.ensure_installed()
    assert len(questions) == 1


def test_the_requirements_file_names_what_the_code_looks_for_without_comments_on_a_line(dependencies: Any) -> None:
    lines = (REPOSITORY / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {line.partition(">=")[0] for line in lines} == set(dependencies.REQUIREMENTS.values())
    assert not [line for line in lines if "#" in line or "==" in line]
