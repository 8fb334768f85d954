"""Prints the seccomp program of a systemd unit, for bubblewrap's --seccomp.

It reads the same keys that systemd turns into such programs. What they forbid ends the process at once instead of failing with
EPERM, so that a program which survives was denied nothing.

usage: sandbox.py UNIT >PROGRAM
"""

import subprocess
import sys

import seccomp
from seccomp import EQ, MASKED_EQ, Arg

# linux/sched.h, linux/personality.h, sys/mman.h, sys/stat.h
NAMESPACES = [0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00020000]
PROT_EXEC, PROT_WRITE = 4, 2
SHM_EXEC = 0o100000
SET_ID_BITS = [0o4000, 0o2000]
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}


def settings(unit):
    """All values of all keys; a key that stands twice has two."""
    found = {}
    with open(unit, encoding="utf-8") as lines:
        for line in lines:
            key, separator, value = line.strip().partition("=")
            if separator and not line.startswith("#"):
                found.setdefault(key, []).append(value)
    return found


def calls(name):
    """The system calls of a set such as @system-service, or the one call that is named."""
    if not name.startswith("@"):
        return {name}
    listing = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    members = [line.strip() for line in listing.stdout.splitlines()[1:]]
    return set().union(*(calls(member) for member in members if member and not member.startswith("#")))


def allowed(filters):
    result = set()
    for words in filters:
        if words.startswith("~"):
            result -= set().union(*map(calls, words[1:].split()))
        else:
            result |= set().union(*map(calls, words.split()))
    return result


def add(program, action, call, *conditions):
    try:
        program.add_rule(action, call, *conditions)
    except RuntimeError:
        # Calls of other architectures.
        pass


def main(unit):
    unit = settings(unit)
    names = allowed(unit["SystemCallFilter"])
    # bubblewrap starts the program after it has installed the filter.
    names |= {"execve"}
    program = seccomp.SyscallFilter(seccomp.KILL_PROCESS)
    families = [FAMILIES[name] for name in unit["RestrictAddressFamilies"][0].split()]
    conditional = {"socket", "personality", "mmap", "mprotect", "pkey_mprotect", "shmat", "clone", "unshare", "setns", "clone3"}
    conditional |= {"chmod", "fchmod", "fchmodat", "mknod", "mknodat", "open", "openat", "creat", "sched_setscheduler"}
    for name in sorted(names - conditional):
        add(program, seccomp.ALLOW, name)
    for family in families:
        add(program, seccomp.ALLOW, "socket", Arg(0, EQ, family))
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        add(program, seccomp.ALLOW, "mmap", Arg(2, MASKED_EQ, PROT_EXEC | PROT_WRITE, 0))
        add(program, seccomp.ALLOW, "mmap", Arg(2, MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC))
        add(program, seccomp.ALLOW, "mmap", Arg(2, MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_WRITE))
        add(program, seccomp.ALLOW, "mprotect", Arg(2, MASKED_EQ, PROT_EXEC, 0))
        # The dynamic linker, of a program whose text has relocations; systemd leaves it the same way out.
        add(program, seccomp.ALLOW, "shmat", Arg(2, MASKED_EQ, SHM_EXEC, 0))
    if unit.get("RestrictNamespaces") == ["yes"]:
        every = sum(NAMESPACES)
        add(program, seccomp.ALLOW, "clone", Arg(0, MASKED_EQ, every, 0))
        # Its flags are in memory, where a filter cannot look: systemd answers ENOSYS, and the C library takes clone.
        add(program, seccomp.ERRNO(38), "clone3")
    if unit.get("RestrictSUIDSGID") == ["yes"]:
        both = sum(SET_ID_BITS)
        for name, position in [("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mknod", 1), ("mknodat", 2), ("creat", 1)]:
            add(program, seccomp.ALLOW, name, Arg(position, MASKED_EQ, both, 0))
        for name, flags in [("open", 1), ("openat", 2)]:
            add(program, seccomp.ALLOW, name, Arg(flags + 1, MASKED_EQ, both, 0))
    if unit.get("RestrictRealtime") == ["yes"]:
        add(program, seccomp.ALLOW, "sched_setscheduler", Arg(1, EQ, 0))
    if unit.get("LockPersonality") == ["yes"]:
        add(program, seccomp.ALLOW, "personality", Arg(0, EQ, 0))
        add(program, seccomp.ALLOW, "personality", Arg(0, EQ, 0xFFFFFFFF))
    program.export_bpf(sys.stdout)


main(sys.argv[1])
