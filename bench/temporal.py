# SPDX-License-Identifier: Apache-2.0
"""temporal.py OURS REFERENCE: what authorization adds to one activity, ours beside the reference's, on one real server in one run. OURS and
REFERENCE are interpreters. Also what `import tenuo` costs, and one decision through Python."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python" / "tests"))
import lab  # noqa: E402

COUNT = "1000"
IMPORT = ("import time\nt=time.perf_counter()\nimport tenuo\nms=(time.perf_counter()-t)*1e3\n"
          "print(ms,int([l for l in open('/proc/self/status') if l.startswith('VmRSS')][0].split()[1])/1024)")
DECIDE = """
import time, tenuo
from tenuo import SigningKey, Subpath, Warrant, Authorizer
root, holder = SigningKey.generate(), SigningKey.generate()
w = Warrant.mint_builder().holder(holder.public_key).capability("read_file", path=Subpath("/data")).ttl(3600).mint(root)
data, now = w.to_bytes(), int(time.time())
args = {"path": "/data/x"}
pop = bytes(w.sign(holder, "read_file", args, now))
auth = Authorizer(trusted_roots=[root.public_key])
from_bytes = Warrant.from_bytes
def one():
    auth.authorize_one(from_bytes(data), "read_file", args, signature=pop)
for _ in range(300): one()
best = 1e9
for _ in range(20):
    t = time.thread_time()
    for _ in range(200): one()
    best = min(best, (time.thread_time() - t) / 200)
print(best * 1e6)
"""
WARM = DECIDE.replace("def one():\n    auth.authorize_one(from_bytes(data)", "ours = tenuo.Verifier([root.public_key])\ndef one():\n    ours.authorize(data").replace(
    "signature=pop)", "pop, as_of=now)")


def run(python, env, *command):
    done = subprocess.run([python, *command], capture_output=True, text=True, timeout=400, env={**os.environ, **env, "TENUO_ENV": "test"}, check=False,
                          cwd="/")
    if not done.stdout.strip():
        sys.exit(done.stderr)
    return done.stdout.strip().splitlines()[-1]


def load(python, env, address, kind):
    return json.loads(run(python, env, str(HERE / "temporal_load.py"), address, kind, COUNT))


def main():
    ours, reference = (sys.argv[1], {}), (sys.argv[2], {"PYTHONPATH": ""})
    for name, (python, env) in (("ours", ours), ("reference", reference)):
        ms, mib = map(float, min((run(python, env, "-c", IMPORT) for _ in range(5)), key=lambda t: float(t.split()[0])).split())
        print(f"import tenuo, {name:9}: {ms:7.1f} ms, {mib:5.1f} MiB")
    decide = [float(run(python, env, "-c", DECIDE)) for python, env in (ours, reference)]
    print(f"the same from bytes, with the link cache warm: {float(run(*ours, '-c', WARM)):.1f} us")
    print(f"decode + authorize through Python: {decide[0]:.1f} us, reference {decide[1]:.1f} us: {decide[1] / decide[0]:.2f} times as fast")
    with lab.dev_server() as address:
        plain, theirs, own = load(*ours, address, "plain"), load(*reference, address, "tenuo"), load(*ours, address, "tenuo")
        plain_there = load(*reference, address, "plain")
    added, added_there = own["us"] - plain["us"], theirs["us"] - plain_there["us"]
    print(f"CPU of a worker for one activity: plain {plain['us']:.0f} us, ours {own['us']:.0f} us, reference {theirs['us']:.0f} us")
    print(f"added by authorization: ours {added:.0f} us, reference {added_there:.0f} us: {added_there / added:.2f} times less")


main()
