//! Rule: packages depend on each other only as the picture in ARCHITECTURE.md says, and few of them see the big libraries.

use super::Finding;
use crate::repo::Repo;
use crate::tools;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What one package may use of the workspace.
struct Layer {
    package: &'static str,
    /// Packages that it may link.
    may: &'static [&'static str],
    /// Packages that only its tests may link besides.
    dev: &'static [&'static str],
}

/// The picture of ARCHITECTURE.md as data. A package that is not here is a finding: a new crate is a decision.
const LAYERS: &[Layer] = &[
    Layer {
        package: "nexus-types",
        may: &[],
        dev: &[],
    },
    Layer {
        package: "nexus-crypto",
        may: &[],
        dev: &[],
    },
    Layer {
        package: "nexus-wasm",
        may: &["nexus-crypto"],
        dev: &[],
    },
    Layer {
        package: "nexus-store",
        may: &["nexus-crypto", "nexus-types"],
        dev: &["nexus-testkit"],
    },
    Layer {
        package: "nexus-core",
        may: &["nexus-crypto", "nexus-store", "nexus-types"],
        dev: &["nexus-testkit"],
    },
    Layer {
        package: "nexus-server",
        may: &["nexus-core", "nexus-crypto", "nexus-store", "nexus-types"],
        dev: &["nexus-testkit"],
    },
    Layer {
        package: "nexus-testkit",
        may: &["nexus-core", "nexus-crypto", "nexus-server", "nexus-store", "nexus-types"],
        dev: &[],
    },
    Layer {
        package: "nexus-client",
        may: &["nexus-types"],
        dev: &[],
    },
    Layer {
        package: "nexus-bench",
        may: &["nexus-core", "nexus-crypto", "nexus-store", "nexus-types"],
        dev: &[],
    },
    Layer {
        package: "xtask",
        may: &[],
        dev: &[],
    },
];

/// A library that only some packages may name, be it for their tests.
struct Confined {
    libraries: &'static [&'static str],
    packages: &'static [&'static str],
    why: &'static str,
}

const CONFINED: &[Confined] = &[
    Confined {
        libraries: &["axum", "tower", "rust-embed"],
        packages: &["nexus-server"],
        why: "only the server knows what HTTP is; core answers any caller",
    },
    Confined {
        libraries: &["http", "hyper", "hyper-util", "http-body-util", "tungstenite", "tokio-tungstenite"],
        packages: &["nexus-server", "nexus-testkit", "nexus-bench", "nexus-client"],
        why: "only the server speaks HTTP and WebSocket; testkit, bench and client are its clients",
    },
    Confined {
        libraries: &["rusqlite"],
        packages: &["nexus-store", "nexus-bench"],
        why: "SQL lives in nexus-store; the bench has its floor",
    },
];

/// A library that must not be linked into a package, not even through another one.
struct Absent {
    package: &'static str,
    libraries: &'static [&'static str],
    why: &'static str,
}

const ABSENT: &[Absent] = &[Absent {
    package: "nexus-types",
    libraries: &["tokio", "rusqlite", "axum", "hyper"],
    why: "types are pure and compile to WebAssembly",
}];

const WHY_LAYERS: &str = "the layers of ARCHITECTURE.md: what is below never learns what is above";

/// What the rule needs to know of one workspace package.
pub(super) struct Package {
    name: String,
    manifest: String,
    links: BTreeSet<String>,
    links_for_tests: BTreeSet<String>,
    /// Everything linked, through any number of packages.
    reaches: BTreeSet<String>,
}

/// The packages of the workspace, from `cargo metadata`.
pub(super) fn packages(repo: &Repo) -> Result<Vec<Package>, String> {
    // Only this machine's platform: otherwise cargo downloads what Windows alone needs.
    let rustc = tools::output(repo.command("rustc").arg("-vV"))?;
    let host = rustc
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("`rustc -vV` names no host")?;
    let text = tools::output(&mut repo.cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", host]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|cause| format!("`cargo metadata` printed no JSON: {cause}"))?;
    Ok(read(&metadata))
}

/// Compares the packages with the tables above.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    let mut find = |package: &Package, what: String, why: &'static str| {
        findings.push(Finding {
            path: package.manifest.clone(),
            line: 1,
            what,
            why,
        });
    };
    for package in packages {
        let Some(layer) = LAYERS.iter().find(|layer| layer.package == package.name) else {
            find(
                package,
                format!(
                    "{} is in no layer; add it to xtask/src/tidy/layers.rs and ARCHITECTURE.md",
                    package.name
                ),
                WHY_LAYERS,
            );
            continue;
        };
        for other in package.links.iter().filter(|other| members.contains(other.as_str())) {
            if !layer.may.contains(&other.as_str()) {
                find(package, format!("{} depends on {other}", package.name), WHY_LAYERS);
            }
        }
        for other in package.links_for_tests.iter().filter(|other| members.contains(other.as_str())) {
            if !layer.may.contains(&other.as_str()) && !layer.dev.contains(&other.as_str()) {
                find(package, format!("the tests of {} depend on {other}", package.name), WHY_LAYERS);
            }
        }
        for rule in CONFINED.iter().filter(|rule| !rule.packages.contains(&package.name.as_str())) {
            for library in rule
                .libraries
                .iter()
                .filter(|library| package.links.contains(**library) || package.links_for_tests.contains(**library))
            {
                find(package, format!("{} depends on {library}", package.name), rule.why);
            }
        }
        for rule in ABSENT.iter().filter(|rule| rule.package == package.name) {
            for library in rule.libraries.iter().filter(|library| package.reaches.contains(**library)) {
                find(package, format!("{} links {library}", package.name), rule.why);
            }
        }
    }
    findings
}

fn read(metadata: &Value) -> Vec<Package> {
    let root = text(&metadata["workspace_root"]);
    let names: BTreeMap<&str, &str> = list(&metadata["packages"])
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
    let members: BTreeSet<&str> = list(&metadata["workspace_members"]).map(text).collect();
    list(&metadata["packages"])
        .filter(|package| members.contains(text(&package["id"])))
        .map(|package| {
            let direct = |wanted: &dyn Fn(&Value) -> bool| {
                list(&package["dependencies"])
                    .filter(|one| wanted(&one["kind"]))
                    .map(|one| text(&one["name"]).to_owned())
                    .collect()
            };
            let manifest = text(&package["manifest_path"]);
            Package {
                name: text(&package["name"]).to_owned(),
                manifest: manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/').to_owned(),
                links: direct(&|kind| kind != "dev"),
                links_for_tests: direct(&|kind| kind == "dev"),
                reaches: reaches(text(&package["id"]), &nodes)
                    .iter()
                    .filter_map(|id| names.get(id))
                    .map(|name| (*name).to_owned())
                    .collect(),
            }
        })
        .collect()
}

/// Everything that is linked into a package: normal dependencies only, of any depth.
fn reaches<'a>(package: &'a str, nodes: &BTreeMap<&str, &'a Value>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![package];
    while let Some(id) = open.pop() {
        let Some(node) = nodes.get(id) else { continue };
        for dependency in list(&node["deps"]).filter(|one| list(&one["dep_kinds"]).any(|kind| kind["kind"].is_null())) {
            let other = text(&dependency["pkg"]);
            if found.insert(other) {
                open.push(other);
            }
        }
    }
    found
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, links: &[&str], links_for_tests: &[&str], reaches: &[&str]) -> Package {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            links: set(links),
            links_for_tests: set(links_for_tests),
            reaches: set(reaches),
        }
    }

    fn findings(planted: Package) -> Vec<String> {
        let mut packages = vec![
            package("nexus-types", &[], &[], &[]),
            package("nexus-store", &["nexus-types", "rusqlite"], &[], &[]),
        ];
        packages.retain(|package| package.name != planted.name);
        packages.push(planted);
        check(&packages).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn the_layers_as_drawn_pass() {
        assert!(findings(package("nexus-core", &["nexus-types", "nexus-store", "tokio"], &[], &["tokio"])).is_empty());
    }

    #[test]
    fn planted_breaches_are_found() {
        for (planted, expected) in [
            (
                package("nexus-types", &["nexus-store"], &[], &[]),
                "nexus-types depends on nexus-store",
            ),
            (
                package("nexus-types", &["serde"], &[], &["serde", "tokio"]),
                "nexus-types links tokio",
            ),
            (package("nexus-core", &["axum"], &[], &[]), "nexus-core depends on axum"),
            (package("nexus-core", &[], &["hyper"], &[]), "nexus-core depends on hyper"),
            (package("nexus-server", &["rusqlite"], &[], &[]), "nexus-server depends on rusqlite"),
            (
                package("nexus-types", &[], &["nexus-store"], &[]),
                "the tests of nexus-types depend on nexus-store",
            ),
        ] {
            assert_eq!(findings(planted), [expected]);
        }
    }

    #[test]
    fn a_new_package_must_be_named() {
        assert_eq!(findings(package("nexus-common", &[], &[], &[])).len(), 1);
    }

    #[test]
    fn metadata_is_read_with_its_kinds_and_depths() {
        let metadata = serde_json::json!({
            "workspace_root": "/clone",
            "workspace_members": ["a"],
            "packages": [
                {"id": "a", "name": "nexus-types", "manifest_path": "/clone/a/Cargo.toml", "dependencies": [{"name": "x", "kind": null}, {"name": "y", "kind": "dev"}]},
                {"id": "x", "name": "x", "manifest_path": "/x/Cargo.toml", "dependencies": []},
                {"id": "t", "name": "tokio", "manifest_path": "/t/Cargo.toml", "dependencies": []},
                {"id": "y", "name": "y", "manifest_path": "/y/Cargo.toml", "dependencies": []},
            ],
            "resolve": {"nodes": [
                {"id": "a", "deps": [{"pkg": "x", "dep_kinds": [{"kind": null}]}, {"pkg": "y", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "x", "deps": [{"pkg": "t", "dep_kinds": [{"kind": null}]}]},
                {"id": "t", "deps": []},
                {"id": "y", "deps": []},
            ]},
        });
        let packages = read(&metadata);
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].manifest, "a/Cargo.toml");
        assert!(packages[0].reaches.contains("tokio") && !packages[0].reaches.contains("y"));
        assert_eq!(check(&packages)[0].what, "nexus-types links tokio");
    }
}
