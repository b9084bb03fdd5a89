// SPDX-License-Identifier: Apache-2.0
//! The reference side of the benchmark. Reads the items of tenuo-bench (tab separated, bytes as hex), says "ready", then answers
//! each line "INDEX ITERATIONS" with the nanoseconds of thread CPU time that the item took. Every run is checked: an answer other
//! than the one the item names ends the program.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::Duration;
use tenuo::approval::SignedApproval;
use tenuo::constraints::{Constraint, ConstraintSet, ConstraintValue};
use tenuo::payload::WarrantPayload;
use tenuo::planes::Authorizer;
use tenuo::revocation::SignedRevocationList;
use tenuo::{wire, PublicKey, Signature, SigningKey, Warrant};

type Args = HashMap<String, ConstraintValue>;

enum Work {
    Authorize {
        authorizer: Authorizer,
        stack: Vec<u8>,
        tool: String,
        args: Args,
        pop: Signature,
        approvals: Vec<SignedApproval>,
        now: i64,
        allow: bool,
    },
    Match { constraint: Constraint, value: ConstraintValue },
    Parse { payload: Vec<u8> },
    Mint { key: SigningKey, holder: [u8; 32], tool: String, set: ConstraintSet },
    Attenuate { key: SigningKey, holder: [u8; 32], parent: Warrant, tool: String, set: ConstraintSet },
    Srl { list: Vec<u8>, issuer: PublicKey, ids: usize },
    Sign { key: SigningKey, warrant: Warrant, tool: String, args: Args, now: i64 },
}

fn unhex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

fn read<T: cbor::FromCbor>(bytes: &[u8]) -> T {
    T::from_cbor(bytes)
}

/// One place that decodes CBOR into the reference's types.
mod cbor {
    use super::*;

    pub trait FromCbor {
        fn from_cbor(bytes: &[u8]) -> Self;
    }

    macro_rules! from_cbor {
        ($($t:ty),*) => {
            $(impl FromCbor for $t {
                fn from_cbor(bytes: &[u8]) -> Self {
                    ciborium::from_reader(bytes).expect("CBOR of an item")
                }
            })*
        };
    }
    from_cbor!(Constraint, ConstraintValue, ConstraintSet, Args, WarrantPayload, Vec<SignedApproval>);
}

/// The payload inside an envelope 83 01 bstr(payload) 82 01 58 40 signature.
fn payload_of(envelope: &[u8]) -> Vec<u8> {
    let start = match envelope[2] {
        0x58 => 4,
        0x59 => 5,
        _ => 3,
    };
    envelope[start..envelope.len() - 68].to_vec()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().expect("length")
}

/// A list of ids without order in time; ours has as many.
fn revoked(seed: &[u8; 32], ids: u64) -> (SignedRevocationList, PublicKey) {
    let key = SigningKey::from_bytes(seed);
    let id = |n: u64| format!("tnu_wrt_{:016x}{:016x}", (n + 1).wrapping_mul(0x9e3779b97f4a7c15), 0);
    let list = SignedRevocationList::builder().revoke_all((0..ids).map(id)).version(1).build(&key);
    (list.expect("list"), key.public_key())
}

fn authorizer(root: PublicKey, seed: &[u8; 32], ids: u64) -> Authorizer {
    let mut authorizer = Authorizer::new().with_trusted_root(root);
    if ids != 0 {
        let (list, issuer) = revoked(seed, ids);
        authorizer.set_revocation_list(list, &issuer).expect("list");
    }
    authorizer
}

fn parse_item(line: &str) -> Work {
    let f: Vec<&str> = line.split('\t').collect();
    let (tool, now, allow) = (f[2].to_string(), f[3].parse().expect("time"), f[4] == "1");
    let (bytes, args) = (unhex(f[9]), unhex(f[10]));
    let ids: u64 = f[12].parse().expect("count");
    match f[0] {
        "authorize" => Work::Authorize {
            authorizer: authorizer(PublicKey::from_bytes(&array(f[5])).expect("root"), &array(f[6]), ids),
            stack: bytes,
            tool,
            args: read(&args),
            pop: Signature::from_bytes(&array(f[8])).expect("signature"),
            approvals: if f[11] == "-" { Vec::new() } else { read(&unhex(f[11])) },
            now,
            allow,
        },
        "match" => Work::Match { constraint: read(&bytes), value: read(&args) },
        "parse" => Work::Parse { payload: payload_of(&bytes) },
        "mint" => Work::Mint {
            key: SigningKey::from_bytes(&array(f[6])),
            holder: array(f[7]),
            tool,
            set: read(&args),
        },
        "attenuate" => Work::Attenuate {
            key: SigningKey::from_bytes(&array(f[6])),
            holder: array(f[7]),
            parent: wire::decode(&bytes).expect("parent"),
            tool,
            set: read(&args),
        },
        "srl" => {
            let (list, issuer) = revoked(&array(f[6]), ids);
            Work::Srl { list: list.to_bytes().expect("list"), issuer, ids: ids as usize }
        }
        "sign" => Work::Sign {
            key: SigningKey::from_bytes(&array(f[6])),
            warrant: wire::decode(&bytes).expect("warrant"),
            tool,
            args: read(&args),
            now,
        },
        other => panic!("unknown kind {other}"),
    }
}

/// Both sides take the holder as bytes, and check that it is a usable key.
fn holder_key(bytes: &[u8; 32]) -> PublicKey {
    PublicKey::from_bytes(black_box(bytes)).expect("holder")
}

fn run(work: &Work) {
    match work {
        Work::Authorize { authorizer, stack, tool, args, pop, approvals, now, allow } => {
            let chain = wire::decode_stack(black_box(stack)).expect("stack");
            let result = authorizer.check_chain_with_pop_args_as_of(&chain.0, tool, args, args, Some(pop), approvals, *now);
            assert_eq!(result.is_ok(), *allow);
        }
        Work::Match { constraint, value } => assert!(black_box(constraint).matches(black_box(value)).expect("match")),
        Work::Parse { payload } => {
            let payload: WarrantPayload = read(black_box(payload));
            black_box(payload);
        }
        Work::Mint { key, holder, tool, set } => {
            let made = Warrant::builder()
                .capability(tool.as_str(), set.clone())
                .holder(holder_key(holder))
                .ttl(Duration::from_secs(300))
                .build(key);
            black_box(made.expect("mint"));
        }
        Work::Attenuate { key, holder, parent, tool, set } => {
            let made = parent.attenuate().capability(tool.as_str(), set.clone()).holder(holder_key(holder)).build(key);
            black_box(made.expect("attenuate"));
        }
        Work::Srl { list, issuer, ids } => {
            let list = SignedRevocationList::from_bytes(black_box(list)).expect("list");
            list.verify(issuer).expect("signature");
            assert_eq!(list.len(), *ids);
        }
        Work::Sign { key, warrant, tool, args, now } => {
            black_box(warrant.sign_with_timestamp(key, tool, args, Some(*now)).expect("sign"));
        }
    }
}

fn cpu_ns() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime fills the structure that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: tenuo-bench-peer ITEMS");
    let items: Vec<Work> = std::fs::read_to_string(path).expect("items").lines().map(parse_item).collect();
    let mut out = std::io::stdout();
    writeln!(out, "ready").expect("stdout");
    out.flush().expect("stdout");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("stdin");
        let mut words = line.split(' ').map(|w| w.parse::<usize>().expect("number"));
        let (index, iterations) = (words.next().expect("index"), words.next().expect("iterations"));
        let start = cpu_ns();
        for _ in 0..iterations {
            run(&items[index]);
        }
        writeln!(out, "{}", cpu_ns() - start).expect("stdout");
        out.flush().expect("stdout");
    }
}
