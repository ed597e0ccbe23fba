//! The status page: files that are a part of this program, and what they follow. It only watches.
//!
//! It is on the API's socket, and where metrics are served when that is a loopback address. There it answers by the names of this
//! host alone, or any web site could have a browser read it under a name of its own (DNS rebinding).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use lightpath_core::Reason;
use tokio::sync::mpsc;

use super::{Question, follow, routes};
use crate::drops::advice;
use crate::problem::Problem;

/// Nothing is loaded from elsewhere, nothing stands in the page itself that a browser would run, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// The files, each with where it is and what it is.
const FILES: [(&str, &str, &str); 7] = [
    ("/", HTML, include_str!("../../../assets/page/index.html")),
    ("/page/style.css", STYLE, include_str!("../../../assets/page/style.css")),
    ("/page/icon.svg", IMAGE, include_str!("../../../assets/page/icon.svg")),
    ("/page/page.js", SCRIPT, include_str!("../../../assets/page/page.js")),
    ("/page/services.js", SCRIPT, include_str!("../../../assets/page/services.js")),
    ("/page/panels.js", SCRIPT, include_str!("../../../assets/page/panels.js")),
    ("/page/format.js", SCRIPT, include_str!("../../../assets/page/format.js")),
];

/// The files of the page.
pub(super) fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let with_files = FILES.into_iter().fold(Router::new(), |router, (path, media_type, text)| {
        router.route(path, get(async move || file(media_type, text)))
    });
    with_files.route("/page/reasons.json", get(reasons))
}

/// The page and what it follows, for those on this host.
pub(in crate::daemon) fn router() -> Router<mpsc::Sender<Question>> {
    Router::new()
        .route("/v1/status", get(routes::status))
        .route("/v1/events", get(follow::events))
        .route("/v1/watch", get(follow::watch))
        .merge(files())
        .route_layer(middleware::from_fn(only_by_this_hosts_name))
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of the daemon has another page.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (HEADERS, [(header::CONTENT_TYPE, media_type)], text).into_response()
}

/// What each reason to drop means, and what to do about it.
async fn reasons() -> Json<BTreeMap<&'static str, [&'static str; 2]>> {
    let of = |reason: Reason| {
        let (meaning, remedy) = advice(reason);
        (reason.name(), [meaning, remedy])
    };
    Json(Reason::ALL.into_iter().map(of).collect())
}

/// Refuses requests under a name that is not this host's.
async fn only_by_this_hosts_name(headers: HeaderMap, request: Request, next: Next) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_this_host(host) {
        return next.run(request).await;
    }
    let detail =
        format!("{host} is not a name that this host knows itself by; ask for localhost or 127.0.0.1");
    Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
}

fn is_this_host(host: &str) -> bool {
    let with_port = host.parse().map(|at: SocketAddr| at.ip());
    let address: Result<IpAddr, _> = with_port.or_else(|_| host.trim_matches(['[', ']']).parse());
    match address {
        Ok(address) => address.is_loopback(),
        Err(_) => host.split(':').next() == Some("localhost"),
    }
}

/// Refuses changes that a browser asks for: somebody who watches through a tunnel to the socket visits other sites too.
pub(super) async fn only_watches(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    // Browsers send these, and scripts in them cannot take them away (Fetch, sections 2.2.2 and 3.2).
    let from_browser = ["origin", "sec-fetch-site"].iter().any(|name| request.headers().contains_key(*name));
    if is_safe || !from_browser {
        return next.run(request).await;
    }
    let detail =
        "a browser may watch and change nothing; changes go by `lightpath` or another client of the API";
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_few_names() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:9800", true),
            ("127.0.0.1:9800", true),
            ("127.8.8.8", true),
            ("[::1]:9800", true),
            ("[::1]", true),
            ("::1", true),
            ("", false),
            ("evil.example:9800", false),
            ("localhost.evil.example", false),
            ("203.0.113.10:9800", false),
        ] {
            assert_eq!(is_this_host(host), expected, "{host}");
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for (path, _, text) in FILES {
            for line in text.lines().filter(|line| line.contains("://")) {
                assert!(line.contains("http://www.w3.org/2000/svg"), "{path}: {line}");
            }
            assert!(!text.contains("style=") && !text.contains("onclick="), "{path}: the policy forbids it");
        }
    }
}
