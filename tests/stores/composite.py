# SPDX-License-Identifier: Apache-2.0
"""composite.py TENUO DRIVER PLUGINS: every combination of control words and outcomes over chains of real stores, against the table of
tenuo.conf(5). What a line answers is brought about in the store itself: the key is there, another key is there, nothing is there, the
store is gone, or it refuses."""

import base64
import itertools
import os
import shutil
import sys

import lab as bench

CONTROLS = ("required", "requisite", "sufficient", "optional")


def expected(chain):
    """(code, key) by the table: `chain` is a list of (control, outcome), an outcome being a key's name or an error's code."""
    failed, answer, first = False, None, None
    for control, outcome in chain:
        if isinstance(outcome, str):
            if answer is not None and answer != outcome:
                return 9303, None
            answer = answer or outcome
            if control == "sufficient" and not failed:
                break
            continue
        if outcome != 9300 and first is None:
            first = outcome
        if control in ("required", "requisite"):
            failed = True
        if control == "requisite":
            break
    if not failed and answer is not None:
        return 0, answer
    return first or 9300, None


class Table:
    def __init__(self, tap, lab):
        self.tap, self.lab = tap, lab
        self.keys, self.files = {}, {}
        for name in ("same", "other"):
            made = lab.json("keygen", lab.path(name))
            self.keys[name] = base64.urlsafe_b64decode(made["public_key"] + "=").hex()
            self.files[name] = lab.path(name + ".key")

    def provision(self, store, name):
        conf = self.lab.conf(store.line())
        self.lab.run("key", "import", f"{store.title}:agent", self.files[name], "--conf", conf)

    def run(self, title, columns):
        """columns: for each place in the chain a mapping of outcome to the line's text, with %s for the control word."""
        wrong, count = [], 0
        with self.lab.driver() as driver:
            for outcomes in itertools.product(*columns):
                for controls in itertools.product(CONTROLS, repeat=len(columns)):
                    lines = [columns[i][o] % c for i, (o, c) in enumerate(zip(outcomes, controls))]
                    conf = self.write(lines)
                    want = expected(list(zip(controls, outcomes)))
                    opened = driver("open", conf=conf)
                    got = driver("signer", id="agent") if opened["code"] == 0 else opened
                    count += 1
                    key = next((n for n, k in self.keys.items() if k == got.get("public_key")), None)
                    if (got["code"], key) != want:
                        wrong.append(f"{list(zip(controls, outcomes))}: want {want}, got {got}")
        self.tap.ok(not wrong and count > 100, f"{title}: {count} chains answer by the table", *wrong[:10])

    def write(self, lines):
        path = self.lab.path("table.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"set plugin_dir {self.lab.plugins}\nset deadline 700ms\ntrust required file path={self.lab.root_pub}\n" +
                    "\n".join(lines) + f"\naudit required jsonl path={self.lab.path('audit.jsonl')}\n")
        os.chmod(path, 0o600)
        return path


def file_column(table):
    lab, column = table.lab, {}
    for name in ("same", "other"):
        store = bench.FileStore(lab, "file-" + name)
        table.provision(store, name)
        column[name] = f"resolver %s file path={store.folder}"
    empty = bench.FileStore(lab, "file-empty")
    column[9300] = f"resolver %s file path={empty.folder}"
    column[9301] = f"resolver %s file path={lab.path('file-gone')}"
    closed = lab.dir / "file-closed"
    shutil.copytree(lab.dir / "file-same", closed)
    closed.chmod(0o700)
    (closed / "agent.key").chmod(0o644)
    column[9304] = f"resolver %s file path={closed}"
    return column


def live_column(table, kind):
    """Same key, other key, none, and the store gone."""
    column = {}
    for name in ("same", "other"):
        store = kind(table.lab)
        table.provision(store, name)
        column[name] = f"resolver %s {store.module} {store.args()}"
    column[9300] = f"resolver %s {store.module} {kind(table.lab).args()}"
    return column


def agent_column(table):
    column = live_column(table, bench.SshAgent)
    gone = bench.SshAgent(table.lab)
    gone.child.terminate()
    gone.child.wait(10)
    column[9301] = f"resolver %s ssh_agent {gone.args()}"
    return column


def vault_column(table):
    lab, column = table.lab, {}
    store = bench.VaultKv2(lab)
    base = f"resolver %s vault {store.args()} path_template="
    for name in ("same", "other"):
        conf = lab.conf(f"resolver required vault {store.args()} path_template={name}/{{key_id}} name=v")
        lab.run("key", "import", "v:agent", table.files[name], "--conf", conf)
        column[name] = base + name + "/{key_id}"
    column[9300] = base + "none/{key_id}"
    dead = f"https://127.0.0.1:{bench.free_port()}"
    column[9301] = f"resolver %s vault url={dead} ca={lab.vault.ca} token_file={lab.vault.token} engine=kv2 mount=secret timeout=300ms"
    lab.vault.call("POST", "sys/policies/acl/nothing", {"policy": 'path "secret/data/elsewhere" { capabilities = ["read"] }'})
    token = lab.dir / "poor-token"
    token.write_text(lab.vault.call("POST", "auth/token/create", {"policies": ["nothing"], "no_default_policy": True})["auth"]["client_token"])
    token.chmod(0o600)
    column[9304] = f"resolver %s vault url={lab.vault.url} ca={lab.vault.ca} token_file={token} engine=kv2 mount=secret path_template=same/{{key_id}}"
    return column


def broken(tap, lab, good):
    """A store whose files are not there, or not to be trusted, is the misfortune of its own line."""
    loose = lab.dir / "loose.pem"
    loose.write_text("x")
    loose.chmod(0o666)
    shared = lab.dir / "shared-secret"
    shared.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    shared.chmod(0o640)
    url = f"url=https://127.0.0.1:{bench.free_port()}"
    lines = {
        "vault without its ca": f"vault {url} ca=/nonexistent/ca.pem token_file=/nonexistent/token",
        "vault with a ca that others may write": f"vault {url} ca={loose} token_file=/nonexistent/token",
        "vault without its client certificate": f"vault {url} auth=cert cert=/nonexistent/c.pem key_file=/nonexistent/c.key",
        "vault without its token": f"vault {url} token_file=/nonexistent/token",
        "vault with a token that its group may read": f"vault {url} token_file={shared}",
        "aws with credentials that their group may read": f"aws region=eu-west-1 endpoint=https://127.0.0.1:1 credentials_file={shared}",
        "aws without its ca": "aws region=eu-west-1 endpoint=https://127.0.0.1:1 ca=/nonexistent/ca.pem",
        "aws without its credentials file": "aws region=eu-west-1 endpoint=https://127.0.0.1:1 credentials_file=/nonexistent/credentials",
        "aws kms without its folder": "aws region=eu-west-1 endpoint=https://127.0.0.1:1 service=kms path=/nonexistent",
        "pkcs11 without its module": "pkcs11 uri=pkcs11:token=lab module=/nonexistent/module.so pin_file=/nonexistent/pin",
        "tpm2 without its folder": "tpm2 path=/nonexistent",
        "keyring without its keyring": "keyring keyring=%:tenuo-nowhere",
        "ssh_agent without its socket": "ssh_agent socket=/nonexistent/agent.sock",
        "file without its folder": "file path=/nonexistent name=gone",
    }
    with lab.driver() as driver:
        for title, line in lines.items():
            if not (lab.plugins / f"tenuo_{line.split()[0]}.so").exists():
                tap.skip(title, "the plugin was not built")
                continue
            for control in ("sufficient", "optional"):
                conf = lab.conf(f"resolver {control} {line}", good % "sufficient", settings=["set deadline 1s"])
                opened = driver("open", conf=conf)
                got = driver("signer", id="agent") if opened["code"] == 0 else opened
                tap.ok(got["code"] == 0, f"{title}, {control}: the next line answers", got)
            conf = lab.conf(f"resolver required {line}", good % "sufficient", settings=["set deadline 1s"])
            opened = driver("open", conf=conf)
            got = driver("signer", id="agent") if opened["code"] == 0 else opened
            tap.ok(opened["code"] == 0 and got["code"] in (9301, 9304), f"{title}, required: nobody signs", opened, got)
            tap.ok("may read" not in title or "mode 0640" in got["message"], f"{title}: it says the mode", got)
            print(f"# {title}: {got.get('message')}")


def main():
    tap = bench.Tap()
    with bench.Lab(*sys.argv[1:4]) as lab:
        table = Table(tap, lab)
        files = file_column(table)
        for title, make in (("vault, file", lambda: [vault_column(table), files]),
                            ("ssh_agent, keyring, file", lambda: [agent_column(table), live_column(table, bench.Keyring),
                                                                  {k: files[k] for k in ("same", "other", 9300)}])):
            try:
                table.run(title, make())
            except bench.Missing as why:
                tap.skip(title, why)
        broken(tap, lab, files["same"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
