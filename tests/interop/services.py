# SPDX-License-Identifier: Apache-2.0
"""The real service behind each kind of key store, on loopback and in the test's own folder: how it is started, and the line of the
configuration that names it. A store is a class with `name`, `missing()` (why it cannot run here, or None), `start()`, `line()` and
`stop()`; STORES is the table. What it starts ends with it."""

import ctypes
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

CACHE = os.environ.get("TENUO_CACHE") or os.path.expanduser("~/.cache/tenuo")
SERVICES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "services")
SOFTHSM = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so")
SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine, -1), 1


def absent(*programs):
    missing = [p for p in programs if shutil.which(p) is None]
    return f"{missing[0]} is not installed" if missing else None


def free_ports(count):
    """Neighbouring free ports; the first."""
    for _ in range(200):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            first = s.getsockname()[1]
        try:
            for port in range(first, first + count):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports")


def ends_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


class Child:
    """A server that is a child of ours, with its output in a file."""

    def __init__(self, log, *command, pipes=False, **env):
        with open(log, "ab") as out:
            self.p = subprocess.Popen(command, stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                                      stdout=subprocess.PIPE if pipes else out, stderr=out, text=True, env={**os.environ, **env},
                                      preexec_fn=ends_with_us)

    def wait_for(self, ready, seconds=20):
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if self.p.poll() is not None:
                raise RuntimeError(f"it ended with {self.p.returncode}")
            try:
                if ready():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError("it did not become ready")

    def stop(self):
        self.p.terminate()
        try:
            self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()


def connects(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


class Store:
    child = None
    key_id = None  # of a key that is there already and cannot be made, replaced or removed

    def __init__(self, run):
        self.run = run
        self.folder = os.path.join(run, self.name)

    def missing(self):
        return None

    def start(self):
        os.mkdir(self.folder, 0o700)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            f.write(text)
        return self.path(name)

    def stop(self):
        if self.child is not None:
            self.child.stop()


class File(Store):
    name = "file"

    def line(self):
        return f"file path={self.folder}"


class Keyring(Store):
    """A session keyring of this process and its children."""
    name = "keyring"

    def missing(self):
        if SYS_KEYCTL < 0 or ctypes.CDLL(None, use_errno=True).syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, None) < 0:
            return "the kernel or the sandbox has no keyrings"
        return None

    def line(self):
        return "keyring keyring=session"


class SshAgent(Store):
    name = "ssh_agent"

    def missing(self):
        return absent("ssh-agent")

    def start(self):
        super().start()
        self.child = Child(self.path("log"), "ssh-agent", "-D", "-a", self.path("s"))
        self.child.wait_for(lambda: os.path.exists(self.path("s")))

    def line(self):
        return f"ssh_agent socket={self.path('s')}"


class Pkcs11(Store):
    """SoftHSM."""
    name = "pkcs11"

    def missing(self):
        self.module = next((os.path.realpath(p) for p in SOFTHSM if os.path.exists(p)), None)
        return absent("softhsm2-util") or (None if self.module else "SoftHSM's module is not there")

    def start(self):
        super().start()
        os.mkdir(self.path("tokens"), 0o700)
        os.environ["SOFTHSM2_CONF"] = self.write("softhsm.conf", f"directories.tokendir = {self.path('tokens')}\nobjectstore.backend = file\n")
        self.write("pin", "1234\n")
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "tenuo", "--pin", "1234", "--so-pin", "5678"], check=True,
                       stdout=subprocess.DEVNULL)

    def line(self):
        return f"pkcs11 uri=pkcs11:token=tenuo module={self.module} pin_file={self.path('pin')}"


class Tpm2(Store):
    """swtpm."""
    name = "tpm2"

    def missing(self):
        return absent("swtpm")

    def start(self):
        super().start()
        os.mkdir(self.path("state"), 0o700)
        os.mkdir(self.path("keys"), 0o700)
        self.port = free_ports(2)
        self.child = Child(self.path("log"), "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.path('state')}", "--server",
                           f"type=tcp,port={self.port},bindaddr=127.0.0.1,disconnect=off", "--ctrl",
                           f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1", "--flags", "not-need-init,startup-clear")
        self.child.wait_for(lambda: connects(self.port + 1))

    def line(self):
        return f"tpm2 path={self.path('keys')} tcti=swtpm:host=127.0.0.1,port={self.port}"


class Vault(Store):
    """A Vault server of its own for each engine, in memory."""
    mount = None

    def missing(self):
        given = os.environ.get("TENUO_VAULT")
        found = [given] if given else sorted(glob.glob(f"{CACHE}/vault-*/vault"))
        self.program = next((p for p in found if os.access(p, os.X_OK)), None)
        return None if self.program else "Vault is not built: run tests/services/install_vault.sh with TENUO_CACHE set"

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v1/{path}", data=data, headers={"X-Vault-Token": "administrator"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return answer.status in (200, 204)

    def start(self):
        super().start()
        port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.child = Child(self.path("log"), self.program, "server", "-dev", "-dev-root-token-id=administrator", "-dev-no-store-token",
                           f"-dev-listen-address=127.0.0.1:{port}", HOME=self.folder)
        self.child.wait_for(lambda: self.ask("sys/health"), 60)
        self.write("token", "administrator\n")
        if self.mount is not None:
            self.ask("sys/mounts/own", self.mount)

    def line(self):
        where = "" if self.mount is None else " mount=own"
        return f"vault url={self.url} engine={self.engine}{where} token_file={self.path('token')}"


class VaultKv2(Vault):
    name, engine = "vault_kv2", "kv2"


class VaultKv1(Vault):
    name, engine, mount = "vault_kv1", "kv1", {"type": "kv", "options": {"version": "1"}}


class VaultTransit(Vault):
    name, engine, mount = "vault_transit", "transit", {"type": "transit"}


class Aws(Store):
    """moto, which checks signatures and policies."""
    options = ""

    def missing(self):
        self.python = f"{CACHE}/moto-5.2.5/bin/python"
        return None if os.access(self.python, os.X_OK) else "moto is not there: run tests/services/install_moto.sh with TENUO_CACHE set"

    def ask(self, **members):
        self.child.p.stdin.write(json.dumps(members) + "\n")
        self.child.p.stdin.flush()
        answer = json.loads(self.child.p.stdout.readline())
        if not answer["ok"]:
            raise RuntimeError(str(answer))

    def start(self):
        super().start()
        self.child = Child(self.path("log"), self.python, os.path.join(SERVICES, "moto_server.py"), self.folder, pipes=True)
        about = json.loads(self.child.p.stdout.readline())
        key = about["keys"]["root"]
        self.port = about["front"]
        self.write("credentials", f"[default]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n")

    def line(self):
        return (f"aws service={self.service} region=eu-west-1 endpoint=http://127.0.0.1:{self.port} "
                f"credentials_file={self.path('credentials')}{self.options}")


class AwsSecrets(Aws):
    name, service, options = "aws_secretsmanager", "secretsmanager", " recovery=0"


class AwsParameters(Aws):
    name, service = "aws_ssm", "ssm"


class AwsUnwrap(Aws):
    name, service = "aws_kms_unwrap", "kms"

    def start(self):
        super().start()
        os.mkdir(self.path("keys"), 0o700)
        self.options = f" mode=unwrap kms_key=alias/wrapping path={self.path('keys')}"


class AwsSign(Aws):
    """FAKE: a front of our own plays KMS with an Ed25519 key, which moto lacks."""
    name, service, options, key_id = "aws_kms_sign", "kms", " mode=sign", "signer"

    def start(self):
        super().start()
        self.ask(do="ed25519", mode="ok")


STORES = [File, Keyring, SshAgent, Pkcs11, Tpm2, VaultKv2, VaultKv1, VaultTransit, AwsSecrets, AwsParameters, AwsUnwrap, AwsSign]
