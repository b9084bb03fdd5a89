# SPDX-License-Identifier: Apache-2.0
"""moto_server.py FOLDER: a real moto (Secrets Manager, Parameter Store, KMS, IAM, STS) on loopback that checks every signature and every action,
and before it a front of our own, labelled as such, that passes requests on untouched or forces a fault that moto cannot show. Writes
certificates into FOLDER, prints one JSON line with ports and access keys, then obeys one JSON line of standard input after the other and
answers each with one. Ends when standard input does.

  {"do": "aws", "service": S, "call": C, "args": {...}}   as the administrator, through boto3; {"b64": "..."} stands for bytes
  {"do": "moto", "run": true|false}                       starts and stops the server; what it holds stays
  {"do": "front", "fault": F, "times": N, "ms": M}        for the next N requests that are not for the metadata service
  {"do": "requests"}                                      counts by action since the last question, and what came for metadata
  {"do": "metadata", "mode": M, "lifetime": SECONDS}      ok, no-role, bad-json, expired, slow, missing
  {"do": "ed25519", "mode": M}                            the front plays KMS with an Ed25519 key, which moto lacks: ok, p256, liar, off"""

import base64
import datetime
import http.client
import http.server
import ipaddress
import json
import os
import ssl
import sys
import threading
import time

os.environ["MOTO_ALLOW_NONEXISTENT_REGION"] = "false"
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "1000000000"

import boto3  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: E402
from moto import settings  # noqa: E402
from moto.core.authorization import ActionAuthenticatorMixin  # noqa: E402
from moto.moto_server.threaded_moto_server import ThreadedMotoServer  # noqa: E402

FOLDER = sys.argv[1]
REGION = "eu-west-1"

# The policies of tenuo_aws(8): who may see public keys, who may sign, who administers.
ACTIONS = {
    "public": ["secretsmanager:DescribeSecret", "ssm:GetParameterHistory", "kms:GetPublicKey"],
    "sign": ["secretsmanager:GetSecretValue", "ssm:GetParameter", "kms:Decrypt", "kms:GetPublicKey", "kms:Sign"],
    "admin": [
        "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:ListSecrets", "secretsmanager:CreateSecret",
        "secretsmanager:UpdateSecret", "secretsmanager:UpdateSecretVersionStage", "secretsmanager:DeleteSecret",
        "ssm:GetParameter", "ssm:GetParameterHistory", "ssm:DescribeParameters", "ssm:PutParameter", "ssm:DeleteParameter",
        "kms:Encrypt", "kms:Decrypt",
    ],
    "nobody": ["sts:GetCallerIdentity"],
}


class State:
    fault, times, delay = None, 0, 0
    seen, metadata_seen = {}, []
    metadata, lifetime = "ok", 3600
    kms = "off"
    moto_port = 0
    lock = threading.Lock()


def document(actions):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})


def client(service, key=None):
    key = key or {"AccessKeyId": "setup", "SecretAccessKey": "setup"}
    return boto3.client(
        service, endpoint_url=f"http://127.0.0.1:{State.moto_port}", region_name=REGION, aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"])


def set_up():
    iam = client("iam")
    keys = {}
    for name, actions in {**ACTIONS, "root": ["*"]}.items():
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=document(actions))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys[name] = {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
    role = iam.create_role(RoleName="host", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="host", PolicyName="host", PolicyDocument=document(ACTIONS["sign"]))
    keys["role"] = client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    kms = client("kms")
    keys["kms_key"] = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/wrapping", TargetKeyId=keys["kms_key"])
    settings.INITIAL_NO_AUTH_ACTION_COUNT = ActionAuthenticatorMixin.request_count
    return keys


# ---- the front ----

def error(code, message="a message", status=400):
    return status, json.dumps({"__type": code, "message": message}).encode()


FAULTS = {
    "throttle": lambda: error("ThrottlingException", "Rate exceeded"),
    "too-many": lambda: error("TooManyRequestsException", status=429),
    "500": lambda: error("InternalServiceError", status=500),
    "503": lambda: (503, b"<html>busy</html>"),
    "expired": lambda: error("ExpiredTokenException", "The security token included in the request is expired"),
    "skew": lambda: error("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than 20261125T000000Z"),
    "too-skewed": lambda: error("RequestTimeTooSkewed", status=403),
    "deny": lambda: error("AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized to perform: x"),
    "disabled": lambda: error("DisabledException", "arn:aws:kms:x is disabled."),
    "garbage": lambda: (200, b"\x00\xff{[}"),
    "empty": lambda: (200, b""),
    "half": lambda: (200, b'{"SecretBinary": "AAAA'),
    "huge": lambda: (200, b'{"x": "' + b"A" * (4 << 20) + b'"}'),
    "deep": lambda: (200, b'{"x":' * 20000 + b"1" + b"}" * 20000),
    "not-object": lambda: (200, b'["SecretBinary"]'),
    "odd": lambda: error("SomethingNew\x1b[2J", "odd\u0007"),
    "redirect": lambda: (302, b""),
}


class Ed25519:
    """What KMS does with a key of spec ECC_NIST_EDWARDS25519, from its reference; moto has no such key."""

    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    arn = "arn:aws:kms:eu-west-1:123456789012:key/ed"

    @classmethod
    def answer(cls, action, ask):
        if ask["KeyId"] != "alias/tenuo-signer":
            return error("NotFoundException", "Alias is not found.")
        if action == "GetPublicKey":
            der = cls.key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            spec = "ECC_NIST_P256" if State.kms == "p256" else "ECC_NIST_EDWARDS25519"
            return 200, json.dumps({
                "KeyId": cls.arn, "KeySpec": spec, "CustomerMasterKeySpec": spec, "KeyUsage": "SIGN_VERIFY",
                "PublicKey": base64.b64encode(der).decode(), "SigningAlgorithms": ["ED25519_SHA_512", "ED25519_PH_SHA_512"]}).encode()
        if ask["MessageType"] != "RAW" or ask["SigningAlgorithm"] != "ED25519_SHA_512":
            return error("InvalidKeyUsageException")
        message = base64.b64decode(ask["Message"])
        signature = cls.key.sign(message + b"!" if State.kms == "liar" else message)
        return 200, json.dumps({
            "KeyId": cls.arn, "Signature": base64.b64encode(signature).decode(), "SigningAlgorithm": "ED25519_SHA_512"}).encode()


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # an answer in one piece

    def log_message(self, *args):
        pass

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", f"http://127.0.0.1:{State.moto_port}/")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        action = self.headers.get("X-Amz-Target", "?").rsplit(".", 1)[-1]
        with State.lock:
            State.seen[action] = State.seen.get(action, 0) + 1
            fault = State.fault if State.times > 0 else None
            State.times -= 1
        if fault == "slow":
            time.sleep(State.delay / 1000)
        elif fault == "drop":
            self.close_connection = True
            return
        elif fault == "half-answer":  # promises more than it sends
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"SecretBinary": ')
            self.close_connection = True
            return
        elif fault:
            self.send(*FAULTS[fault]())
            return
        if State.kms != "off" and action in ("GetPublicKey", "Sign"):
            self.send(*Ed25519.answer(action, json.loads(body)))
            return
        self.pass_on(body)

    def pass_on(self, body):
        try:
            moto = http.client.HTTPConnection("127.0.0.1", State.moto_port, timeout=20)
            moto.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    moto.putheader(name, value)
            moto.endheaders(body)
            answer = moto.getresponse()
            self.send(answer.status, answer.read())
            moto.close()
        except OSError:
            self.close_connection = True

    # ---- the metadata service of an instance, and of a container: ours, since moto has neither ----

    def note(self):
        State.metadata_seen.append(f"{self.command} {self.path}")
        if State.metadata == "slow":
            time.sleep(4)

    def do_PUT(self):
        self.note()
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if State.metadata == "missing":
            self.send(404, b"")
        elif self.path == "/latest/api/token" and ttl.isdigit() and 0 < int(ttl) <= 21600:
            self.send(200, b"IMDSTOKEN==")
        else:
            self.send(400, b"")

    def credentials(self):
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=State.lifetime)
        if State.metadata == "bad-json":
            return 200, b'{"Code": "Success", "AccessKeyId": 7}'
        key = KEYS["role"]
        return 200, json.dumps({
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z", "AccessKeyId": key["AccessKeyId"],
            "SecretAccessKey": key["SecretAccessKey"], "Token": key["SessionToken"],
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()

    def do_GET(self):
        self.note()
        base = "/latest/meta-data/iam/security-credentials/"
        if self.path == "/task/credentials":
            if self.headers.get("Authorization", "") != "Bearer container-secret":
                self.send(401, b"")
            else:
                self.send(*self.credentials())
        elif self.headers.get("X-aws-ec2-metadata-token") != "IMDSTOKEN==":
            self.send(401, b"")
        elif self.path == base:
            self.send(404 if State.metadata == "no-role" else 200, b"host")
        elif self.path == base + "host":
            self.send(*self.credentials())
        else:
            self.send(404, b"")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # a client that did not like our certificate


# ---- certificates ----

def make_certificate(name, issuer, issuer_key, address):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    build = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(key.public_key())
             .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
             .not_valid_after(now + datetime.timedelta(days=2))
             .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True))
    if address:
        build = build.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    certificate = build.sign(issuer_key or key, hashes.SHA256())
    return certificate, key


def write_certificates():
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    for name in ("ca", "other-ca"):
        ca, ca_key = make_certificate(name, None, None, None)
        with open(f"{FOLDER}/{name}.pem", "wb") as file:
            file.write(ca.public_bytes(serialization.Encoding.PEM))
        for leaf, address in (("good", loopback), ("wrong-name", x509.DNSName("elsewhere.example"))):
            if name == "ca":
                certificate, key = make_certificate(leaf, ca.subject, ca_key, address)
                with open(f"{FOLDER}/{leaf}.pem", "wb") as file:
                    file.write(certificate.public_bytes(serialization.Encoding.PEM))
                    file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def start_front(certificate):
    server = Server(("127.0.0.1", 0), Front)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{FOLDER}/{certificate}.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server.server_address[1]


# ---- what the test asks for ----

def plain(value):
    if isinstance(value, dict):
        if set(value) == {"b64"}:
            return base64.b64decode(value["b64"])
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def shown(value):
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)


def obey(ask, moto):
    if ask["do"] == "aws":
        answer = getattr(client(ask["service"], KEYS["root"]), ask["call"])(**plain(ask.get("args", {})))
        return {"answer": answer}
    if ask["do"] == "moto":
        if ask["run"]:
            moto.append(ThreadedMotoServer(ip_address="127.0.0.1", port=State.moto_port, verbose=False))
            moto[-1].start()
        else:
            moto.pop().stop()
    elif ask["do"] == "front":
        State.fault, State.delay = ask["fault"], ask.get("ms", 0)
        State.times = ask.get("times", 1)
    elif ask["do"] == "requests":
        answer = {"seen": State.seen, "total": sum(State.seen.values()), "metadata": State.metadata_seen}
        State.seen, State.metadata_seen = {}, []
        return answer
    elif ask["do"] == "metadata":
        State.metadata, State.lifetime = ask["mode"], ask.get("lifetime", 3600)
    elif ask["do"] == "ed25519":
        State.kms = ask["mode"]
    return {}


def main():
    global KEYS
    first = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    first.start()
    State.moto_port = first.get_host_and_port()[1]
    KEYS = set_up()
    write_certificates()
    print(json.dumps({
        "moto": State.moto_port, "front": start_front(None), "tls": start_front("good"), "wrong_name": start_front("wrong-name"),
        "keys": KEYS}, default=str), flush=True)
    moto = [first]
    for line in sys.stdin:
        try:
            answer = {"ok": True, **obey(json.loads(line), moto)}
        except Exception as problem:  # the test decides whether that was expected
            answer = {"ok": False, "problem": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(answer, default=shown), flush=True)
    os._exit(0)


main()
