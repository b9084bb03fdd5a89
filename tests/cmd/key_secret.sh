# SPDX-License-Identifier: Apache-2.0
# needs plugins
# A secret is nowhere but in its store: not in any answer, not in arguments or environment, not in a child, not in a dump.
configuration
sed -i '/^resolver/d' tenuo.conf
echo "resolver  required  file  path=$DIR/keys" >>tenuo.conf
export TENUO_CONF=$DIR/tenuo.conf
hex=$(cat mallory.key)
printf '%s' "$hex" | python3 -c '
import base64, sys
seed = bytes.fromhex(sys.stdin.read())
print(seed.hex(), seed.hex().upper(), base64.b64encode(seed).decode().rstrip("="), base64.urlsafe_b64encode(seed).decode().rstrip("="), sep="\n")' >forms
python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(open("mallory.key").read()))' >raw
holds() { # is the seed in the file, as bytes or as text?
    python3 - "$1" <<'PY'
import sys
seen = open(sys.argv[1], "rb").read()
seed = bytes.fromhex(open("mallory.key").read())
sys.exit(not (seed in seen or any(form in seen for form in open("forms", "rb").read().split())))
PY
}
holds mallory.key && holds raw && echo the search finds what is there
# everything that a command says
say() { "$TENUO" "$@" >>said 2>&1; echo "$?" >>statuses; }
say key import file:mallory - --verbose <mallory.key
for words in list 'list --json' 'show mallory' 'show mallory --json' 'public mallory' 'public mallory --json' 'test mallory' 'test mallory --json' \
    'test file:mallory --verbose' 'rotate file:mallory --check' 'rotate file:mallory --check --json'; do
    say key $words
done
say key import file:mallory mallory.key
say key import file:mallory mallory.key --json
say key import file:mallory "$hex"
say key import "$hex" mallory.key
say key import "file:$hex" nothing
say key show "$hex"x:y
say keygen --to "$hex:x"
say keygen --to file:new --also-public new.pub
say keygen --to file:newer --json
say key remove file:mallory --yes
tr '\n' ' ' <statuses; echo
python3 - <<'PY'
# what a user typed into the wrong place comes back only where it is a name that the message must show
import re
said, hex = open("said").read(), open("mallory.key").read().strip()
print(sorted({line.split(hex)[0][:40] for line in said.split("\n") if hex in line}))
PY
grep -c -e PRIVATE said
# neither does keygen - on a terminal, unless it is asked for
python3 "$here/terminal.py" '' '' sh -c '"$0" keygen - >/dev/tty' "$TENUO" >shown 2>&1; cat shown
python3 "$here/terminal.py" '' '' sh -c '"$0" keygen - --show-secret >/dev/tty' "$TENUO" 2>/dev/null | sed '2s/ .*/ SECRET/'
# while the secret is in the process: arguments, environment, children, memory
python3 - "$TENUO" <<'PY'
import os, resource, signal, sys, time
out, into = os.pipe()
pid = os.fork()
if pid == 0:
    os.dup2(out, 0)
    os.close(into)
    os.dup2(os.open("killed.out", os.O_WRONLY | os.O_CREAT, 0o600), 1)
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    os.execv(sys.argv[1], [sys.argv[1], "key", "import", "file:killed", "-"])
secret = open("mallory.key", "rb").read()
forms = [bytes.fromhex(secret.decode()), *open("forms", "rb").read().split()]
os.write(into, secret)
end = time.monotonic() + 20
def read(name):
    with open(f"/proc/{pid}/{name}", "rb") as f:
        return f.read()
def limit():
    return [line.split()[4:6] for line in read("limits").split(b"\n") if line.startswith(b"Max core file size")][0]
while not (limit() == [b"0", b"0"] and b"\nState:\tS" in read("status")) and time.monotonic() < end:
    time.sleep(0.02)  # until it waits for the end of the secret
print("core file size:", b" ".join(limit()).decode())
print("in the arguments:", any(form in read("cmdline") for form in forms))
if os.getuid() == 0:
    print("in the environment:", any(form in read("environ") for form in forms))
else:  # what is not dumpable cannot be looked at by its own user
    print("in the environment:", os.access(f"/proc/{pid}/environ", os.R_OK))
print("children:", read(f"task/{pid}/children").split())
os.kill(pid, signal.SIGABRT)
status = os.waitpid(pid, 0)[1]
print("killed by:", os.WTERMSIG(status), "dumped:", os.WCOREDUMP(status))
PY
holds killed.out || echo nothing was said
[ -e keys/killed.key ] || echo nothing was stored
