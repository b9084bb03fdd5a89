# SPDX-License-Identifier: Apache-2.0
"""terminal.py EARLY ANSWER COMMAND...: runs the command with a terminal of its own, on which EARLY is typed before anything is asked and
ANSWER after the question ("-": end of input). Prints what the terminal showed; standard output and error stay."""

import os
import pty
import select
import sys
import time

early, answer, command = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3:]
out, err = os.dup(1), os.dup(2)
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(out, 1)
    os.dup2(err, 2)
    time.sleep(0.2)  # so that the early words are there before the command starts
    os.execvp(command[0], command)
if early:
    os.write(terminal, early + b"\n")
shown = b""
end = time.monotonic() + 30
while time.monotonic() < end:
    if not select.select([terminal], [], [], 1)[0]:
        continue
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    shown += part
    if answer and shown.endswith(b"Type yes: "):
        os.write(terminal, b"\x04" if answer == b"-" else answer + b"\n")
        answer = b""
os.close(terminal)  # ends a command that still waits
for line in shown.replace(b"\r", b"").decode("utf-8", "backslashreplace").split("\n"):
    print("tty> " + line)
print("=", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
