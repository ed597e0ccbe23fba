//! The API on an address, as other hosts meet it: by curl.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rcgen::CertifiedKey;
use serde_json::Value;

use crate::common::{Bed, LIGHTPATH, Output, file};

use super::web;

const AT: &str = "10.0.0.2:9801";
const TOKEN: &str = "3f9d0c52c8a14be7a54a1fd0a2c3e1b7";
const ANOTHER: &str = "b7e1c3a2d01fa45ae74ba1c8520c9d3f";

/// The files of the API.
pub(super) struct Files {
    token: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    pub(super) fn new(bed: &Bed) -> Self {
        let place = |name: &str| bed.scratch.join(name);
        let files = Self { token: place("token"), certificate: place("api.crt"), key: place("api.key") };
        files.write_token(TOKEN, 0o600);
        files.write_certificate();
        files
    }

    fn write_token(&self, token: &str, mode: u32) {
        fs::write(&self.token, format!("{token}\n")).unwrap();
        fs::set_permissions(&self.token, Permissions::from_mode(mode)).unwrap();
    }

    /// A new one, that no one but itself has signed.
    fn write_certificate(&self) {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["10.0.0.2".into()]).unwrap();
        fs::write(&self.certificate, cert.pem()).unwrap();
        fs::write(&self.key, signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&self.key, Permissions::from_mode(0o600)).unwrap();
    }

    fn configuration(&self, bed: &Bed) -> String {
        file(bed.interfaces, &self.api(), &web(bed))
    }

    /// What the file says of it, in `[node]`.
    pub(super) fn api(&self) -> String {
        let [token, certificate, key] =
            [&self.token, &self.certificate, &self.key].map(|file| file.to_str().unwrap());
        format!(
            "api = {{ listen = {AT:?}, token_file = {token:?}, certificate = {certificate:?}, key = {key:?} }}"
        )
    }

    /// Whether it answers whoever has the token.
    pub(super) fn answer(&self, bed: &Bed) -> bool {
        let header = bearer(TOKEN);
        self.curl(bed, &[&header[0], &header[1]], "/v1/status").0.starts_with("HTTP/1.1 200")
    }

    /// The client asks: the status and the headers, and the body.
    fn curl(&self, bed: &Bed, arguments: &[&str], path: &str) -> (String, String) {
        let output = self.try_curl(bed, arguments, path);
        assert_eq!(output.code, Some(0), "{output:?}");
        let (head, body) = output.stdout.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn try_curl(&self, bed: &Bed, arguments: &[&str], path: &str) -> Output {
        let mut curl = bed.client.ns.command("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--include",
            "--noproxy",
            "*",
            "--max-time",
            "20",
            "--cacert",
        ]);
        curl.arg(&self.certificate).args(arguments).arg(format!("https://{AT}{path}"));
        Output::of(&mut curl)
    }
}

fn bearer(token: &str) -> [String; 2] {
    ["--header".to_owned(), format!("Authorization: Bearer {token}")]
}

#[test]
fn who_has_the_token_can_do_over_tls_what_the_socket_can() {
    let mut bed = Bed::one_armed(1);
    let files = Files::new(&bed);
    bed.balancer.start_with(&files.configuration(&bed));
    let header = bearer(TOKEN);
    let with_token = [header[0].as_str(), header[1].as_str()];

    let (head, body) = files.curl(&bed, &with_token, "/v1/status");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let status: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status["services"][0]["name"], "webV4");
    let backend = "/v1/services/webV4/backends/10.0.0.11:80/drain";
    let (head, body) = files.curl(&bed, &[&["--request", "POST"], &with_token[..]].concat(), backend);
    assert!(head.starts_with("HTTP/1.1 200"), "{head} {body}");
    assert_eq!(bed.balancer.status().backend("webV4", 0)["weight"], 0);

    // The command line can, too.
    let place = format!("https://{AT}");
    let lightpath = |arguments: &[&str]| {
        let mut command = bed.client.ns.command(LIGHTPATH);
        command.args(arguments).args(["--api", &place, "--token-file"]).arg(&files.token);
        Output::of(command.arg("--ca").arg(&files.certificate))
    };
    let enabled = lightpath(&["backend", "enable", "webV4", "10.0.0.11"]);
    assert_eq!(enabled.code, Some(0), "{enabled:?}");
    let status = lightpath(&["status", "--json"]).json();
    assert_eq!(status["services"][0]["backends"][0]["weight"], 100, "{status}");
    let elsewhere = lightpath(&["detach"]);
    assert!(elsewhere.code == Some(1) && elsewhere.stderr.contains("--api is for commands"), "{elsewhere:?}");

    // Any program of this host as root: not from elsewhere.
    let upgrade = ["--header", "Content-Type: application/json", "--data", "{ \"binary\": \"/bin/true\" }"];
    let (head, body) = files.curl(&bed, &[&upgrade, &with_token[..]].concat(), "/v1/upgrade");
    assert!(head.starts_with("HTTP/1.1 403") && body.contains("lightpath upgrade --binary"), "{head} {body}");

    for token in [None, Some(ANOTHER), Some(&TOKEN[..31]), Some("")] {
        let header = token.map(bearer);
        let header: Vec<&str> = header.iter().flatten().map(String::as_str).collect();
        for path in ["/v1/status", "/v1/reload", "/nowhere"] {
            let (head, body) = files.curl(&bed, &header, path);
            assert!(head.starts_with("HTTP/1.1 401"), "{token:?}: {head}");
            let head = head.to_lowercase();
            assert!(head.contains("www-authenticate: bearer realm=\"lightpath\""), "{head}");
            assert!(head.contains("content-type: application/problem+json"), "{head}");
            assert_eq!(head.contains("invalid_token"), token.is_some(), "{head}");
            let problem: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((&problem["status"], &problem["type"]), (&401.into(), &"about:blank".into()));
        }
    }
    let mut plain = bed.client.ns.command("curl");
    plain.args(["--silent", "--noproxy", "*", "--max-time", "20"]).arg(format!("http://{AT}/v1/status"));
    assert_ne!(Output::of(&mut plain).code, Some(0), "nothing is served without TLS");
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_reload_renews_certificate_and_token_and_refuses_what_others_could_read() {
    let mut bed = Bed::one_armed(1);
    let files = Files::new(&bed);
    bed.balancer.start_with(&file(bed.interfaces, "", &web(&bed)));
    assert_ne!(files.try_curl(&bed, &[], "/v1/status").code, Some(0), "it is nowhere by itself");
    bed.balancer.configure(&files.configuration(&bed));
    let reload = || bed.balancer.ask(&["reload"]);
    let told = reload();
    assert!(
        told.code == Some(0) && told.stdout.contains("node: api on the socket only -> 10.0.0.2:9801"),
        "{told:?}"
    );
    let answers = |token: &str| {
        let header = bearer(token);
        files.curl(&bed, &[&header[0], &header[1]], "/v1/status").0.starts_with("HTTP/1.1 200")
    };
    assert!(answers(TOKEN));

    files.write_token(ANOTHER, 0o640);
    let refused = reload();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("chmod 600"), "{refused:?}");
    assert!(answers(TOKEN), "nothing has changed");
    files.write_token("short", 0o600);
    assert!(reload().stderr.contains("openssl rand -hex 32"));

    files.write_token(ANOTHER, 0o600);
    files.write_certificate();
    assert_ne!(files.try_curl(&bed, &[], "/v1/status").code, Some(0), "the old certificate is served still");
    assert_eq!(reload().code, Some(0));
    assert!(answers(ANOTHER) && !answers(TOKEN));

    bed.balancer.configure(&file(bed.interfaces, "", &web(&bed)));
    assert_eq!(reload().code, Some(0));
    assert_ne!(files.try_curl(&bed, &[], "/v1/status").code, Some(0), "it is closed");
    bed.balancer.stop();
    bed.balancer.detach();
}
