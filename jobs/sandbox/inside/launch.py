"""Becomes a Monty worker: hardens this process, tells which layers hold, and executes the program.

The process in charge of Monty (`python.py`) starts this where it wants the program itself.
"""

import json
import os

from .hardening import PROGRAM, become_program, harden_program


def main(program: str, report: int, memory: int) -> None:
    """`report` is a descriptor that takes the layers as JSON; `memory` is address space in bytes."""
    opened = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(opened, PROGRAM, inheritable=False)
    os.close(opened)
    os.write(report, json.dumps(harden_program(os.getppid(), memory)).encode())
    os.closerange(3, PROGRAM)
    os.closerange(PROGRAM + 1, 1024)
    become_program(["monty", "subprocess"])
