//! Every document of `--json` is what `docs/schema` says: data and errors, from recorded states and from a copied
//! tree. Members that a schema does not name are found, too.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What does not fit, by place. Knows the words of JSON Schema that the schemas use, and no other.
fn misfits(schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "title" | "description" => {}
            "const" if rule == value => {}
            "enum" if rule.as_array().unwrap().contains(value) => {}
            "const" | "enum" => out.push(format!("{at}: {value} is not {rule}")),
            "type" => {
                let fits = match rule.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("type {other} is not looked at"),
                };
                if !fits {
                    out.push(format!("{at}: {value} is no {rule}"));
                }
            }
            "minimum" => {
                if value.as_f64() < rule.as_f64() {
                    out.push(format!("{at}: {value} is less than {rule}"));
                }
            }
            "anyOf" => {
                let fits = |s: &Value| {
                    let mut none = Vec::new();
                    misfits(s, value, at, &mut none);
                    none.is_empty()
                };
                if !rule.as_array().unwrap().iter().any(fits) {
                    out.push(format!("{at}: {value} is none of {rule}"));
                }
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    misfits(rule, item, &format!("{at}[{n}]"), out);
                }
            }
            "required" => {
                for name in rule.as_array().unwrap().iter().map(|n| n.as_str().unwrap()) {
                    if value.get(name).is_none() {
                        out.push(format!("{at}: no `{name}`"));
                    }
                }
            }
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    match rule.get(name) {
                        Some(rule) => misfits(rule, member, &format!("{at}.{name}"), out),
                        None => out.push(format!("{at}: `{name}` is not in the schema")),
                    }
                }
            }
            "additionalProperties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    misfits(rule, member, &format!("{at}.{name}"), out);
                }
            }
            other => panic!("{other} is not looked at"),
        }
    }
}

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema")
}

/// Runs a command with `--json` and checks its one document; gives the schema's name.
fn run(args: &[&str], exit: i32) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_esos-scst")).args(args).arg("--json").output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let talk = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(exit), "{args:?}\n{text}\n{talk}");
    let document: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}\n{text}\n{talk}"));
    let name = document["schema"].as_str().unwrap().to_owned();
    let file = schemas().join(format!("{}.json", name.strip_suffix("/1").unwrap()));
    let schema = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut out = Vec::new();
    misfits(&serde_json::from_str(&schema).unwrap(), &document, "", &mut out);
    assert!(out.is_empty(), "{args:?}: {out:#?}");
    name
}

/// A recorded state as a directory, as a copy of `/sys` would be.
fn copied(state: &str, root: &Path) {
    let text = std::fs::read_to_string(state).unwrap();
    let tree: Value = serde_json::from_str(&text).unwrap();
    let top = root.join("sys/kernel/scst_tgt");
    std::fs::create_dir_all(&top).unwrap();
    for (path, node) in tree["tree"].as_object().unwrap() {
        let path = top.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match node[0].as_str().unwrap() {
            "d" => std::fs::create_dir_all(&path).unwrap(),
            "l" => symlink(node[1].as_str().unwrap(), &path).unwrap(),
            _ => {
                std::fs::write(&path, node[2].as_str().unwrap_or("")).unwrap();
                let mode = u32::from_str_radix(node[1].as_str().unwrap(), 8).unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

#[test]
fn every_document_fits_its_schema() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let state = |name: &str| esos_fixtures::path(&format!("scst/{name}")).display().to_string();
    let (empty, sessions) =
        (state("state-12-iscsi-daemon-running.json"), state("state-17-sessions-two.json"));
    let alua = state("state-30-alua.json");
    let text = "HANDLER vdisk_nullio {\n\tDEVICE n1 {\n\t\tprod_id \"a{b\"\n\t}\n}\nTARGET_DRIVER iscsi {\n\tenabled 1\n\tTARGET iqn.2026-01.org.esos:t {\n\t\tIncomingUser \"joe 12charpasswd\"\n\t\tLUN 0 n1\n\t\tLUN 1 nowhere\n\t\tGROUP g {\n\t\t\tLUN 0 n1 {\n\t\t\t\tread_only 1\n\t\t\t}\n\t\t\tINITIATOR iqn.x:i\n\t\t}\n\t}\n}\nDEVICE_GROUP dg {\n\tDEVICE n1\n\tTARGET_GROUP tg {\n\t\tgroup_id 7\n\t\tTARGET iqn.2026-01.org.esos:t\n\t}\n}\n";
    let (good, broken) =
        (file("good.conf", text), file("broken.conf", &text.replace("DEVICE n1 {", "DEVICE n1")));
    let plain = file("plain.conf", &text.replace("a{b", "ab").replace("\t\tLUN 1 nowhere\n", ""));
    let odd = file("odd.conf", &text.replace("prod_id", "read_only yes\n\t\tprod_id"));
    let root = dir.path().join("root");
    copied(&alua, &root);
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::copy(&good, root.join("etc/scst.conf")).unwrap();
    let root = root.display().to_string();
    let (new, saved) = (file("new.json", ""), file("saved.conf", ""));
    let target = "iscsi/iqn.2026-01.org.esos:t";
    let mut seen = BTreeSet::new();
    for (args, exit) in [
        (&["check", &good][..], 0),
        (&["check", &broken], 3),
        (&["check", &odd], 3),
        (&["check", &good, "--live", "--root", &root], 0),
        (&["check", "/nowhere"], 1),
        (&["fmt", &plain], 0),
        (&["fmt", &plain, "--check"], 4),
        (&["plan", &plain, "--state", &empty], 0),
        (&["plan", &plain, "--state", &empty, "--prune", "--detailed-exitcode"], 4),
        (&["plan", &good, "--root", &root], 0),
        (&["plan", &plain, "--state", &plain], 3),
        (&["plan", &plain, "--root", "/nowhere"], 7),
        (&["apply", &plain, "--state", &empty, "--state-out", &new], 0),
        (&["apply", &plain, "--state", &empty, "--dry-run"], 0),
        (&["apply", &plain, "--state", &sessions, "--prune"], 5),
        (&["apply", &plain, "--root", &root], 2),
        (&["show", "--state", &sessions], 0),
        (&["show", target, "--state", &new], 0),
        (&["show", "--from", &good], 0),
        (&["show", "iscsi/none", "--state", &new], 1),
        (&["diff", &good, "live", "--state", &new], 4),
        (&["get", "scst", "--state", &new], 0),
        (&["set", target, "comment=x", "--state", &new], 0),
        (&["add", &format!("{target}/group/g/ini/iqn.y"), "--state", &new, "--state-out", &new], 0),
        (&["rm", &format!("{target}/group/g/ini/iqn.y"), "--state", &new], 0),
        (&["rm", "iscsi/none", "--state", &new], 1),
        (&["disable", target, "--state", &new, "--allow-disruptive"], 0),
        (&["sessions", "--state", &sessions], 0),
        (&["alua", "show", "--state", &alua], 0),
        (&["alua", "lint", &plain, &good], 4),
        (&["alua", "plan", "dg", "--active", "tg", "--state", &new], 0),
        (&["import", &plain, "--from", "scst.conf"], 0),
        (&["export", &plain, "--to", "toml"], 0),
        (&["export", &plain, "--to", "scst.conf"], 0),
        (&["export", &plain, "--to", "json"], 0),
        (&["history", "--root", &root], 0),
        (&["history", "-n", "1", "--root", "/nowhere"], 0),
        (&["save", &saved, "--root", &root], 0),
        (&["save", &saved, "--stdout", "--root", &root], 0),
        (&["lip", "--dry-run", "--root", &root], 0),
        (&["lip", "none", "--dry-run", "--root", &root], 1),
        (&["frobnicate"], 2),
    ] {
        seen.insert(run(args, exit));
    }
    // The others need a live SCST or the box's own store.
    for name in ["confirmed", "modules", "recovered", "resized"] {
        assert!(schemas().join(format!("esos.scst.{name}.json")).exists());
        seen.insert(format!("esos.scst.{name}/1"));
    }
    let written: BTreeSet<String> = std::fs::read_dir(schemas())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.starts_with("esos.scst.") || n == "esos.error.json")
        .map(|n| format!("{}/1", n.trim_end_matches(".json")))
        .collect();
    assert_eq!(written, seen, "a schema that nothing prints, or a document without a schema");
}
