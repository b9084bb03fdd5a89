# SPDX-License-Identifier: Apache-2.0
"""coverage_table.py SOURCE [--check]: writes docs/temporal/coverage.md, or says whether it is current. Each feature of the integration has an id;
tests name the ids that they prove in their docstrings, as in [K01]."""

import ast
import pathlib
import re
import sys

FEATURES = """
P01 install with the extra `temporal`|P02 `tenuo`: SigningKey, Warrant|P03 `tenuo_core`: Subpath, Pattern, identical objects|P04 names of `tenuo.temporal`, old and new
P05 tests at python/tests/test_temporal.py and test_temporal_integration.py|P06 examples at python/examples/temporal|P07 a development server|P08 documentation page|P09 list of good practice
O01 SigningKey|O02 warrant builder|O03 constraints as capability values|O04 Warrant.sign|O05 activities without Tenuo code|O06 workflows on AuthorizedWorkflow
H01 tenuo_headers with two and three arguments|H02 TenuoClientInterceptor|H03 set_headers, once|H04 switching warrants between stages|H05 headers= on starts
H06 warrants travel in headers|H07 client and worker in separate processes
C01 interceptor and configuration|C02 key_resolver|C03 on_denial|C04 trusted_roots|C05 require_warrant|C06 block_local_activities|C07 redact_args_in_logs|C08 max_chain_depth
C09 audit_callback|C10 audit_allow, audit_deny|C11 metrics|C12 tool_mappings|C13 sandbox passthrough|C14 second import|C15 proof of possession always|C16 fail closed
C17 one process or several|C18 further fields, from_env|C19 enable_tracing
K01 EnvKeyResolver|K02 VaultKeyResolver|K03 CompositeKeyResolver|K04 KMSKeyResolver|K05 AWS and GCP secret managers|K06 resolvers of one's own|K07 production rule
X01 execute_authorized_activity|X02 tenuo_execute_activity|X03 AuthorizedWorkflow fails fast|X04 challenge bytes|X05 nobody signs in workflows|X06 attenuated children
X07 children cannot widen|X08 @tool|X09 @unprotected|X10 order of decorators|X11 retries|X12 replay
A01 audit event fields|A02 all 16 fields|A03 reason of a denial|A04 TenuoMetrics|A05 authorized counter|A06 denied counter|A07 latency histogram|A08 /metrics|A09 audit lines of the library
E01 ConstraintViolation|E02 WarrantExpired|E03 ChainValidationError|E04 PopVerificationError|E05 LocalActivityError|E06 KeyResolutionError|E07 TenuoContextError
E08 TenuoArgNormalizationError|E09 TenuoPreValidationError
M01 demo.py|M02 authorized_workflow_demo.py|M03 multi_warrant.py|M04 delegation.py|M05 quick start
T01 configuration defaults|T02 decorators|T03 codes of exceptions|T04 structure of the audit event|T05 depth of chains|T06 expiry
"""
LIVE = """
L1 quick start|L2 quick start as first written, denied|L3 each denial|L5 argument types|L6 forged argument names|L7 no key in histories|L8 late calls|L9 another worker goes on
L10 replays|L11 equal calls at once|L12 tenants|L13 captured headers|L14 delivered twice|L15 signals and updates|L16 local activities|L17 schedules|L18 approvals|L19 modes of denial
L20 remote signers|L21 interoperation with the reference|L22 fork|L23 threads
"""
NOT_DONE = {"L23": "runs under threads, not under a library built with ThreadSanitizer: the interpreter is not built with it"}
MARK = re.compile(r"\[([A-Z]\d{1,2})\]")


def entries(text):
    for part in text.replace("\n", "|").split("|"):
        if part.strip():
            name, _, what = part.strip().partition(" ")
            yield name, what


def marks(source):
    found = {}
    for path in sorted((source / "python/tests").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                for name in MARK.findall(ast.get_docstring(node) or ""):
                    found.setdefault(name, []).append(f"{path.name}::{node.name}")
    for path in (source / "tests/python/package.py",):
        for name in MARK.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name, []).append(path.name)
    return found


def table(title, text, found):
    lines = [f"## {title}", "", "| id | what | tests | state |", "|---|---|---|---|"]
    missing = []
    for name, what in entries(text):
        tests = sorted(set(found.get(name, [])))
        shown = ", ".join(f"`{t}`" for t in tests[:3]) + (f" and {len(tests) - 3} more" if len(tests) > 3 else "")
        state = NOT_DONE.get(name) or ("tested" if tests else "not done")
        if not tests:
            missing.append(name)
        lines.append(f"| {name} | {what} | {shown} | {state} |")
    return lines, missing


def render(source):
    found = marks(source)
    lines = ["# What is built, and the tests that say so", "", "Made by tests/python/coverage_table.py from the ids in the tests' docstrings.", ""]
    first, missing = table("Features", FEATURES, found)
    second, missing_live = table("On a real server", LIVE, found)
    return "\n".join(lines + first + [""] + second) + "\n", missing + missing_live


def main():
    source = pathlib.Path(sys.argv[1])
    page = source / "docs/temporal/coverage.md"
    text, missing = render(source)
    if "--check" in sys.argv:
        if page.read_text(encoding="utf-8") != text:
            sys.exit("docs/temporal/coverage.md is not what the tests say: python3 tests/python/coverage_table.py .")
    else:
        page.write_text(text, encoding="utf-8")
    if missing:
        print("without a test: " + " ".join(missing))


main()
