# SPDX-License-Identifier: Apache-2.0
"""Random constraints with values that satisfy and violate them, in the two spellings of the interop test: CBOR for libtenuo,
objects for the reference. Only kinds and values on which the pinned reference release and its successor agree."""

import struct


def cbor_head(major, n):
    for bound, width, code in ((24, 0, 0), (1 << 8, 1, 24), (1 << 16, 2, 25), (1 << 32, 4, 26), (1 << 64, 8, 27)):
        if n < bound:
            return bytes([major << 5 | (code or n)]) + (n.to_bytes(width, "big") if width else b"")
    raise ValueError(n)


def cbor_float(x):
    for code, fmt in ((0xF9, ">e"), (0xFA, ">f"), (0xFB, ">d")):
        try:
            packed = struct.pack(fmt, x)
        except OverflowError:
            continue
        if struct.unpack(fmt, packed)[0] == x:
            return bytes([code]) + packed
    raise ValueError(x)


def cbor(x):
    if x is None:
        return b"\xf6"
    if isinstance(x, bool):
        return b"\xf5" if x else b"\xf4"
    if isinstance(x, int):
        return cbor_head(0, x) if x >= 0 else cbor_head(1, -1 - x)
    if isinstance(x, float):
        return cbor_float(x)
    if isinstance(x, str):
        data = x.encode()
        return cbor_head(3, len(data)) + data
    if isinstance(x, (list, tuple)):
        return cbor_head(4, len(x)) + b"".join(map(cbor, x))
    return cbor_head(5, len(x)) + b"".join(cbor(k) + cbor(v) for k, v in x.items())


class Spec:
    """One constraint: its name in both worlds, and what it takes."""

    def __init__(self, kind, arg, good, bad, narrow=None, wide=None):
        self.kind, self.arg, self.good, self.bad = kind, arg, good, bad
        self.narrow, self.wide = narrow, wide  # Specs, or None

    def wire(self):
        k, a = self.kind, self.arg
        members = {
            "exact": (1, lambda: {"value": a}),
            "pattern": (2, lambda: {"pattern": a}),
            "range": (3, lambda: {"min": float(a[0]), "max": float(a[1]), "min_inclusive": True, "max_inclusive": True}),
            "one_of": (4, lambda: {"values": a}),
            "regex": (5, lambda: {"pattern": a}),
            "cel": (15, lambda: {"expression": a}),
            "not_one_of": (7, lambda: {"excluded": a}),
            "cidr": (8, lambda: a),
            "url_pattern": (9, lambda: a),
            "contains": (10, lambda: {"required": a}),
            "subset": (11, lambda: {"allowed": a}),
            "all": (12, lambda: {"constraints": [s.wire() for s in a]}),
            "any": (13, lambda: {"constraints": [s.wire() for s in a]}),
            "not": (14, lambda: {"constraint": a.wire()}),
            "wildcard": (16, lambda: None),
            "subpath": (17, lambda: {"root": a}),
        }
        number, build = members[k]
        return [number, build()]

    def reference(self, t):
        k, a = self.kind, self.arg
        if k in ("all", "any"):
            inner = [s.reference(t) for s in a]
            return t.All(inner) if k == "all" else t.AnyOf(inner)
        if k == "not":
            return t.Not(a.reference(t))
        if k == "range":
            return t.Range(a[0], a[1])
        if k == "wildcard":
            return t.Wildcard()
        cls = {"regex": t.Regex, "cel": t.CEL, "exact": t.Exact, "pattern": t.Pattern, "one_of": t.OneOf, "not_one_of": t.NotOneOf, "cidr": t.Cidr,
               "url_pattern": t.UrlPattern, "contains": t.Contains, "subset": t.Subset, "subpath": t.Subpath}[k]
        return cls(a)

    def cli(self):
        """The command's JSON form (tenuo help constraints)."""
        k, a = self.kind, self.arg
        if k in ("all", "any"):
            return {k: [s.cli() for s in a]}
        if k == "not":
            return {"not": a.cli()}
        if k == "range":
            return {"range": {"min": a[0], "max": a[1]}}
        name = {"one_of": "oneof", "not_one_of": "notoneof", "url_pattern": "url"}.get(k, k)
        return {name: True if k == "wildcard" else a}


def wire_set(args):
    return cbor({"constraints": {name: args[name].wire() for name in sorted(args, key=str.encode)}})


def reference_set(args, t):
    return {name: spec.reference(t) for name, spec in args.items()}


def word(rng, n=6):
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(rng.randint(2, n)))


def exact(rng):
    value = word(rng)  # the reference's Python class takes text alone
    other = value + "x"
    me = Spec("exact", value, value, other)
    me.wide = Spec("exact", other, other, value)
    me.narrow = Spec("exact", value, value, other)
    return me


def pattern(rng):
    a, b = word(rng), word(rng)
    if rng.random() < 0.5:
        me = Spec("pattern", f"{a}-*", f"{a}-{b}", f"x{a}-{b}")
        me.narrow = Spec("pattern", f"{a}-{b}*", f"{a}-{b}z", f"{a}-")
        me.wide = Spec("pattern", f"{a[:1]}*", f"{a}-{b}", "-")
    else:
        me = Spec("pattern", f"*.{a}", f"{b}.{a}", f"{b}.{a}x")
        me.narrow = Spec("exact", f"{b}.{a}", f"{b}.{a}", f"q.{a}q")
        me.wide = Spec("pattern", f"*{a[-1]}", f"{b}.{a}", "-")
    return me


def range_(rng):
    low, high = rng.randint(-50, 0), rng.randint(10, 60)
    value = rng.choice([rng.randint(low, high), float(rng.randint(low, high)) / 2 if low * 2 < 0 else low])
    me = Spec("range", (low, high), value if low <= value <= high else low, high + 1)
    me.narrow = Spec("range", (low + 1, high - 1), low + 1, low)
    me.wide = Spec("range", (low - 1, high), low - 1, high + 2)
    return me


def one_of(rng):
    values = sorted({word(rng) for _ in range(rng.randint(2, 5))} | {"keep", "more"})
    me = Spec("one_of", values, rng.choice(values), "no" + word(rng, 12) + "no")
    me.narrow = Spec("one_of", values[:-1], values[0], values[-1])
    me.wide = Spec("one_of", values + ["zzz"], "zzz", "zzzz")
    return me


def not_one_of(rng):
    values = sorted({word(rng) for _ in range(2)} | {"root"})
    me = Spec("not_one_of", values, "ok" + word(rng) + "ok", rng.choice(values))
    me.narrow = Spec("not_one_of", values + ["toor"], "ok", "toor")
    me.wide = Spec("not_one_of", values[:-1] or ["other"], values[-1], "other")
    return me


def cidr(rng):
    a, b = rng.randint(1, 9), rng.randint(0, 255)
    me = Spec("cidr", f"10.{a}.0.0/16", f"10.{a}.{b}.7", f"10.{a + 1}.{b}.7")
    me.narrow = Spec("cidr", f"10.{a}.{b}.0/24", f"10.{a}.{b}.9", f"10.{a}.{(b + 1) % 256}.9")
    me.wide = Spec("cidr", "10.0.0.0/8", "10.200.0.1", "11.0.0.1")
    return me


def url_pattern(rng):
    a, b = word(rng), word(rng)
    me = Spec("url_pattern", f"https://{a}x.example.com/*", f"https://{a}x.example.com/{b}", f"http://{a}x.example.com/{b}")
    me.narrow = Spec("url_pattern", f"https://{a}x.example.com/{b}/*", f"https://{a}x.example.com/{b}/1",
                     f"https://{a}y.example.com/{b}/1")
    me.wide = Spec("url_pattern", f"https://{a}z.example.com/*", f"https://{a}z.example.com/{b}", "ftp://x/")
    return me


def contains(rng):
    values = ["a", word(rng)]
    me = Spec("contains", values, values + ["extra"], ["extra"])
    me.narrow = Spec("contains", values + ["b-more"], values + ["b-more"], values)
    me.wide = Spec("contains", values[:1], values[:1], ["extra"])
    return me


def subset(rng):
    values = ["a", "b", word(rng) + "c"]
    me = Spec("subset", values, values[:2], values + ["evil"])
    me.narrow = Spec("subset", values[:2], ["a"], values)
    me.wide = Spec("subset", values + ["evil"], ["evil"], ["worse"])
    return me


def subpath(rng):
    a, b = word(rng), word(rng)
    me = Spec("subpath", f"/srv/{a}", f"/srv/{a}/{b}.txt", rng.choice([f"/srv/{a}x/{b}", "/etc/passwd", f"/srv/{a}/../{b}!"]))
    me.narrow = Spec("subpath", f"/srv/{a}/{b}", f"/srv/{a}/{b}/1", f"/srv/{a}/1")
    me.wide = Spec("subpath", "/srv", f"/srv/{b}!/1", "/etc")
    return me


def regex(rng):
    a, b = word(rng), word(rng)
    pattern_, good, bad = rng.choice([
        (f"^{a}-[0-9]+$", f"{a}-{rng.randint(0, 999)}", f"{a}-x"),
        (f"^({a}|{b})\\.(txt|md)$", f"{b}.md", f"{b}.mdx"),
        (f"{a}+", f"..{a}..", f".{a[:-1]}."),
        ("(?i)^" + a + "$", a.upper(), a + "_"),
        ("^[^/]{2,8}$", a, a + "/" + b),
    ])
    me = Spec("regex", pattern_, good, bad)
    me.narrow = Spec("exact", good, good, bad)
    me.wide = Spec("regex", ".*", bad, None)
    return me


def cel(rng):
    a, n = word(rng), rng.randint(1, 50)
    expression, good, bad, more = rng.choice([
        (f"value == '{a}'", a, a + "x", "size(value) > 0"),
        (f"value < {n}", n - 1, n, f"value != {n + 7}"),
        (f"value.startsWith('{a}') && size(value) < 40", a + "1", "1" + a, f"!value.endsWith('{a}?')"),
        (f"value in ['{a}', 'keep']", "keep", a + "y", "value != ''"),
        (f"value.all(v, v < {n})", [n - 1, 0], [n], "value.size() < 10"),
        (f"value >= {n} ? value < {2 * n} : value == 0", n, 2 * n, "value != -1"),
    ])
    me = Spec("cel", expression, good, bad)
    me.narrow = Spec("cel", f"({expression}) && ({more})", good, bad)
    me.wide = Spec("cel", f"({expression}) || (true)", bad, None)
    return me


def wildcard(rng):
    value = rng.choice(["any", 5, None, [1, "x"], {"k": True}])
    me = Spec("wildcard", None, value, None)
    me.narrow = Spec("exact", "any", "any", "other")
    return me


def all_(rng):
    a, b = range_(rng), not_one_of(rng)
    low = a.arg[0]
    me = Spec("all", [a, b], max(low, 0), a.bad)
    me.narrow = Spec("all", [Spec("range", (low + 1, a.arg[1]), 1, low), b], max(low + 1, 0), low)
    me.wide = Spec("all", [a.wide, b], 0, 1000)
    return me


def any_(rng):
    a, b = one_of(rng), pattern(rng)
    me = Spec("any", [a, b], rng.choice([a.good, b.good]), "!!")
    me.narrow = Spec("any", [a, b], a.good, "!!")
    return me


def not_(rng):
    a = one_of(rng)
    return Spec("not", a, a.bad, a.good, narrow=Spec("not", a, a.bad, a.good))


MAKERS = [exact, pattern, range_, one_of, not_one_of, cidr, url_pattern, contains, subset, subpath, wildcard, all_, any_, not_]


MATCHER_MAKERS = [regex, cel]  # these need their plugins


def random_spec(rng, matchers=False):
    return rng.choice(MAKERS + 2 * MATCHER_MAKERS if matchers else MAKERS)(rng)
