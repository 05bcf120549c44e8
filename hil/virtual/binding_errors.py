"""The errors of PowerShell's parameter binder, with its ids and texts (ParameterBinderStrings.resx of PowerShell)."""

from __future__ import annotations

from hil.virtual.powershell import Cmdlet, CmdletError

BINDING_EXCEPTION = "System.Management.Automation.ParameterBindingException"


def ambiguous(cmdlet: Cmdlet) -> CmdletError:
    return binding_error(
        cmdlet, "AmbiguousParameterSet", "Parameter set cannot be resolved using the specified named parameters. "
        "One or more parameters issued cannot be used together or an insufficient number of parameters were provided.",
    )  # fmt: skip


def transformation_error(cmdlet: Cmdlet, parameter: str, why: str) -> CmdletError:
    """A script function converts by an attribute, a binary cmdlet in the binder: two ids for one mistake."""
    if cmdlet.error_suffix == cmdlet.name:
        return binding_error(
            cmdlet, "ParameterArgumentTransformationError",
            f"Cannot process argument transformation on parameter '{parameter}'. {why}", category="InvalidData",
            exception="System.Management.Automation.ParameterBindingArgumentTransformationException",
        )  # fmt: skip
    return binding_error(cmdlet, "CannotConvertArgumentNoMessage", f"Cannot bind parameter '{parameter}'. {why}")


def binding_error(
    cmdlet: Cmdlet, error_id: str, message: str, *, category: str = "InvalidArgument", target: object = None,
    exception: str = BINDING_EXCEPTION,
) -> CmdletError:  # fmt: skip
    return CmdletError(
        message, error_id=f"{error_id},{cmdlet.error_suffix}", category=category, target=target, terminating=True,
        exception=exception,
    )  # fmt: skip
