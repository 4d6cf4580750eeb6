//! Directions between modules, read off their `use` lines: no circle in a crate, and lapin known
//! to one folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a crate by module path (`engine::run`), without its own tests.
fn modules(name: &str) -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates").join(name).join("src");
    let mut modules = BTreeMap::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(module) = module_of(path.strip_prefix(&source).expect("in it")) {
                modules.insert(module, fs::read_to_string(&path).expect("text"));
            }
        }
    }
    modules
}

fn module_of(path: &Path) -> Option<String> {
    let mut path: PathBuf = path.with_extension("");
    if path.ends_with("mod") {
        path.pop();
    }
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_test = parts.first().is_some_and(|first| first == "tests");
    (!is_test && parts != ["lib"] && parts != ["main"]).then(|| parts.join("::"))
}

/// The modules that the source of `module` names, by `use` or by a path from the crate's root.
fn used<'a>(module: &str, source: &str, all: &'a BTreeMap<String, String>) -> BTreeSet<&'a str> {
    let code = source.split("#[cfg(test)]").next().expect("a first part");
    let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    assert!(!code.contains("super::"), "{module}: paths begin at the crate's root");
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        // `a::b::{c, d}` names modules a::b::c and a::b::d, if there are such, else a::b.
        let path: String =
            rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect();
        let group = rest[path.len()..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let names: Vec<&str> = match group {
            Some((names, _)) => names.split(',').map(str::trim).collect(),
            None => vec![""],
        };
        for name in names {
            let full = format!("{path}{name}");
            let longest = all
                .keys()
                .filter(|other| full == **other || full.starts_with(&format!("{other}::")));
            found.extend(longest.max_by_key(|other| other.len()).map(String::as_str));
        }
    }
    found.remove(module);
    found
}

/// The first part of a module path: the folder, or the module itself.
fn folder(module: &str) -> &str {
    module.split("::").next().expect("a first part")
}

/// Removes modules that use none of the others, again and again: what is left is in a circle or
/// uses one.
fn circles(crate_name: &str, level: impl Fn(&str) -> String) -> Vec<String> {
    let modules = modules(crate_name);
    assert!(modules.len() > 5, "{crate_name} has modules");
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, source) in &modules {
        let uses = graph.entry(level(module)).or_default();
        uses.extend(used(module, source, &modules).into_iter().map(&level));
        uses.remove(&level(module));
    }
    loop {
        let before = graph.len();
        let ends: Vec<_> = graph.iter().filter(|(_, uses)| uses.is_empty()).collect();
        let ends: BTreeSet<String> = ends.into_iter().map(|(module, _)| module.clone()).collect();
        graph.retain(|module, _| !ends.contains(module));
        for uses in graph.values_mut() {
            uses.retain(|module| !ends.contains(module));
        }
        if graph.len() == before {
            return graph.into_keys().collect();
        }
    }
}

#[test]
fn modules_use_each_other_in_one_direction() {
    for name in ["core", "delivery", "collector"] {
        assert_eq!(circles(name, str::to_owned), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn folders_use_each_other_in_one_direction() {
    for name in ["delivery", "collector"] {
        assert_eq!(circles(name, |module| folder(module).to_owned()), Vec::<String>::new());
    }
}

/// The documentation of each crate lists its modules and folders, lowest first.
#[test]
fn tables_of_modules_tell_the_direction() {
    for name in ["core", "delivery", "collector"] {
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates").join(name);
        let library = fs::read_to_string(library.join("src/lib.rs")).expect("text");
        let rows = library.lines().filter_map(|line| line.strip_prefix("//! | `"));
        let rows: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        let place = |module: &str| {
            let row = rows.iter().position(|row| *row == folder(module));
            row.unwrap_or_else(|| panic!("{module} is in the table of {name}"))
        };
        let modules = modules(name);
        for (module, source) in &modules {
            for other in used(module, source, &modules) {
                assert!(place(other) <= place(module), "{name}: {module} uses {other}");
            }
        }
    }
}

#[test]
fn one_folder_knows_lapin() {
    for (name, one) in [("delivery", "amqp::link"), ("collector", "amqp::session")] {
        let knowing = modules(name).into_iter().filter(|(_, source)| {
            ["lapin::", "use lapin", "async_rs"].iter().any(|name| source.contains(name))
        });
        let knowing: Vec<_> = knowing.map(|(module, _)| module).collect();
        assert!(knowing.iter().any(|module| module == one), "{knowing:?}");
        assert!(knowing.iter().all(|module| module.starts_with("amqp::")), "{knowing:?}");
    }
}

/// Aggregating knows neither sources nor formats, and HTTP is in one folder.
#[test]
fn one_folder_of_the_collector_knows_http() {
    for (module, source) in modules("collector") {
        if ["hyper::", "http_body_util"].iter().any(|name| source.contains(name)) {
            assert!(module.starts_with("serve::"), "{module}");
        }
        if source.contains("redb") {
            assert!(module.starts_with("state::"), "{module}");
        }
        if source.contains("tokio::") {
            assert!(!["aggregate", "expose", "intake"].contains(&folder(&module)), "{module}");
        }
    }
}

#[test]
fn core_depends_on_no_network_and_no_interpreter() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/core/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("text");
    for name in ["pyo3", "tokio", "lapin", "phanos-delivery"] {
        assert!(!manifest.lines().any(|line| line.starts_with(name)), "{name}");
    }
}

#[test]
fn the_collector_knows_no_interpreter() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/collector/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("text");
    assert!(!manifest.contains("pyo3"));
}
