//! A store that machines share: what one made another takes, from a folder and from a bucket of a real S3 server.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::{
    LmpipeTest, Outcome,
    python::{Needs, python},
};

const RECIPE: &str = "\
lmpipe: 1
name: shared
inputs:
  reviews: {dataset: reviews.csv, text: text, label: label, split: {train: 0.6, validation: 0.2, test: 0.2, by: label}}
stages:
  clean: {uses: normalize, in: reviews, with: {steps: [{unicode: nfkc}, {whitespace: collapse}]}}
  more: {uses: augment, in: clean, with: {copies: 1, steps: [{delete: {rate: 0.1}}]}}
";

/// A machine: a project with a store of its own.
fn machine() -> LmpipeTest {
    LmpipeTest::with_reviews(RECIPE)
}

/// What the stages of the latest run made.
fn digests(test: &LmpipeTest) -> Vec<String> {
    let shown = test.run(&["show", "latest", "--format", "json"]).success().json();
    let nodes = shown["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["digest"].as_str().unwrap().to_owned()).collect()
}

/// Two machines and a place between them; `run` runs the recipe of one of them with it.
fn travels(run: impl Fn(&LmpipeTest) -> Outcome) {
    let (one, two) = (machine(), machine());
    run(&one).success().tells(&["3 stages: 3 ran"]);
    run(&two).success().tells(&["3 stages: 3 cached", "taken from the shared store"]);
    assert_eq!(digests(&one), digests(&two));
    two.run(&["cache", "verify"]).success();
    two.run(&["plan", "recipe.yaml", "--check"]).success();
}

#[test]
fn through_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("shared").display().to_string();
    travels(|test| test.run(&["run", "recipe.yaml", "--shared-store", &path]));
}

#[test]
fn what_is_wrong_with_it_stops_nobody() {
    let test = machine();
    let place = test.path("shared").display().to_string();
    let run = |test: &LmpipeTest| test.run(&["run", "recipe.yaml", "--shared-store", &place]);
    run(&test).success();
    // A machine that finds bytes that nobody wrote makes its own, and puts them there for the next.
    for folder in std::fs::read_dir(test.path("shared/objects")).unwrap() {
        let record = folder.unwrap().path().join("record.json");
        let mut bytes = std::fs::read(&record).unwrap();
        bytes[3] ^= 1;
        test.write_bytes(&record, &bytes);
    }
    let other = machine();
    run(&other).success().tells(&["3 ran", "`record.json` has another content; the stage runs"]);
    assert_eq!(digests(&other), digests(&test));
    run(&machine()).success().tells(&["3 cached"]);
    // No server is there: it is told once, and soon.
    let alone = machine();
    let mut command = alone.command(&["run", "recipe.yaml", "--shared-store", "s3://bucket/x"]);
    command.envs([
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
    ]);
    let outcome = Outcome::of(&mut command).success().tells(&["3 ran", "the shared store `s3://bucket/x`"]);
    assert_eq!(outcome.stderr.matches("goes on without it").count(), 1);
    assert!(!outcome.stderr.contains("hush-hush"), "{}", outcome.stderr);
    alone.run(&["run", "recipe.yaml", "--shared-store", "ftp://x"]).exits(5).tells(&["`ftp://` is not known"]);
}

#[test]
fn through_a_bucket() {
    let Some(python) = python(&Needs { package: "moto[s3,server]", module: "moto.server" }) else { return };
    let mut server = Server::start(&python);
    let address = server.address();
    let bucket = Command::new(&python)
        .args([
            "-c",
            "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1] + '/models', method='PUT'))",
            &address,
        ])
        .output()
        .unwrap();
    assert!(bucket.status.success(), "{}", String::from_utf8_lossy(&bucket.stderr));
    travels(|test| {
        let mut command = test.command(&["run", "recipe.yaml", "--shared-store", "s3://models/team"]);
        command.envs([
            ("AWS_ENDPOINT_URL", address.as_str()),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ]);
        Outcome::of(&mut command)
    });
}

/// moto's server, which answers as S3 does; it ends with the test.
struct Server(Child);

impl Server {
    fn start(python: &Path) -> Self {
        // Port 0: the system gives one that is free.
        let program = "from moto.server import ThreadedMotoServer as S\ns = S(ip_address='127.0.0.1', port=0, verbose=False)\ns.start()\n\
                       print(s.get_host_and_port()[1], flush=True)\nimport sys; sys.stdin.read()";
        let mut command = Command::new(python);
        command.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn address(&mut self) -> String {
        let mut port = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut port).unwrap();
        format!("http://127.0.0.1:{}", port.trim())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
