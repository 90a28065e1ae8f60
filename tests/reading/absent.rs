//! Whatever is not there is 404: the `go` command asks for each prefix of an import path, and stops at
//! anything else.

use super::{Scene, TWINS};
use crate::harness::http;
use crate::harness::refusal::Refusals;

/// A row: the path below the repository, the code, and a piece of the text.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

fn all_absent(scene: &Scene, rows: &[Row<'_>]) {
    let refusals = Refusals::by(&scene.server);
    for (row, path, code, says) in rows {
        let row = format!("{row} {:.80}", path);
        let text = refusals.text(&row, &scene.get(path), 404, code);
        assert!(text.contains(says), "{row}: {says:?} is not in {text}");
        let head = http::send("HEAD", &scene.url(path), &[], &[]);
        assert_eq!((head.status, head.header("x-error-code")), (404, Some(*code)), "{row}: HEAD");
    }
}

#[test]
fn what_is_unknown_is_absent_and_never_an_empty_list() {
    let both = format!("{} (v1.1.0) and {} (v1.0.0) begin so\nGive more digits", TWINS[1], TWINS[0]);
    let scene = Scene::new();
    all_absent(
        &scene,
        &[
            ("G2", "/example.com/unknown/@v/list", "module_not_found", "repository \"r\" has no such module"),
            ("G2", "/example.com/unknown/@v/v1.0.0.info", "module_not_found", "no such module"),
            ("G2", "/example.com/unknown/@v/v1.0.0.mod", "module_not_found", "no such module"),
            ("G2", "/example.com/unknown/@v/v1.0.0.zip", "module_not_found", "no such module"),
            ("G2", "/example.com/unknown/@latest", "module_not_found", "no such module"),
            ("G2", "/example.com/unknown/@v/main.info", "module_not_found", "no such module"),
            (
                "G3",
                "/github.com/!azure/m/@v/v1.2.9.info",
                "version_not_found",
                "has 2 versions of it\nThe newest is v1.1.0-rc.1",
            ),
            ("G3", "/github.com/!azure/m/@v/v1.2.9.mod", "version_not_found", "has 2 versions"),
            ("G3", "/github.com/!azure/m/@v/v1.2.9.zip", "version_not_found", "has 2 versions"),
            ("4", "/github.com/azure/m/@v/list", "module_not_found", "github.com/Azure/m"),
            ("6", "/github.com/@v/list", "module_not_found", ""),
            ("6", "/github.com/!azure/@v/list", "module_not_found", ""),
            ("7", "/github.com/!azure/m/sub/@v/v1.0.0.info", "module_not_found", ""),
            ("12", "/github.com/!azure/m/@v/v1.1.0-%21r%21c.1.info", "version_not_found", "v1.1.0-RC.1"),
            ("15, G9", "/github.com/!azure/m/@v/main.info", "version_not_found", "-F label="),
            (
                "G9",
                "/github.com/!azure/m/@v/1234567.info",
                "version_not_found",
                "no version of this branch, tag or commit",
            ),
            ("G9 too few digits", "/github.com/!azure/m/@v/0a1b2c.info", "version_not_found", ""),
            ("G9 upper case", "/github.com/!azure/m/@v/0!a1!b2!c3.info", "version_not_found", ""),
            ("17, G9", "/example.com/twice/@v/abcdef0.info", "version_not_found", &both),
        ],
    );
}

#[test]
fn what_is_written_wrongly_is_absent_with_the_right_spelling() {
    let long = format!("/example.com/{}@v/list", "a".repeat(4096) + "/");
    let deep = format!("/example.com/{}@v/list", "a/".repeat(200));
    all_absent(
        &Scene::new(),
        &[
            ("3", "/github.com/Azure/m/@v/list", "module_not_found", "github.com/!azure/m"),
            (
                "G6",
                "/github.com/BurntSushi/x/@v/list",
                "module_not_found",
                "\nHere an upper-case letter is written as \"!\" and the lower-case one: github.com/!burnt!sushi/x",
            ),
            ("5", "/github.com/!Azure/m/@v/list", "module_not_found", "!azure is Azure"),
            ("5", "/github.com/m!/@v/list", "module_not_found", "!"),
            ("5", "/github.com/!1/@v/list", "module_not_found", "!"),
            ("G7", "/github.com/!!a/@v/list", "module_not_found", "!"),
            ("G7", "/github.com/!A/@v/list", "module_not_found", "!"),
            ("G7", "/github.com/a!/@v/list", "module_not_found", "!"),
            ("no dot", "/mymodule/@v/list", "module_not_found", "begins with a host name"),
            ("9", "/github.com/!azure/m/@v/v1.0.info", "version_not_found", "canonical form is v1.0.0"),
            ("9", "/github.com/!azure/m/@v/v1.info", "version_not_found", "v1.0.0"),
            ("10, G11", "/github.com/!azure/m/@v/v1.0.mod", "version_not_found", "v1.0.0"),
            ("10, G11", "/github.com/!azure/m/@v/v1.0.zip", "version_not_found", "v1.0.0"),
            ("11", "/github.com/!azure/m/@v/v1.0.0+meta.info", "version_not_found", "v1.0.0"),
            ("G11", "/github.com/!azure/m/@v/main.zip", "version_not_found", "@v/main.info"),
            ("14, G11", "/github.com/!azure/m/@v/latest.info", "version_not_found", "@latest"),
            ("14", "/github.com/!azure/m/@v/upgrade.info", "version_not_found", "@latest"),
            ("14", "/github.com/!azure/m/@v/patch.info", "version_not_found", "@latest"),
            ("G11", "/github.com/!azure/m/@v/%3E=v1.info", "version_not_found", ""),
            ("G11", "/github.com/!azure/m/@v/%3Cv2.info", "version_not_found", ""),
            ("CVE-2025-68119", "/github.com/!azure/m/@v/-x.info", "version_not_found", ""),
            ("G12", &long, "module_not_found", "longer than any"),
            ("G12", &deep, "module_not_found", ""),
        ],
    );
}

#[test]
fn what_is_no_address_of_the_protocol_is_absent_with_the_five_forms() {
    const FORMS: &str = "@v/list, @v/VERSION.info, @v/VERSION.mod, @v/VERSION.zip and @latest";
    let paths = [
        ("18", "/github.com/!azure/m/@v/a%2Fb.info"),
        ("18", "/github.com/!azure/m/@v/a%5Cb.info"),
        ("18", "/github.com/!azure/m/@v/a%00.info"),
        ("18", "/github.com/!azure/m/@v/%zz.info"),
        ("18", "/github.com/!azure/m/@v/%FF.info"),
        ("19", "/github.com/!azure/m/@v/../../x"),
        ("19", "/a//b/@v/list"),
        ("20, G8", "/github.com/!azure/m/@v/v1.0.0.txt"),
        ("20", "/github.com/!azure/m/@v/v1.0.0"),
        ("20, G8", "/github.com/!azure/m/@v/"),
        ("20", "/github.com/!azure/m/@x"),
        ("G8", "/github.com/!azure/m/@v/v1.0.0.tar"),
        ("G8", "/github.com/!azure/m/@v/.zip"),
        ("G8", "/github.com/!azure/m/@v/list.json"),
        ("G8", "/github.com/!azure/m/@vv/list"),
        ("G8", "/github.com/!azure/m/@v"),
        ("G8", "/github.com/!azure/m"),
        ("G8", "/github.com/!azure/m/@v/v1.0.0.zip/x"),
    ];
    let rows: Vec<Row<'_>> = paths.iter().map(|(row, path)| (*row, *path, "file_not_found", FORMS)).collect();
    let scene = Scene::new();
    all_absent(&scene, &rows);
    all_absent(&scene, &[("19", "/@v/list", "module_not_found", "empty string")]);
}
