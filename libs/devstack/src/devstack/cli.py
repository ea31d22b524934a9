"""The `switchhook` command. Verbs import what they need when they run, so that each starts fast."""

import asyncio
import os
import sys
from typing import Annotated, NoReturn

import typer

from devstack.errors import StackError
from devstack.paths import ROOT, STATE
from operations.commands import application, run
from operations.installation import Installation

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def here() -> Installation:
    """The stack that `dev` runs."""
    from devstack.operated import running_installation

    return running_installation(STATE)


app = application("switchhook", "Switchhook: joins chat bots to the rest of a company's software.", here)


@app.command()
def dev(
    reset: Annotated[bool, typer.Option("--reset", help="Forget all data first.")] = False,
    port: Annotated[int, typer.Option(help="The gateway's port; 0 takes any free one.")] = 8080,
) -> None:
    """Run everything on this machine until Ctrl-C.

    SWITCHHOOK_KAFKA (host:port) and SWITCHHOOK_DATABASE (a DSN that may create databases and roles) name servers to
    use instead of embedded ones.
    """
    import uvloop

    from devstack.dev import run as run_stack

    # As the services: the gateway is in this process.
    uvloop.run(run_stack(STATE, port=port, forget=reset))


@app.command()
def demo(
    trace: Annotated[str, typer.Option(metavar="FILE", help="Draw one event's recorded trace into this SVG.")] = "",
) -> None:
    """Tell the whole story once, on a throw-away stack: exit code 0 only if every step came out as it should."""
    run_module("devstack.demo", *(["--trace", trace] if trace else []))


@app.command("test", context_settings=PASS_ON)
def run_suite(
    context: typer.Context,
    which: Annotated[
        str,
        typer.Argument(metavar="[fast|slow|containers|observability]", help="Which tests; then arguments for pytest."),
    ] = "",
    containers: Annotated[
        bool,
        typer.Option(
            "--containers", help="On a Kafka and a PostgreSQL in containers; the component tests without words."
        ),
    ] = False,
) -> None:
    """Run the whole suite, lint and types included; `fast`: what needs no servers; `slow`: what takes long; `containers`: deploy/ in real containers;
    `observability`: dashboards and alerts on a real Prometheus."""
    from devstack.testing import run_tests

    raise typer.Exit(run_tests([which, *context.args] if which else [], contained=containers))


@app.command("apply", context_settings=PASS_ON)
def apply_bots(context: typer.Context) -> None:
    """Bring a project's bots to what the files of a folder say: what `switchhook-bots apply` does. `apply --help` for more."""
    from botfiles.cli import main as bots_command

    raise typer.Exit(bots_command(["apply", *context.args], "switchhook"))


@app.command("export", context_settings=PASS_ON)
def export_bots(context: typer.Context) -> None:
    """Write a project's bots into the files of a folder: what `switchhook-bots export` does. `export --help` for more."""
    from botfiles.cli import main as bots_command

    raise typer.Exit(bots_command(["export", *context.args], "switchhook"))


@app.command(context_settings=PASS_ON)
def flow(context: typer.Context) -> None:
    """Check, test and simulate flow documents, with no server: what `switchhook-flow` does. `flow --help` for more."""
    from flowtools.cli import main as flow_command

    raise typer.Exit(flow_command(context.args, "switchhook flow"))


@app.command(context_settings=PASS_ON)
def bench(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Measure: ingress, engine, dispatch, e2e, latency, gateway, idle, growth, memory, disk, nodes, neighbours, broadcast, ordered, revoke or tenant. The last line is JSON."""
    known = sorted(file.stem for file in (ROOT / "bench").glob("*.py") if file.stem in BENCHES)
    if name not in known:
        raise StackError(f"There is no bench {name}: choose one of {', '.join(known)}.")
    run_module(f"bench.{name}", *context.args)


@app.command(context_settings=PASS_ON)
def chaos(context: typer.Context) -> None:
    """Crash, freeze, cut, poison and fill everything under load and check what came out. `--fault NAME`, `--help` for more."""
    run_module("bench.chaos", *context.args)


@app.command(context_settings=PASS_ON)
def simulate(context: typer.Context) -> None:
    """Run the services in one process on a virtual clock and print what happened. `--seed N --broken WHAT --quiet`."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    run_module("simulation", *context.args)


@app.command()
def doctor() -> None:
    """Check this machine, and the stack if it runs; exit code 1 if something needs attention."""
    from devstack.doctor import examine

    raise typer.Exit(asyncio.run(examine()))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def images(
    context: typer.Context,
    version: Annotated[str, typer.Option(help="The tag; by default the version of this checkout.")] = "",
    prefix: Annotated[str, typer.Option(help="What goes before the names.")] = "localhost/switchhook",
) -> None:
    """Build the images of the services and of the operator's jobs, with podman or docker; other words go to its `build`."""
    from importlib.metadata import version as version_of

    from devstack.images import build_all

    build_all(version or version_of("switchhook-contracts"), prefix, context.args, typer.echo)


@app.command()
def release(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="major.minor.patch, newer than the last tag.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    branch: Annotated[str, typer.Option(help="The branch that it is made on.")] = "main",
) -> None:
    """Make a release of what is checked out: changelog, versions and released schemas in one commit, with its tag.

    The suite is CI's: here tests/contract looks at what is written, before it is committed.
    """
    from datetime import UTC, datetime

    from devstack.release import release as make
    from devstack.testing import run_tests

    def check() -> bool:
        return run_tests(["tests/contract"]) == 0

    make(ROOT, version, branch, datetime.now(UTC).date(), dry_run=dry_run, check=check, tell=typer.echo)


@app.command(context_settings=PASS_ON)
def lock(context: typer.Context) -> None:
    """Write requirements.lock anew from the pyproject.toml files, keeping every version that still fits."""
    # The script has it, since it must work before anything is installed; it is here to be listed.
    os.execv(ROOT / "switchhook", ["switchhook", "lock", *context.args])  # noqa: S606 (no shell is the point)


@app.command()
def schemas() -> None:
    """Write contracts/schemas (JSON Schemas, AsyncAPI) and docs/reference anew."""
    run_module("devstack.schemas")


BENCHES = frozenset(
    {
        "broadcast",
        "ingress",
        "engine",
        "disk",
        "dispatch",
        "e2e",
        "gateway",
        "contacts",
        "growth",
        "idle",
        "latency",
        "memory",
        "neighbours",
        "nodes",
        "ordered",
        "revoke",
        "tenant",
    }
)


def run_module(module: str, *arguments: str) -> NoReturn:
    """Go on as `python -m module`, so that signals and the exit code are its own."""
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 (no shell is the point)


def main() -> None:
    """Run the command."""
    run(app)


if __name__ == "__main__":
    main()
