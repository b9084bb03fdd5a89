# SPDX-License-Identifier: Apache-2.0
"""Approvals, gates, revocation lists and requests, receipts: what one side makes, the other must read, and both must decide
alike. The reference as a black box, as in interop.py."""

import base64
import hashlib
import os
import time

import tenuo_core as t

import specs
from interop import Key, armor, join_stack, split_stack


def warrant_id(envelope):
    return t.Warrant.from_bytes(envelope).id


def refused(action):
    """True when the reference refuses, which it says by an exception."""
    try:
        action()
    except Exception:  # every refusal of the reference is an exception
        return True
    return False


def raw(value):
    return bytes.fromhex(value) if isinstance(value, str) else bytes(value)


class Gated:
    """A root warrant for one holder with one gated tool, and a call that fires the gate or does not."""

    def __init__(self, rng):
        self.rng = rng
        self.root, self.holder, self.stranger = Key(rng), Key(rng), Key(rng)
        self.approvers = [Key(rng) for _ in range(rng.randint(1, 4))]
        self.threshold = rng.randint(1, len(self.approvers))
        self.tool, self.arg, value = specs.word(rng), specs.word(rng), specs.word(rng)
        self.kind = rng.choice(["whole", "all", "constraint", "exempt"])
        self.match, self.other = value, value + "-other"
        self.spec = specs.Spec("one_of", [value, "keep"], value, self.other)

    def calls(self):
        """(arguments, does the gate fire?)"""
        fires_on_match, fires_on_other = {"whole": (True, True), "all": (True, True), "constraint": (True, False),
                                          "exempt": (False, True)}[self.kind]
        return [({self.arg: self.match}, fires_on_match), ({self.arg: self.other}, fires_on_other)]

    def reference(self, ttl):
        value = {"whole": None, "all": {self.arg: None}, "constraint": {self.arg: self.spec.reference(t)},
                 "exempt": {self.arg: {"exempt": self.spec.reference(t)}}}[self.kind]
        w = t.Warrant.issue(self.root.ref, {self.tool: {self.arg: t.Wildcard()}}, ttl_seconds=ttl, holder=self.holder.ref.public_key,
                            required_approvers=[a.ref.public_key for a in self.approvers], min_approvals=self.threshold,
                            approval_gates={self.tool: value})
        return bytes(w.to_bytes())

    def ours(self, run, ttl, now):
        gate = {"tool": self.tool}
        if self.kind != "whole":
            gate.update(arg=self.arg, kind=self.kind)
        if self.kind in ("constraint", "exempt"):
            gate["constraint"] = specs.cbor(self.spec.wire()).hex()
        r = run("mint", seed=self.root.seed.hex(), holder=self.holder.public.hex(), now=now, ttl=ttl,
                tools=[[self.tool, specs.wire_set({self.arg: specs.Spec("wildcard", None, "any", None)}).hex()]], gates=[gate],
                approvers=[a.public.hex() for a in self.approvers], min_approvals=self.threshold)
        return split_stack(bytes.fromhex(r["stack"]))[0]


def approve_ours(run, key, digest, now, lifetime=300):
    return bytes.fromhex(run("approve", seed=key.seed.hex(), hash=digest.hex(), now=now, lifetime=lifetime, external_id="someone")["approval"])


def approve_reference(key, digest, now, lifetime=300):
    payload = t.ApprovalPayload(digest, os.urandom(16), "someone", now, now + lifetime)
    return bytes(t.SignedApproval.create(payload, key.ref).to_bytes())


class Judges:
    """Both deciders for one root, with the same call."""

    def __init__(self, run, root):
        self.run, self.root = run, root

    def decide(self, stack, tool, args, pop, now, approvals=(), srl=None):
        members = {"approvals": [a.hex() for a in approvals]}
        if srl is not None:
            members["srl"] = srl.hex()
        mine = self.run("authorize", stack=stack.hex(), root=self.root.public.hex(), tool=tool, args=specs.cbor(args).hex(), pop=pop.hex(),
                        now=now, **members)

        def theirs():
            a = t.Authorizer(trusted_roots=[self.root.ref.public_key])
            if srl is not None:
                a.set_revocation_list(t.SignedRevocationList.from_bytes(srl))
            links = t.decode_warrant_stack_base64(armor(stack))
            a.check_chain(links, tool, args, signature=pop, as_of=now, approvals=[t.SignedApproval.from_bytes(x) for x in approvals] or None)
        return mine["ok"], not refused(theirs), mine


def gated_case(tap, run, rng, number):
    now, case, made_by_us = int(time.time()), Gated(rng), number % 2 == 0
    label = f"gate {number}, {'ours' if made_by_us else 'reference'}, {case.kind}, {case.threshold} of {len(case.approvers)}"
    link = case.ours(run, 3000, now) if made_by_us else case.reference(3000)
    stack, judges = join_stack([link]), Judges(run, case.root)
    for args, fires in case.calls():
        pop = bytes(t.Warrant.from_bytes(link).sign(case.holder.ref, case.tool, args, now))
        mine, theirs, answer = judges.decide(stack, case.tool, args, pop, now)
        tap.ok(mine == theirs == (not fires), f"{label}: without approvals" + (f", {answer}" if mine != (not fires) else ""))
        if not fires:
            continue
        tap.ok(answer["code"] == 1707, f"{label}: the answer asks for approval")
        both_hash(tap, run, label, link, case, args)
        approvals_decide_alike(tap, run, label, judges, case, stack, link, args, pop, now)


def both_hash(tap, run, label, link, case, args):
    theirs = bytes(t.py_compute_request_hash(warrant_id(link), case.tool, args, case.holder.ref.public_key))
    ours = run("request_hash", warrant_id=warrant_id(link), tool=case.tool, args=specs.cbor(args).hex(), holder=case.holder.public.hex())
    tap.ok(ours["hash"] == theirs.hex(), f"{label}: one request hash")
    attested = t.py_build_approval_context_attestation(case.holder.ref, warrant_id(link), case.tool, args, case.holder.ref.public_key)
    mine = run("attest", seed=case.holder.seed.hex(), warrant_id=warrant_id(link), tool=case.tool, args=specs.cbor(args).hex())
    tap.ok(base64.b64decode(attested[1]["signature"]).hex() == mine["signature"], f"{label}: one attestation of the context")


def approvals_decide_alike(tap, run, label, judges, case, stack, link, args, pop, now):
    digest = bytes(t.py_compute_request_hash(warrant_id(link), case.tool, args, case.holder.ref.public_key))
    signers = case.rng.sample(case.approvers, case.threshold)
    good = [approve_ours(run, k, digest, now) if i % 2 else approve_reference(k, digest, now) for i, k in enumerate(signers)]
    other = hashlib.sha256(digest).digest()
    variants = {
        "enough": (good, True),
        "one too few": (good[:-1], False),
        "one twice": (good[:-1] + good[:1] if case.threshold > 1 else [], False),
        "of another call": (good[:-1] + [approve_reference(signers[-1], other, now)], False),
        "by a stranger": (good[:-1] + [approve_reference(case.stranger, digest, now)], False),
        "expired": (good[:-1] + [approve_ours(run, signers[-1], digest, now - 400)], False),
        "dated ahead": (good[:-1] + [approve_reference(signers[-1], digest, now + 100)], False),
        "spoilt": (good[:-1] + [good[-1][:-1] + bytes([good[-1][-1] ^ 1])], False),
    }
    for name, (approvals, allowed) in variants.items():
        mine, theirs, answer = judges.decide(stack, case.tool, args, pop, now, approvals)
        tap.ok(mine == theirs == allowed, f"{label}: {name}" + ("" if mine == theirs == allowed else f": {mine} {theirs} {answer}"))
    read = run("approval", approval=good[0].hex())
    tap.ok(read["ok"] and read["hash"] == digest.hex() and read["external_id"] == "someone", f"{label}: what an approval says")


def revocation_case(tap, run, rng, number):
    now, root, holder, other = int(time.time()), Key(rng), Key(rng), Key(rng)
    w = t.Warrant.issue(root.ref, {"go": {}}, ttl_seconds=3000, holder=holder.ref.public_key)
    child = w.attenuate({"go": {}}, holder.ref, holder=other.ref.public_key)
    stack = join_stack([bytes(w.to_bytes()), bytes(child.to_bytes())])
    pop = bytes(child.sign(other.ref, "go", {}, now))
    noise = ["tnu_wrt_" + rng.randbytes(16).hex() for _ in range(rng.randint(0, 40))]
    judges = Judges(run, root)
    for name, ids, allowed in (("others", noise, True), ("the leaf", noise + [child.id], False), ("its parent", noise + [w.id], False)):
        version = rng.randint(1, 2**40)
        made = {"ours": bytes.fromhex(run("srl", seed=root.seed.hex(), version=version, ids=ids, now=now)["srl"]),
                "reference": bytes(t.SrlBuilder().version(version).revoke_all(ids).build(root.ref).to_bytes())}
        for maker, srl in made.items():
            label = f"list {number} by {maker} with {name}"
            mine, theirs, _ = judges.decide(stack, "go", {}, pop, now, srl=srl)
            tap.ok(mine == theirs == allowed, f"{label}: decided alike" + ("" if mine == theirs == allowed else f": {mine} {theirs}"))
            read = run("srl_read", srl=srl.hex(), issuer=root.public.hex())
            theirs = t.SignedRevocationList.from_bytes(srl)
            tap.ok(read["ok"] and read["version"] == theirs.version and read["ids"] == sorted(set(theirs.revoked_ids)), f"{label}: one content")
            tap.ok(read["sha256"] == bytes(t.srl_commitment_digest(srl)).hex(), f"{label}: one digest")
            spoilt = srl[:-1] + bytes([srl[-1] ^ 1])
            tap.ok(not run("srl_read", srl=spoilt.hex(), issuer=root.public.hex())["ok"]
                   and not run("srl_read", srl=srl.hex(), issuer=other.public.hex())["ok"], f"{label}: spoilt or by another key")
    request = t.RevocationRequest.new(child.id, "lost key", other.ref)
    read = run("revoke_read", request=bytes(request.to_bytes()).hex())
    tap.ok(read["ok"] and read["warrant_id"] == child.id and read["reason"] == "lost key" and read["requestor"] == other.public.hex(),
           f"request {number} by the reference is read")
    mine = bytes.fromhex(run("revoke", seed=other.seed.hex(), warrant_id=child.id, reason="gone", now=now)["request"])
    tap.ok(not refused(lambda: t.RevocationRequest.from_bytes(mine).verify_signature()), f"request {number} by us is read")


def receipt_case(tap, run, rng, number):
    now, root, holder, signer = int(time.time()), Key(rng), Key(rng), Key(rng)
    w = t.Warrant.issue(root.ref, {"go": {}}, ttl_seconds=3000, holder=holder.ref.public_key)
    args = {specs.word(rng): specs.word(rng)}
    pop = bytes(w.sign(holder.ref, "go", args, now))
    stack = join_stack([bytes(w.to_bytes())])
    digest = bytes(t.py_compute_request_hash(w.id, "go", args, holder.ref.public_key))
    authorizer = t.Authorizer(trusted_roots=[root.ref.public_key])
    issuer = t.ReceiptIssuer(signer.ref)
    issuer.bind_authorizer(authorizer)
    result = authorizer.check_chain([w], "go", args, signature=pop, as_of=now)
    theirs = issuer.issue_receipt(result, "go", True, now, f"req-{number}")
    theirs = bytes.fromhex(theirs)
    read = run("receipt_read", receipt=theirs.hex())
    tap.ok(read["ok"] and read["signer"] == signer.public.hex() and read["allow"] and read["action"] in ("go", "tool:go") and
           read["request_id"] == f"req-{number}" and read.get("request_hash") == digest.hex(), f"receipt {number} by the reference is read" +
           ("" if read["ok"] else f": {read}"))
    spoilt = bytearray(theirs)
    spoilt[rng.randrange(40, len(spoilt))] ^= 1
    tap.ok(not run("receipt_read", receipt=bytes(spoilt).hex())["ok"], f"receipt {number} spoilt is refused")
    mine = run("receipt", seed=signer.seed.hex(), stack=stack.hex(), tool="go", allow=True, now=now, request_id=f"req-{number}", pop=pop.hex(),
               request_hash=digest.hex(), prev=hashlib.sha256(theirs).hexdigest())
    payload = t.verify_receipt(bytes.fromhex(mine["receipt"]))
    tap.ok(payload.request_id == f"req-{number}" and payload.timestamp == now and raw(payload.request_hash) == digest and
           raw(payload.prev_receipt_hash) == hashlib.sha256(theirs).digest() and raw(payload.pop_signature) == pop,
           f"receipt {number} by us is read")
    deny = run("receipt", seed=signer.seed.hex(), stack=stack.hex(), tool="go", allow=False, now=now, request_id="r",
               decision_code="warrant-expired")
    tap.ok(t.verify_receipt(bytes.fromhex(deny["receipt"])).decision_code == "warrant-expired", f"receipt {number} of a denial is read")


def run_all(tap, run, rng, cases):
    for number in range(cases):
        gated_case(tap, run, rng, number)
        revocation_case(tap, run, rng, number)
        receipt_case(tap, run, rng, number)
