"""Run one command and report what it took: `python -I -S spawn.py FD PROGRAM [ARGUMENT]…`.

Writes `START END STATUS CPU PEAK` to the file descriptor FD: two readings of the monotonic clock in seconds, the exit
status (negative: the signal), user plus system time in seconds and the peak memory in KiB, each of the program
together with every process it waited for.
"""

# A process of its own and built-in modules only, because the kernel counts what a process held before `exec` into its
# peak memory: started from the benchmark itself, even curl would seem to need what the benchmark needs.
import posix
import sys
import time

SIGPIPE = 13


def main() -> None:
    report, program = int(sys.argv[1]), sys.argv[2:]
    posix.set_inheritable(report, False)
    start = time.monotonic()
    # Python ignores SIGPIPE and would hand that down.
    child = posix.posix_spawn(program[0], program, posix.environ, setsigdef=[SIGPIPE])
    _, status, usage = posix.wait4(child, 0)
    end = time.monotonic()
    cpu = usage.ru_utime + usage.ru_stime
    posix.write(report, f"{start} {end} {posix.waitstatus_to_exitcode(status)} {cpu} {usage.ru_maxrss}".encode())


if __name__ == "__main__":
    main()
