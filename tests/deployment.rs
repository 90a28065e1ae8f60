//! The files for systemd and nginx, given to those who read them. Those for containers are in `containers`.

mod containers;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::archives;
use crate::harness::command::run;
use crate::harness::http;
use crate::harness::server::{PROGRAM, Server};
use crate::harness::upload::Form;
use crate::harness::wait;
use crate::operations::docs;

#[test]
fn systemd_takes_the_unit() {
    let unit = docs("deploy/artifact-keeper.service");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("artifact-keeper.service");
    let there = unit.replace("/usr/local/bin/artifact-keeper serve", &format!("{PROGRAM} serve"));
    assert_ne!(unit, there);
    fs::write(&path, there).expect("written");
    let judged = run(Command::new("systemd-analyze").arg("verify").arg(&path)).succeeded();
    assert_eq!(judged.stderr(), "", "{judged}");
}

/// A port that is free.
fn port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    free.local_addr().expect("bound").port()
}

/// Where a server listens; its address for people may be another.
fn bound(server: &Server) -> String {
    let output = server.output();
    let mut events = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ready = events.rfind(|event| event["message"] == "ready").expect("it is ready");
    ready["address"].as_str().expect("an address").to_owned()
}

/// nginx with a recipe.
struct Nginx {
    url: String,
    child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// With this recipe on this port. The servers stand for those of the recipe, in their order.
    fn start(recipe: &str, port: u16, servers: &[&Server]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut text = docs(recipe).replace("/tmp/", &format!("{}/", folder.path().display()));
        let names = ["keeper-1:8080", "keeper-2:8080"].into_iter();
        let listens = ("listen 8080;", format!("listen 127.0.0.1:{port};"));
        for (from, to) in names.zip(servers.iter().map(|server| bound(server))).chain([listens]) {
            assert!(text.contains(from), "{from} is not in the recipe");
            text = text.replace(from, &to);
        }
        let path = folder.path().join("nginx.conf");
        fs::write(&path, format!("daemon off;\n{text}")).expect("written");
        let child = Command::new(program())
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&path)
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx runs. On Debian: sudo apt-get install nginx-light");
        let url = format!("http://127.0.0.1:{port}");
        wait::until("nginx listens", || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        Self { url, child, _folder: folder }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

fn program() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

#[test]
fn nginx_with_the_recipe_passes_everything_on_as_it_is() {
    const LARGE: usize = 12 << 20;
    let server = Server::with(&[("KEEPER_TRUSTED_PROXIES", "127.0.0.1")]);
    let nginx = Nginx::start("deploy/nginx.conf", port(), &[&server, &server]);
    let through = |address: &str| address.replace(&server.url, &nginx.url);
    // An upload that is larger than what nginx takes by itself, and a download of it, whole and in part.
    let archive = archives::stored(&[("noise.bin", &archives::noise(LARGE))]);
    let form = Form::go(archive).with("name", "example.com/Large").with("version", "v1.0.0");
    form.send_to(&nginx.url).expect(201);
    let direct = format!("{}/example.com/!large/@v/v1.0.0.zip", server.go("local"));
    let whole = http::get(&through(&direct)).expect(200).body;
    assert!(whole.len() > LARGE && whole == http::get(&direct).expect(200).body);
    let part = http::send("GET", &through(&direct), &[("Range", "bytes=100-199")], &[]).expect(206);
    assert_eq!(part.body, whole[100..200]);
    // Paths as clients spell them; a slash too much stays one.
    for spelling in ["%21large", "%21Large", "!large", "/!large"] {
        let path = direct.replace("!large", spelling);
        let (here, there) = (http::get(&path), http::get(&through(&path)));
        assert_eq!((here.status, here.body.len()), (there.status, there.body.len()), "{spelling}");
    }
    // What nginx says of the client is believed, and what the client says of itself is not.
    let setup = http::send(
        "GET",
        &format!("{}/api/repositories/go/local/setup", nginx.url),
        &[("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")],
        &[],
    );
    let text = setup.expect(200).text();
    assert!(text.contains(&nginx.url) && !text.contains("evil.example"), "{text}");
    let health: Value =
        serde_json::from_str(&http::get(&format!("{}/readyz", nginx.url)).expect(200).text()).expect("JSON");
    assert_eq!(health["database"], "ok");
}

#[test]
fn nginx_with_a_prefix_takes_it_away_and_nothing_else() {
    let port = port();
    let public = format!("http://127.0.0.1:{port}/keeper");
    let server = Server::with(&[("KEEPER_TRUSTED_PROXIES", "127.0.0.1"), ("KEEPER_PUBLIC_URL", &public)]);
    let _nginx = Nginx::start("deploy/nginx-prefix.conf", port, &[&server]);
    let archive = archives::stored(&[("noise.bin", &archives::noise(2 << 20))]);
    let form = Form::go(archive).with("name", "example.com/Large").with("version", "v1.0.0");
    form.send_to(&public).expect(201);
    let direct = format!("http://{}", bound(&server));
    let path = "/go/local/example.com/!large/@v/v1.0.0.zip";
    for spelling in ["%21large", "%21Large", "!large", "/!large"] {
        let path = path.replace("!large", spelling);
        let (here, there) = (http::get(&format!("{direct}{path}")), http::get(&format!("{public}{path}")));
        assert_eq!((here.status, here.body.len()), (there.status, there.body.len()), "{spelling}");
    }
    let part = http::send("GET", &format!("{public}{path}"), &[("Range", "bytes=100-199")], &[]);
    assert_eq!(part.expect(206).body.len(), 100);
    let setup = http::get(&format!("{public}/api/repositories/go/local/setup")).expect(200).text();
    assert!(setup.contains(&format!("{public}/go/local")), "{setup}");
    let page = http::get(&format!("{public}/")).expect(200).text();
    assert!(page.contains("/keeper/"), "the pages ask below the prefix: {page}");
    http::get(&public).expect(308);
}
