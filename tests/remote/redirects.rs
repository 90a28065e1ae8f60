//! Where an upstream may send us, and where not.

use serde_json::json;

use super::{Scene, unverified};
use crate::harness::goproxy::Module;
use crate::harness::refusal::Refusals;
use crate::harness::scripted::{Reply, Scripted};

fn module() -> Module {
    Module::new("example.com/m", "v1.0.0")
}

#[test]
fn redirects_are_followed_and_their_content_is_judged_as_any() {
    let scene = Scene::new();
    let (upstream, store) = (Scripted::start(), Scripted::start());
    let module = module();
    scene.remote("m", &upstream.url);
    store.put("/bucket/m.zip?signature=1", [Reply::bytes(module.zip())]);
    store.put("/bucket/other.zip", [Reply::bytes(Module::new("example.com/m", "v1.0.1").zip())]);
    upstream.put(&module.at("info"), [Reply::redirect("/moved/info")]);
    upstream.put("/moved/info", [Reply::text(module.info())]);
    upstream.put(&module.at("zip"), [Reply::redirect(&format!("{}/bucket/other.zip", store.url))]);
    let refusals = Refusals::by(&scene.server);
    refusals.text("K14", &scene.get("m", &module.at("zip")), 502, "upstream_invalid");
    upstream.put(&module.at("zip"), [Reply::redirect(&format!("{}/bucket/m.zip?signature=1", store.url))]);
    scene.get("m", &module.at("info")).expect(200);
    assert!(scene.get("m", &module.at("zip")).expect(200).body == module.zip());
    for asked in store.heard() {
        assert_eq!(
            (asked.header("authorization"), asked.header("cookie"), asked.header("referer")),
            (None, None, None)
        );
    }
}

#[test]
fn redirects_to_closed_places_are_refused() {
    let scene = Scene::new();
    let secret = Scripted::answering(|_| Reply::text("{\"Version\":\"v1.0.0\"}"));
    let port = secret.url.rsplit(':').next().expect("a port").to_owned();
    let places = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fd00:ec2::254]/latest/".to_owned(),
        "http://metadata.google.internal/computeMetadata/v1/".to_owned(),
        // This machine under other names than the one that is allowed.
        format!("http://127.0.0.2:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://0:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://127.2:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("http://0x7f.2:{port}/"),
        "http://10.0.0.1/".to_owned(),
        "https://192.168.1.1/".to_owned(),
        // Over http only what is named.
        "http://8.8.8.8/".to_owned(),
        format!("https://user:password@127.0.0.1:{port}/"),
        "ftp://127.0.0.1/m.zip".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1:70/1".to_owned(),
    ];
    for (at, place) in places.iter().enumerate() {
        let (upstream, module, name) = (Scripted::start(), module(), format!("m{at}"));
        scene.remote(&name, &upstream.url);
        let refusals = Refusals::by(&scene.server);
        // One step of our own in between: each is checked.
        upstream.put(&module.at("info"), [Reply::redirect("/step")]);
        upstream.put("/step", [Reply::redirect(place)]);
        let said = refusals.text(
            &format!("K14, S5 {place}"),
            &scene.get(&name, &module.at("info")),
            502,
            "upstream_redirect_refused",
        );
        assert!(!said.contains("169.254") && !said.contains(&port), "S5 {place}: {said}");
        assert_eq!(upstream.times_asked("/step"), 1, "S5 {place}: what a rule stops is not tried again");
    }
    assert_eq!(secret.requests(), [""; 0], "S5");
}

#[test]
fn circles_and_long_ways_end() {
    let (scene, upstream, module) = (Scene::new(), Scripted::start(), module());
    scene.remote("m", &upstream.url);
    let refusals = Refusals::by(&scene.server);
    upstream.put(&module.at("mod"), [Reply::redirect(&module.at("mod"))]);
    refusals.text("K14 circle", &scene.get("m", &module.at("mod")), 502, "upstream_redirect_refused");
    assert_eq!(upstream.times_asked(&module.at("mod")), 6, "five redirects");
    for step in 0..6 {
        upstream.put(&format!("/step/{step}"), [Reply::redirect(&format!("/step/{}", step + 1))]);
    }
    upstream.put("/step/6", [Reply::text(module.info())]);
    upstream.put(&module.at("info"), [Reply::redirect("/step/1")]);
    refusals.text("K14 six steps", &scene.get("m", &module.at("info")), 502, "upstream_redirect_refused");
    upstream.put(&module.at("info"), [Reply::redirect("/step/2")]);
    scene.get("m", &module.at("info")).expect(200);
    let refusals = Refusals::by(&scene.server);
    upstream.put(&module.at("zip"), [Reply::status(302)]);
    refusals.text("K14 to nowhere", &scene.get("m", &module.at("zip")), 502, "upstream_error");
}

#[test]
fn nobody_is_led_from_https_to_http() {
    let (upstream, plain, module) = (Scripted::over_tls(), Scripted::start(), module());
    plain.offer(&[&module]);
    let scene = Scene::with(&[("KEEPER_NETWORK_CA_FILE", &upstream.authority())]);
    scene.remote("m", &upstream.url);
    upstream.put(&module.at("info"), [Reply::redirect(&format!("{}{}", plain.url, module.at("info")))]);
    let refusals = Refusals::by(&scene.server);
    refusals.text("K14 to http", &scene.get("m", &module.at("info")), 502, "upstream_redirect_refused");
    assert_eq!(plain.requests(), [""; 0], "K14");
}

#[test]
fn credentials_go_to_the_place_they_are_for_and_no_further() {
    let (scene, upstream, other) = (Scene::new(), Scripted::start(), Scripted::start());
    let (module, behind) = (module(), Module::new("example.com/behind", "v1.0.0"));
    other.offer(&[&module]);
    other.offer(&[&behind]);
    let proofs = [
        ("token", json!({ "token": "upstream-token-1" }), "Bearer upstream-token-1".to_owned()),
        (
            "basic",
            json!({ "username": "robin", "password": "upstream-word-1" }),
            format!("Basic {}", data_encoding::BASE64.encode(b"robin:upstream-word-1")),
        ),
    ];
    for (name, credentials, header) in proofs {
        let chain = format!("{},{}", upstream.url, other.url);
        scene.remote_with(name, &chain, &json!({ "credentials": credentials }), &unverified());
        upstream.put(&module.at("info"), [Reply::text(module.info())]);
        upstream.put(&module.at("mod"), [Reply::redirect(&format!("{}{}", other.url, module.at("mod")))]);
        // A realm is no place to send them.
        let realm = format!("Bearer realm=\"{}/token\",service=\"x\"", other.url);
        upstream.put("/example.com/m/@latest", [Reply::status(401).with("WWW-Authenticate", &realm)]);
        upstream.forget();
        other.forget();
        for path in [module.at("info"), module.at("mod"), behind.at("zip")] {
            scene.get(name, &path).expect(200);
        }
        scene.get(name, "/example.com/m/@latest");
        for asked in upstream.heard() {
            assert_eq!(asked.header("authorization"), Some(header.as_str()), "{name} {}", asked.path);
        }
        let elsewhere = other.heard();
        assert_eq!(other.times_asked("/token"), 0, "S5 {name}: the realm trick");
        assert!(elsewhere.len() >= 2, "{name}: the redirect and the next source");
        for asked in elsewhere {
            assert_eq!(asked.header("authorization"), None, "K14, S5 {name} {}", asked.path);
        }
        let shown = scene.server.api("GET", &format!("/api/repositories/go/{name}"), None).expect(200).text();
        assert!(!shown.contains("upstream-token-1") && !shown.contains("upstream-word-1"), "write-only: {shown}");
    }
    let printed = scene.server.output();
    assert!(!printed.contains("upstream-token-1") && !printed.contains("upstream-word-1"), "not in the log either");
}

#[test]
fn an_upstream_leads_only_to_the_hosts_that_are_named_for_it() {
    let scene = Scene::with(&[("KEEPER_NETWORK_ALLOW", "127.0.0.1,localhost")]);
    let (upstream, store, module) = (Scripted::start(), Scripted::start(), module());
    store.offer(&[&module]);
    let elsewhere = store.url.replace("127.0.0.1", "localhost");
    upstream.put(&module.at("info"), [Reply::redirect(&format!("{elsewhere}{}", module.at("info")))]);
    upstream.put(&module.at("mod"), [Reply::redirect(&format!("{}{}", store.url, module.at("mod")))]);
    let allowing = |name: &str, hosts: serde_json::Value| {
        scene.remote_with(name, &upstream.url, &json!({ "redirect_hosts": hosts }), &unverified());
        // Another port is the same host.
        scene.get(name, &module.at("mod")).expect(200);
    };
    for (name, hosts) in [("none", json!([])), ("another", json!(["storage.example.com", "*.localhost"]))] {
        allowing(name, hosts);
        let refusals = Refusals::by(&scene.server);
        refusals.text("S5", &scene.get(name, &module.at("info")), 502, "upstream_redirect_refused");
    }
    assert_eq!(store.times_asked(&module.at("info")), 0, "S5");
    for (name, hosts) in [("named", json!(["LOCALHOST"])), ("any", json!(null))] {
        allowing(name, hosts);
        scene.get(name, &module.at("info")).expect(200);
    }
    let shown = |name: &str| scene.server.api("GET", &format!("/api/repositories/go/{name}"), None).expect(200).json();
    assert_eq!(shown("named")["upstream"]["redirect_hosts"], json!(["localhost"]));
    assert!(shown("any")["upstream"].get("redirect_hosts").is_none());
    scene.change("named", &json!({ "upstream": { "redirect_hosts": [] } }));
    assert_eq!(shown("named")["upstream"]["redirect_hosts"], json!([]));
    for bad in [json!(["https://a.example"]), json!(vec!["a.example"; 51])] {
        let upstream = json!({ "upstream": { "redirect_hosts": bad } });
        let refused = scene.server.api("PATCH", "/api/repositories/go/named", Some(&upstream)).expect(400);
        assert!(refused.text().contains("upstream.redirect_hosts"), "{}", refused.text());
    }
}
