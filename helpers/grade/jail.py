"""A program in a jail: `python -I -S jail.py SPEC PROGRAM ARGUMENT...`, where SPEC is the JSON of `Jail`.

A script of the standard library alone, so that it starts in a few hundredths of a second. It always sets the resource
limits and, if it is root, takes an unprivileged user. With `namespaces` (Linux; as root, or where the system lets
users make namespaces) the program also gets

- a file system of its own, in which only what it needs is there, read-only: the system's programs, this Python, the
  clone without what learners must not see; writable are /tmp and its own folders;
- process numbers of its own: when its first process ends, the kernel ends all others, whatever session they are in;
- with `network` none, a network of its own that has loopback only.

    Popen -> outer (waits, passes the exit status on) -> init (process 1: collects orphans) -> the program
"""

import ctypes
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE = 442, -100, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 1, 2
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/sys")
DEVICES = ("null", "zero", "full", "random", "urandom")
LIMITS = {"data_bytes": "RLIMIT_DATA", "processes": "RLIMIT_NPROC", "file_bytes": "RLIMIT_FSIZE", "cpu_s": "RLIMIT_CPU"}
OPEN_FILES = 4096


@dataclass(frozen=True)
class Jail:
    """What the program may do.

    Attributes:
        root: an empty folder, the mount point of its file system; only with namespaces.
        read: folders it sees beside the system's, read-only.
        write: folders it may write; they belong to `uid` already.
        hide: files and folders below those that look empty.
        reveal: folders that it sees wherever they lie, read-only.
        uid: taken where the caller is root; None keeps the caller's.
        data_bytes: of private memory in each process.
        processes, file_bytes, cpu_s: processes of the user, bytes of a file, seconds of each process.
        tmp_bytes: of /tmp and of /dev/shm, each.
        network: shared with the caller, or none.
        environment: all that the program finds in its environment.
        folder: where it starts; one of `write`.
        copy: the word of the program's arguments before a file that only the caller may read, and where the program
            finds a copy of it; empty for none.
        pid_file: where the outer process writes its number; empty for nowhere.
        parent: whose end ends the jail; `command` fills it in.
    """

    namespaces: bool
    root: str
    read: tuple[str, ...]
    write: tuple[str, ...]
    hide: tuple[str, ...]
    uid: int | None
    data_bytes: int
    processes: int
    file_bytes: int
    cpu_s: int
    tmp_bytes: int
    network: str
    environment: dict[str, str]
    folder: str
    reveal: tuple[str, ...] = ()
    copy: tuple[str, str] = ("", "")
    pid_file: str = ""
    parent: int = 0

    def command(self, *program: str) -> list[str]:
        """What this process has to start so that the program runs in the jail, and ends when this process does."""
        spec = asdict(self) | {"parent": os.getpid()}
        return [sys.executable, "-I", "-S", __file__, json.dumps(spec), *program]


LIBC = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Call a function of the C library.

    Raises:
        OSError: it failed.
    """
    if getattr(LIBC, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def die_with_parent(parent: int | None = None) -> None:
    """This process is killed when the thread that started it ends; at once if `parent` has ended already."""
    if sys.platform == "linux":
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if parent is not None and os.getppid() != parent:
            os._exit(128 + signal.SIGKILL)


def fork_that_ends_with_us() -> int:
    """fork(2), of a child with process numbers of its own, which cannot ask who its parent is.

    Its signal is set after the fork; a parent that was killed in between has closed its end of the pipe.
    """
    held, holding = os.pipe()  # its end here stays open for as long as this process lives
    child = os.fork()
    if child == 0:
        os.close(holding)
        die_with_parent()
        if select.select([held], [], [], 0)[0]:
            os._exit(128 + signal.SIGKILL)
    return child


def unshare(flags: int) -> None:
    """Leave namespaces; who is not root gets a user namespace with it, and keeps uid and gid in it.

    Raises:
        OSError: the system does not allow it.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        call("unshare", flags)
        return
    call("unshare", flags | CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path("/proc/self", name).write_text(text)


def loopback_only() -> None:
    """Leave the network behind; what stays is a loopback device, which is brought up.

    Raises:
        OSError: the system does not allow it.
    """
    unshare(CLONE_NEWNET)
    raise_loopback()


def raise_loopback() -> None:
    """Bring up the loopback device of a network of one's own."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(handle, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())


def make_read_only(target: str) -> None:
    """Everything mounted at and below a path becomes read-only (Linux 5.12)."""
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0)
    call("syscall", SYS_MOUNT_SETATTR, AT_FDCWD, target.encode(), AT_RECURSIVE, attributes, len(attributes))


def build_root(jail: Jail) -> None:
    """Mount the program's file system at `root`, all but /proc."""
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    root = jail.root
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=4m")
    os.makedirs(f"{root}/proc")
    # First of all: what is shown or written may lie below them.
    for path in ("/tmp", "/dev/shm", "/run"):
        os.makedirs(root + path)
        mount("tmpfs", root + path, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=1777,size={jail.tmp_bytes}")
    shown: list[str] = []
    for path in sorted({*SYSTEM, *jail.read}, key=len):
        if not os.path.lexists(path) or any(Path(path).is_relative_to(other) for other in shown):
            continue
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
            continue
        os.makedirs(root + path, exist_ok=True)
        mount(path, root + path, "none", MS_BIND | MS_REC)
        make_read_only(root + path)
        shown.append(path)
    for path in jail.hide:
        if os.path.isdir(root + path):
            mount("tmpfs", root + path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64k")
        elif os.path.exists(root + path):
            mount("/dev/null", root + path, "none", MS_BIND)
    for path in (*jail.write, *jail.reveal):
        os.makedirs(root + path, exist_ok=True)
        mount(path, root + path, "none", MS_BIND)
    for path in jail.reveal:
        make_read_only(root + path)
    for name in DEVICES:
        Path(root, "dev", name).touch()
        mount(f"/dev/{name}", f"{root}/dev/{name}", "none", MS_BIND)
    os.symlink("/proc/self/fd", f"{root}/dev/fd")


def drop(jail: Jail) -> None:
    """Take the limits and the unprivileged user; from here on nothing can be regained."""
    wanted = {name: getattr(jail, field) for field, name in LIMITS.items()}
    for name, value in {**wanted, "RLIMIT_CORE": 0, "RLIMIT_NOFILE": OPEN_FILES}.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    if jail.uid is not None:
        os.setgroups([])
        os.setresgid(jail.uid, jail.uid, jail.uid)
        os.setresuid(jail.uid, jail.uid, jail.uid)
    if sys.platform == "linux":
        call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def become(jail: Jail, program: list[str]) -> None:
    """Become the program."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(jail.folder)
    drop(jail)
    die_with_parent()  # again: who becomes another user loses the signal
    os.execve(program[0], program, jail.environment)


def wait_for(child: int) -> int:
    """Collect ended children until this one has; its exit code as a shell gives it."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def copied(jail: Jail, program: list[str]) -> list[str]:
    """Copy the file that only the caller may read to where the program finds it; the program with the new path."""
    word, target = jail.copy
    if not word or word not in program:
        return program
    place = program.index(word) + 1
    Path(target).unlink(missing_ok=True)  # a learner's link, for the copy to be written through
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
        copy.write(Path(program[place]).read_bytes())
        if jail.uid is not None:
            os.fchown(copy.fileno(), jail.uid, jail.uid)
    return [*program[:place], target, *program[place + 1 :]]


def run(jail: Jail, program: list[str]) -> int:
    """Run the program; return its exit code."""
    os.umask(0o022)
    die_with_parent(jail.parent)
    if jail.pid_file:
        Path(jail.pid_file).write_text(str(os.getpid()), encoding="ascii")
    program = copied(jail, program)
    if not jail.namespaces:
        become(jail, program)
    # Interrupts are for the program; they are sent to the whole process group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # At once: who is not root gets a user namespace with it, and in a second one could not mount any more.
    unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | (CLONE_NEWNET if jail.network == "none" else 0))
    if jail.network == "none":
        raise_loopback()
    build_root(jail)
    init = fork_that_ends_with_us()
    if init:
        return wait_for(init)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(143))
    mount("proc", f"{jail.root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.chroot(jail.root)
    os.chdir("/")
    child = os.fork()
    if child:
        os._exit(wait_for(child))
    become(jail, program)
    return 127


def main() -> None:
    """Read the jail from the command line and run the program in it."""
    spec = json.loads(sys.argv[1])
    lists = {name: tuple(spec[name]) for name in ("read", "write", "hide", "reveal", "copy")}
    try:
        code = run(Jail(**{**spec, **lists}), sys.argv[2:])
    except OSError as error:
        sys.stderr.write(f"jail: {error}\n")
        code = 126
    os._exit(code)


if __name__ == "__main__":
    main()
