"""``hil``: one module per command, each loading what it needs when it is called."""

from __future__ import annotations

import sys
from typing import Any

from hil.errors import ExitCode, HilError


def main() -> None:
    """Run the command line and exit by its outcome; an error of ours is one message, without a traceback."""
    sys.exit(run_command())


def run_command(arguments: list[str] | None = None) -> int:
    """The exit code of a command line (that of the process, when none is given)."""
    import typer

    # typer may carry its own copy of click, so the base of its usage errors has no fixed home
    refused: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
    try:
        code = _app()(arguments, standalone_mode=False)
    except HilError as error:
        print(f"hil: {type(error).__name__}: {error}", file=sys.stderr)
        return int(error.exit_code)
    except refused as error:
        error.show()
        return int(ExitCode.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return int(ExitCode.INTERRUPTED)
    except Exception:  # noqa: BLE001 - Python would end with 1, which says that the device is bad
        import traceback

        traceback.print_exc()
        return int(ExitCode.INTERNAL)
    # typer's word for Ctrl-C is 130
    return int(ExitCode.INTERRUPTED) if code == 130 else int(code or 0)


def _app() -> Any:
    import typer

    from hil.cli import (
        bench,
        bisect,
        check,
        doctor,
        faults,
        history,
        history_pages,
        instruments,
        lab,
        package,
        precheck,
        provision,
        report,
        repro,
        run,
        shell,
        storm,
        watch,
    )

    options: dict[str, Any] = {"no_args_is_help": True, "add_completion": False, "rich_markup_mode": None}
    app = typer.Typer(**options, pretty_exceptions_enable=False)
    app.callback(help="Hardware-in-the-loop tests of Windows NIC drivers.")(lambda: None)
    app.command(context_settings=run.CONTEXT)(run.run)
    groups: dict[str, tuple[str, tuple[Any, ...]]] = {
        "bench": ("Who holds a bench, whether it is in service, the ways back, emergency off.",
                  (bench.status, bench.release, bench.recover, bench.off)),
        "lab": ("Virtual benches.", (lab.up, lab.packages)),
        "package": ("Driver packages on disk, without a Windows machine.", (package.check, package.rules)),
    }  # fmt: skip
    for name, (about, commands) in groups.items():
        group = typer.Typer(**options)
        group.callback(help=about)(lambda: None)
        for command in commands:
            group.command()(command)
        app.add_typer(group, name=name)
    past = typer.Typer(**{**options, "no_args_is_help": False})
    past.callback(invoke_without_command=True)(history.overview)
    past.command("import")(history.take_in)
    for command in (
        history.trend, history.measurements, history.tests, history.accept, history_pages.pages, history_pages.compare,
        history_pages.lost,
    ):  # fmt: skip
        past.command()(command)
    app.add_typer(past, name="history")
    single = (
        check.check, doctor.doctor, provision.provision, faults.faults, instruments.instruments, precheck.precheck,
        report.report, repro.repro, watch.watch, bisect.bisect, storm.storm, shell.shell,
    )  # fmt: skip
    for command in single:
        app.command()(command)
    return app
