# SPDX-License-Identifier: Apache-2.0
"""A laboratory of real key stores on loopback: what the tests of this folder share.

Lab stages plugins and configurations in a private folder and runs the command and the driver. Each store class starts its server (if it
has one) as a child that dies with the test, gives the configuration line that leads to it, and can go away and come back."""

import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import ssl


class Missing(Exception):
    """A program or server that this store needs is not on this machine."""


class Tap:
    def __init__(self):
        self.number = self.failed = 0

    def ok(self, good, text, *why):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {text}")
        if not good:
            for line in why:
                print("#   " + str(line).replace("\n", "\n#   "))
        sys.stdout.flush()
        return bool(good)

    def skip(self, text, why):
        self.number += 1
        print(f"ok {self.number} - {text} # SKIP {why}")

    def done(self):
        print(f"1..{self.number}")
        sys.stdout.flush()
        return 1 if self.failed else 0


def need(program):
    found = shutil.which(program)
    if found is None:
        raise Missing(f"{program} is not installed")
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_pair():
    """Two ports in a row, as the TPM's transport wants them."""
    for _ in range(50):
        first = free_port()
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", first + 1))
                return first
            except OSError:
                continue
    raise Missing("no two free ports in a row")


def wait_for(what, seconds=20.0, child=None):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if child is not None and child.poll() is not None:
            raise RuntimeError(f"the server ended with {child.returncode}")
        try:
            if what():
                return
        except (OSError, subprocess.SubprocessError):
            pass
        time.sleep(0.05)
    raise RuntimeError("the server did not get ready in time")


def freeze(child):
    """Stops a server, and waits until every thread of it has stopped."""
    child.send_signal(signal.SIGSTOP)
    tasks = pathlib.Path(f"/proc/{child.pid}/task")
    wait_for(lambda: all((t / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T" for t in tasks.iterdir()), 5)


class Lab:
    def __init__(self, tenuo, driver, plugins):
        self.tenuo, self.driver_path = os.path.abspath(tenuo), driver and os.path.abspath(driver)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="tenuo-lab-", dir="/tmp"))
        self.dir.chmod(0o700)
        self.plugins = self.dir / "plugins"
        self.plugins.mkdir(mode=0o755)
        for file in pathlib.Path(plugins).iterdir():
            if file.is_file() and (file.suffix == ".so" or os.access(file, os.X_OK)):
                shutil.copy(file, self.plugins / file.name)
                (self.plugins / file.name).chmod(0o755)
        self.children = []
        self.confs = 0
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("TENUO_KEY_", "AWS_", "VAULT_", "SSH_AUTH"))}
        self.run("keygen", self.path("root"))
        self.root_pub = self.path("root.pub")

    def path(self, name):
        return str(self.dir / name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, name, *command, env=None, cwd=None):
        log = open(self.path(name + ".log"), "ab")
        child = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env={**self.env, **(env or {})}, cwd=cwd or self.dir)
        self.children.append(child)
        return child

    def conf(self, *lines, settings=()):
        """Writes a configuration with these resolver lines, and gives its path."""
        self.confs += 1
        path = self.dir / f"lab{self.confs}.conf"
        text = [f"set plugin_dir {self.plugins}", *settings, f"trust required file path={self.root_pub}", *lines,
                f"audit required jsonl path={self.dir}/audit.jsonl"]
        path.write_text("\n".join(text) + "\n")
        path.chmod(0o600)
        return str(path)

    def run(self, *words, stdin=None, ok=True, env=None):
        done = subprocess.run([self.tenuo, *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**self.env, **(env or {})}, cwd=self.dir, timeout=60, check=False)
        if ok and done.returncode != 0:
            raise RuntimeError(f"tenuo {' '.join(words)}: {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
        return done

    def json(self, *words, **more):
        return json.loads(self.run(*words, "--json", **more).stdout)

    def driver(self, env=None, wrap=(), stderr=None):
        return Driver([*wrap, self.driver_path], {**self.env, **(env or {})}, self.dir, stderr)

    def warrant(self, public_key, ttl="1h", tool="t"):
        """A root warrant for the holder of that key (32 bytes), as text."""
        name = self.path(f"w{public_key.hex()[:16]}")
        self.run("mint", "--key", self.path("root.key"), "--holder", public_key.hex(), "--tool", tool, "--ttl", ttl, "-o", name)
        return pathlib.Path(name).read_text()


class Driver:
    def __init__(self, command, env, cwd, stderr=None):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr or subprocess.DEVNULL, text=True,
                                  env=env, cwd=cwd)

    def __call__(self, op, **members):
        self.p.stdin.write(json.dumps({"op": op, **members}) + "\n")
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        if not line:
            raise RuntimeError(f"the driver ended with {self.p.wait()}")
        return json.loads(line)

    def end(self):
        self.p.stdin.close()
        try:
            return self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.p.kill()
        self.end()


class Store:
    """A store on the laboratory's bench. `module` is its plugin; `remote` says that it keeps the secret to itself, `in_process` that
    it does so in the memory of whoever uses it, as a token in software does."""
    module, remote, can_import, versions, in_process = "", False, True, True, False

    def __init__(self, lab):
        self.lab = lab
        if not (lab.plugins / f"tenuo_{self.module}.so").exists():
            raise Missing(f"the plugin {self.module} was not built")

    env = {}

    def args(self):
        raise NotImplementedError

    def line(self, control="required", name=None, more=""):
        return f"resolver {control} {self.module} {self.args()} name={name or self.title} {more}".rstrip()

    def away(self):
        """Makes the store unable to answer."""
        raise NotImplementedError

    def back(self):
        raise NotImplementedError


class FileStore(Store):
    title, module = "file", "file"

    def __init__(self, lab, folder="keys"):
        super().__init__(lab)
        self.folder = lab.dir / folder
        self.folder.mkdir(mode=0o700)

    def args(self):
        return f"path={self.folder}"

    def away(self):
        self.folder.rename(str(self.folder) + ".away")

    def back(self):
        pathlib.Path(str(self.folder) + ".away").rename(self.folder)


class Keyring(Store):
    """In the session keyring that run.sh made for this test."""
    title, module = "keyring", "keyring"
    count = 0

    def __init__(self, lab):
        super().__init__(lab)
        need("keyctl")
        if subprocess.run(["keyctl", "show", "@s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            raise Missing("this kernel has no keyrings for us")
        Keyring.count += 1
        self.prefix = f"lab{os.getpid()}-{Keyring.count}:"

    def args(self):
        return f"keyring=session prefix={self.prefix}"


class SshAgent(Store):
    title, module, remote = "ssh_agent", "ssh_agent", True
    count = 0

    def __init__(self, lab):
        super().__init__(lab)
        self.program = need("ssh-agent")
        SshAgent.count += 1
        self.socket = lab.path(f"agent{SshAgent.count}.sock")
        self.start()

    def start(self):
        self.child = self.lab.start("ssh-agent", self.program, "-D", "-a", self.socket)
        wait_for(lambda: os.path.exists(self.socket), child=self.child)

    def args(self):
        return f"socket={self.socket}"

    def away(self):
        freeze(self.child)

    def back(self):
        self.child.send_signal(signal.SIGCONT)


class SoftHsm(Store):
    title, module, remote, in_process = "pkcs11", "pkcs11", True, True

    def __init__(self, lab):
        super().__init__(lab)
        need("softhsm2-util")
        found = [p for p in pathlib.Path("/usr/lib").glob("*/softhsm/libsofthsm2.so")] + [pathlib.Path("/usr/lib/softhsm/libsofthsm2.so")]
        self.library = next((str(p.resolve()) for p in found if p.exists()), None)
        if self.library is None:
            raise Missing("libsofthsm2.so is not installed")
        self.tokens = lab.dir / "tokens"
        self.tokens.mkdir(mode=0o700)
        conf = lab.dir / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": str(conf)}
        lab.env.update(self.env)
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "lab", "--pin", "123456", "--so-pin", "567890"],
                       env=lab.env, stdout=subprocess.DEVNULL, check=True)
        self.pin = lab.dir / "pin"
        self.pin.write_text("123456\n")
        self.pin.chmod(0o600)

    def args(self):
        return f"module={self.library} uri=pkcs11:token=lab;object={{key_id}} pin_file={self.pin}"

    def away(self):
        self.tokens.rename(str(self.tokens) + ".away")

    def back(self):
        pathlib.Path(str(self.tokens) + ".away").rename(self.tokens)


class Tpm(Store):
    title, module = "tpm2", "tpm2"

    def __init__(self, lab):
        super().__init__(lab)
        self.program = need("swtpm")
        self.state = lab.dir / "tpmstate"
        self.state.mkdir(mode=0o700)
        self.folder = lab.dir / "tpmkeys"
        self.folder.mkdir(mode=0o700)
        self.port = free_pair()
        self.start()

    def start(self):
        self.child = self.lab.start("swtpm", self.program, "socket", "--tpm2", "--tpmstate", f"dir={self.state}",
                                    "--server", f"type=tcp,port={self.port},bindaddr=127.0.0.1,disconnect=off",
                                    "--ctrl", f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1",
                                    "--flags", "not-need-init,startup-clear")
        wait_for(self.listens, child=self.child)

    def listens(self):
        with open("/proc/net/tcp", encoding="ascii") as table:
            return any(f":{self.port:04X} " in row.split()[1] + " " and row.split()[3] == "0A" for row in table.readlines()[1:])

    def args(self):
        return f"path={self.folder} tcti=swtpm:host=127.0.0.1,port={self.port}"

    def away(self):
        self.child.terminate()
        self.child.wait(10)

    def back(self):
        self.start()


class VaultServer:
    """One development server with TLS for all engines."""

    def __init__(self, lab):
        self.lab = lab
        self.program = os.environ.get("TENUO_VAULT") or next(
            (str(p) for p in pathlib.Path(os.environ.get("TENUO_CACHE", "/nonexistent")).glob("vault-*/vault")), None)
        if self.program is None:
            raise Missing("Vault was not built")
        self.folder = lab.dir / "vault"
        self.folder.mkdir(mode=0o700)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.token = lab.dir / "vault-token"
        self.token.write_text("lab-root")
        self.token.chmod(0o600)
        self.child = lab.start("vault", self.program, "server", "-dev", "-dev-tls", f"-dev-tls-cert-dir={self.folder}",
                               "-dev-root-token-id=lab-root", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{self.port}",
                               "-log-level=warn", env={"HOME": str(lab.dir)})
        self.ca = self.folder / "vault-ca.pem"
        wait_for(lambda: self.call("GET", "sys/health") is not None, child=self.child)
        self.call("POST", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
        self.call("POST", "sys/mounts/transit", {"type": "transit"})

    def call(self, method, path, body=None):
        context = ssl.create_default_context(cafile=str(self.ca))
        request = urllib.request.Request(f"{self.url}/v1/{path}", method=method, data=json.dumps(body).encode() if body else None,
                                         headers={"X-Vault-Token": "lab-root"})
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:
            data = answer.read()
            return json.loads(data) if data else {}

    def away(self):
        freeze(self.child)

    def back(self):
        self.child.send_signal(signal.SIGCONT)


class Vault(Store):
    module, server = "vault", None
    engine, mount = "kv2", "secret"

    def __init__(self, lab):
        super().__init__(lab)
        if getattr(lab, "vault", None) is None:
            lab.vault = VaultServer(lab)

    def args(self):
        v = self.lab.vault
        return f"url={v.url} ca={v.ca} token_file={v.token} engine={self.engine} mount={self.mount}"

    def away(self):
        self.lab.vault.away()

    def back(self):
        self.lab.vault.back()


class VaultKv2(Vault):
    title = "vault-kv2"


class VaultKv1(Vault):
    title, engine, mount = "vault-kv1", "kv1", "kv1"


class VaultTransit(Vault):
    title, engine, mount, remote, can_import = "vault-transit", "transit", "transit", True, False


class MotoServer:
    """The three AWS services, behind TLS, so that nothing can be read on the way."""

    def __init__(self, lab):
        self.lab = lab
        self.program = os.environ.get("TENUO_MOTO") or next(
            (str(p) for p in pathlib.Path(os.environ.get("TENUO_CACHE", "/nonexistent")).glob("moto-*/bin/moto_server")), None)
        if self.program is None:
            raise Missing("moto was not installed")
        self.ca = lab.path("moto.pem")
        key = lab.path("moto.key")
        subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", self.ca],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.child = lab.start("moto", self.program, "-H", "127.0.0.1", "-p", str(self.port), "-s", "-c", self.ca, "-k", key)
        context = ssl.create_default_context(cafile=self.ca)
        wait_for(lambda: urllib.request.urlopen(self.url + "/moto-api/", context=context, timeout=2).status == 200, 40, self.child)
        lab.env.update({"AWS_ACCESS_KEY_ID": "AKIALAB", "AWS_SECRET_ACCESS_KEY": "lab-secret"})

    def away(self):
        freeze(self.child)

    def back(self):
        self.child.send_signal(signal.SIGCONT)


class Aws(Store):
    module, service = "aws", "secretsmanager"

    def __init__(self, lab):
        super().__init__(lab)
        if getattr(lab, "moto", None) is None:
            lab.moto = MotoServer(lab)

    def args(self):
        return f"service={self.service} region=eu-central-1 endpoint={self.lab.moto.url} ca={self.lab.moto.ca} recovery=0"

    def away(self):
        self.lab.moto.away()

    def back(self):
        self.lab.moto.back()


class AwsSecretsManager(Aws):
    title = "aws-secretsmanager"


class AwsSsm(Aws):
    title, service = "aws-ssm", "ssm"


STORES = [FileStore, Keyring, SshAgent, SoftHsm, Tpm, VaultKv2, VaultKv1, VaultTransit, AwsSecretsManager, AwsSsm]


def stores(lab, tap, kinds=None):
    """Every store that this machine has; the others are counted as skipped, with the reason."""
    for kind in kinds or STORES:
        try:
            yield kind(lab)
        except Missing as why:
            tap.skip(kind.title, why)
