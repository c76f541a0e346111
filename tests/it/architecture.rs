//! The walls of the house, held by reading the sources and asking cargo: what a client links, which way imports run, how a file
//! begins and how long it may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every crate a client links with the verifier or needs to build it, and what for.
const VERIFIER_CLOSURE: &[(&str, &[&str])] = &[
    ("ours", &["serin-circuits", "serin-verifier"]),
    ("fields and transforms", &["ark-ff", "ark-ff-asm", "ark-ff-macros", "ark-poly", "ark-std"]),
    (
        "of the above: serialisation, unused",
        &["ark-serialize", "ark-serialize-derive", "digest", "block-buffer", "crypto-common"],
    ),
    (
        "of the above: numbers and containers",
        &[
            "num-bigint",
            "num-integer",
            "num-traits",
            "libm",
            "hashbrown",
            "allocator-api2",
            "ahash",
            "once_cell",
            "zerocopy",
        ],
    ),
    ("of the above: sampling for its own tests, unused", &["rand", "rand_chacha", "rand_core", "ppv-lite86"]),
    ("transcript", &["merlin", "keccak", "byteorder"]),
    (
        "digests",
        &[
            "sha2",
            "blake3",
            "arrayvec",
            "constant_time_eq",
            "cpufeatures",
            "cfg-if",
            "const-oid",
            "generic-array",
            "hybrid-array",
            "typenum",
        ],
    ),
    ("wiping of secrets, for the transcript and the fields", &["zeroize", "zeroize_derive"]),
    ("statistics", &["statrs", "approx"]),
    ("cards and reports as text", &["serde", "serde_core", "serde_derive", "hex"]),
    ("errors", &["thiserror", "thiserror-impl"]),
    (
        "at build time only: derives",
        &[
            "proc-macro2",
            "quote",
            "syn",
            "unicode-ident",
            "educe",
            "enum-ordinalize",
            "enum-ordinalize-derive",
        ],
    ),
    ("at build time only: compilers", &["autocfg", "cc", "find-msvc-tools", "shlex", "version_check"]),
];

/// What a client must never link: provers, thread pools, runtimes, model parsers, networks, logs.
const NEVER: &[&str] =
    &["p3-", "rayon", "tokio", "prost", "tract", "rustls", "tracing", "clap", "getrandom", "serin-datasets"];

#[test]
fn verifier_links_what_is_listed_and_nothing_else() {
    let closure = closure("serin-verifier");
    let listed: BTreeSet<&str> = VERIFIER_CLOSURE.iter().flat_map(|(_, crates)| *crates).copied().collect();
    let added: Vec<_> = closure.iter().filter(|name| !listed.contains(name.as_str())).collect();
    let gone: Vec<_> = listed.iter().filter(|name| !closure.contains(**name)).collect();
    assert!(added.is_empty(), "a client would now link {added:?}: do without, or list it with its reason");
    assert!(gone.is_empty(), "no longer linked, take it off the list: {gone:?}");
    let banned = closure.iter().find(|name| NEVER.iter().any(|never| name.starts_with(never)));
    assert_eq!(banned, None);
}

/// All that a package of this workspace links or runs at build time on this machine, itself included.
fn closure(package: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--offline", "--locked", "--edges", "normal,build"]);
    let output = cargo.args(["--prefix", "none", "--format", "{p}", "--package", package]).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    out.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

/// Who may depend on whom among our crates.
const CRATES: &[(&str, &[&str])] = &[
    ("circuits", &[]),
    ("datasets", &[]),
    ("verifier", &["serin-circuits"]),
    (".", &["serin-circuits", "serin-datasets", "serin-verifier"]),
];

#[test]
fn crates_of_the_workspace_depend_downwards_only() {
    for (directory, expected) in CRATES {
        let manifest = read(&root().join(directory).join("Cargo.toml"));
        let dependencies =
            section(&manifest, "[dependencies]").chain(section(&manifest, "[dev-dependencies]"));
        let ours: BTreeSet<&str> = dependencies.filter(|name| name.starts_with("serin")).collect();
        assert_eq!(ours, BTreeSet::from_iter(expected.iter().copied()), "{directory}");
    }
}

/// The names of the entries of a manifest's section.
fn section<'a>(manifest: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let lines = manifest.lines().skip_while(move |line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split(['.', ' ', '=']).next())
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let manifest = read(&root().join("Cargo.toml"));
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for (directory, _) in CRATES {
        let manifest = read(&root().join(directory).join("Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{directory} does not inherit the lints");
    }
    assert!(read(&root().join("fuzz/Cargo.toml")).contains("unsafe_code = \"forbid\""));
}

#[test]
fn source_file_opens_with_what_it_is_and_ends_before_it_is_long() {
    for (path, text) in sources(&root()) {
        // A module of unit tests is about its parent, which says so.
        let is_tests = path.ends_with("tests.rs");
        let opens = ["//!", "#![doc = include_str!"].iter().any(|start| text.starts_with(start));
        assert!(is_tests || opens, "{path} does not open with what it implements");
        let lines = text.lines().count();
        assert!(lines <= 400, "{path} has {lines} lines: split it");
    }
}

/// What each module of `src` may import besides itself. `cli` may import all.
const MODULES: &[(&str, &[&str])] = &[
    ("net", &[]),
    ("prover", &[]),
    ("import", &[]),
    ("measure", &["prover", "protocol"]),
    ("synthetic", &["prover"]),
    ("protocol", &["net", "prover"]),
    ("adversary", &["net", "prover", "protocol"]),
    ("session", &["net", "prover", "protocol"]),
    ("audit", &["net", "prover", "protocol", "session"]),
];

#[test]
fn modules_import_downwards_only() {
    let allowed: BTreeMap<&str, &[&str]> = MODULES.iter().copied().collect();
    for (path, text) in sources(&root().join("src")) {
        let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        if matches!(module.as_str(), "cli" | "lib" | "main") {
            continue;
        }
        let below = allowed.get(module.as_str());
        let below = below.unwrap_or_else(|| panic!("{path}: module `{module}` has no line in MODULES"));
        for imported in text.lines().filter_map(imported) {
            assert!(
                imported == module || below.contains(&imported),
                "{path} imports `{imported}`, which stands above it"
            );
        }
    }
}

/// The module that a line names with `crate::`, comments left out.
fn imported(line: &str) -> Option<&str> {
    let code = line.trim_start();
    let (_, path) = code.split_once("crate::").filter(|_| !code.starts_with("//"))?;
    path.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

/// Every Rust file below a directory with its path from the root, build products left out.
fn sources(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = vec![directory.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && !matches!(&*name, "target" | "corpus") {
                pending.push(path);
            } else if name.ends_with(".rs") {
                let shown = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.push((shown, read(&path)));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
