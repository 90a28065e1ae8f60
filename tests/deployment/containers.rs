//! The files for containers. No container is run here: what the image is made of is there, the pages are built as its
//! first stage builds them, and the files of `compose` keep to rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::command::run;
use crate::operations::docs;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One stage of the Dockerfile: its instructions with their lines joined.
struct Stage {
    image: String,
    name: String,
    steps: Vec<String>,
}

fn stages() -> Vec<Stage> {
    let text = docs("deploy/Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut stages: Vec<Stage> = Vec::new();
    for line in lines {
        if let Some(from) = line.strip_prefix("FROM ") {
            let (image, name) = from.split_once(" AS ").unwrap_or((from, ""));
            stages.push(Stage { image: image.to_owned(), name: name.to_owned(), steps: Vec::new() });
        } else {
            stages.last_mut().expect("it begins with FROM").steps.push(line.to_owned());
        }
    }
    stages
}

impl Stage {
    fn all<'s>(&'s self, instruction: &'s str) -> impl Iterator<Item = &'s str> {
        self.steps.iter().filter_map(move |step| step.strip_prefix(instruction)?.strip_prefix(' '))
    }

    /// `(the stage or none for the folder, from, to)` of each COPY.
    fn copies(&self) -> Vec<(Option<&str>, &str, &str)> {
        let copies = self.all("COPY").map(|words| {
            let words: Vec<_> = words.split_whitespace().collect();
            match words[..] {
                [from, to] => (None, from, to),
                [stage, from, to] => (stage.strip_prefix("--from="), from, to),
                _ => panic!("COPY {words:?}"),
            }
        });
        copies.collect()
    }
}

#[test]
fn each_stage_of_the_image_has_what_it_is_made_of() {
    let stages = stages();
    let [pages, build, last] = &stages[..] else { panic!("three stages") };
    assert_eq!((pages.name.as_str(), build.name.as_str(), last.name.as_str()), ("pages", "build", ""));
    for stage in &stages {
        let tag = stage.image.split_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{} may be anything tomorrow", stage.image);
        for (from, path, _) in stage.copies().into_iter().filter(|(_, path, _)| *path != ".") {
            match from {
                None => assert!(top().join(path).exists(), "{path} is not there"),
                Some(from) => assert!(stages.iter().any(|other| other.name == from), "no stage {from}"),
            }
        }
    }
    // The program embeds what the first stage made.
    let made = pages.all("RUN").find_map(|run| run.split("WEB_UI_OUT=").nth(1)?.split_whitespace().next());
    let taken = build.copies().into_iter().find(|(from, ..)| *from == Some("pages")).expect("the pages are copied");
    let built = build.all("RUN").find(|run| run.contains("cargo build")).expect("a build");
    assert_eq!(made, Some(taken.1));
    assert!(built.contains(&format!("WEB_UI_DIST={}", taken.2)), "{built}");
    let toolchain = fs::read_to_string(top().join("rust-toolchain.toml")).expect("a file of the project");
    let version = build.image.strip_prefix("rust:").and_then(|tag| tag.split('-').next()).expect("an image of rust");
    assert!(toolchain.contains(&format!("\"{version}")), "it builds with {version}: {toolchain}");
    // What is copied whole leaves behind what was built elsewhere.
    let left = fs::read_to_string(top().join(".dockerignore")).expect("a file of the project");
    for folder in [".git", "**/target", "**/node_modules", "keeper-data"] {
        assert!(left.lines().any(|line| line == folder), ".dockerignore lacks {folder}");
    }
    assert!(last.all("USER").all(|user| user.split(':').all(|id| id.parse().is_ok_and(|id: u32| id > 0))));
    assert!(last.all("USER").count() == 1 && last.all("HEALTHCHECK").any(|check| check.contains("/livez")));
    let health = last.steps.iter().position(|step| step.starts_with("HEALTHCHECK")).expect("it has one");
    let user = last.steps.iter().position(|step| step.starts_with("USER")).expect("it has one");
    assert!(user < health && last.all("ENTRYPOINT").any(|program| program.contains("artifact-keeper")));
}

#[test]
fn the_pages_of_the_image_are_built_of_what_its_first_stage_copies() {
    let stages = stages();
    let pages = stages.first().expect("a stage");
    let folder = tempfile::tempdir().expect("a folder");
    for (_, from, to) in pages.copies() {
        let to = folder.path().join(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a fresh folder");
        run(Command::new("cp").arg("-r").arg(top().join(from)).arg(&to)).succeeded();
    }
    // What .dockerignore leaves out.
    for built in ["node_modules", ".svelte-kit", "build"] {
        let path = folder.path().join("web-ui").join(built);
        assert!(!path.exists() || fs::remove_dir_all(&path).is_ok(), "{built}");
    }
    let dist = folder.path().join("dist");
    for script in pages.all("RUN") {
        let script = script.replace("/dist", &dist.display().to_string());
        let mut shell = Command::new("sh");
        // What was fetched before need not be fetched again.
        shell.args(["-euc", &script]).current_dir(folder.path()).env("npm_config_prefer_offline", "true");
        run(&mut shell).succeeded();
    }
    assert!(dist.join("index.html").is_file());
}

/// A file of `compose`, as a reader of YAML understands it.
fn compose(name: &str) -> Value {
    let python = top().join("target/venv/bin/python");
    let script = "import sys, yaml, json\nprint(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let path = top().join("docs/deploy").join(name);
    let read = run(Command::new(python).args(["-c", script]).arg(path)).succeeded();
    serde_json::from_str(read.stdout()).expect("JSON")
}

#[test]
fn each_container_is_named_exactly_watched_and_has_few_rights() {
    // Settings that the program knows, and none that it only warns of.
    let known: Vec<_> = keeper_api::config::settings::all().map(|setting| setting.variable()).collect();
    for name in ["compose.yaml", "compose.scaled.yaml"] {
        let file = compose(name);
        for (service, made) in file["services"].as_object().expect("services") {
            let what = format!("{name}: {service}");
            if made["build"].is_object() {
                let text = |key: &str| made["build"][key].as_str().expect("a text");
                let context = top().join("docs/deploy").join(text("context"));
                assert!(context.join(text("dockerfile")).is_file(), "{what}");
                assert_eq!(made["read_only"], true, "{what}");
                assert_eq!(made["cap_drop"], serde_json::json!(["ALL"]), "{what}");
                assert!(made["tmpfs"].is_array(), "{what}");
                let settings = made["environment"].as_object().expect("settings");
                for variable in settings.keys().filter(|variable| variable.starts_with("KEEPER_")) {
                    assert!(known.iter().any(|known| known == variable), "{what}: {variable}");
                }
            } else {
                let tag = made["image"].as_str().and_then(|image| image.split_once(':')).map(|(_, tag)| tag);
                // A tag with a date or with the last number: `15` is another program tomorrow.
                let exact = tag.is_some_and(|tag| tag.starts_with("RELEASE.") || tag.contains('.'));
                assert!(exact, "{what}: {}", made["image"]);
                // Whoever is waited for until it is well, or done, can tell.
                let ends = made["entrypoint"].is_array();
                assert!(ends || made["healthcheck"]["test"].is_array(), "{what} cannot tell how it is");
            }
            for (other, on) in made["depends_on"].as_object().into_iter().flatten() {
                let needed = &file["services"][other];
                assert!(needed.is_object(), "{what}: {other}");
                assert_ne!(on["condition"], "service_started", "{what}: {other} may not be ready");
            }
        }
    }
}

#[test]
fn servers_beside_each_other_share_bucket_key_and_a_way_out() {
    let file = compose("compose.scaled.yaml");
    for server in ["keeper-1", "keeper-2"] {
        let made = &file["services"][server];
        let settings = &made["environment"];
        let key = settings["KEEPER_SECRETS_KEY_FILE"].as_str().expect("a key that all share");
        let secret = key.strip_prefix("/run/secrets/").expect("a secret");
        assert!(made["secrets"].as_array().is_some_and(|secrets| secrets.iter().any(|one| one == secret)));
        assert!(file["secrets"][secret]["file"].is_string());
        assert!(settings["KEEPER_SHUTDOWN_DELAY"].is_string());
        assert_eq!(made["depends_on"]["bucket"]["condition"], "service_completed_successfully");
        let bucket =
            settings["KEEPER_STORAGE_URL"].as_str().and_then(|url| url.strip_prefix("s3://")).expect("a bucket");
        let bucket = bucket.split('/').next().expect("a name");
        let script = file["services"]["bucket"]["command"][0].as_str().expect("a script");
        assert!(script.contains(&format!("mc mb --ignore-existing s3/{bucket}")), "{script}");
    }
    let mounts = file["services"]["nginx"]["volumes"].as_array().expect("mounts");
    for mount in mounts.iter().filter_map(Value::as_str).filter(|mount| mount.starts_with("./")) {
        let there = mount.split(':').next().expect("a path");
        assert!(top().join("docs/deploy").join(there).is_file(), "{mount}");
    }
}
