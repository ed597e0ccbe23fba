//! The status page in a browser: what a person sees is what `status` says, soon, on any screen and with any sense.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lightpath_lab::{HttpServer, http_get, serve_http};
use serde_json::Value;

use crate::common::{Bed, Browser, Family, PATIENCE, Service, eventually, file, finish};
use crate::metrics::FIRST;

/// Asks for new pictures in the documentation, for which there is traffic for a while.
const SCREENSHOTS: &str = "LIGHTPATH_SCREENSHOTS";
const URL: &str = "http://127.0.0.1:9800/";
/// As the page writes counts.
const SHOWN: &str =
    "return [...document.querySelectorAll('tr[data-service], tr[data-backend]')].map((row) => [
    row.dataset.service ?? row.dataset.backend,
    row.querySelector('.state').textContent,
    row.querySelector('td[data-label=Packets]').textContent.replaceAll(',', ''),
    row.querySelector('td[data-label=Dropped]').textContent.replaceAll(',', ''),
    row.querySelector('.share span')?.textContent ?? '',
])";

fn serve(bed: &Bed) -> Vec<HttpServer> {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 80));
    bed.backends.iter().map(|backend| serve_http(&backend.ns, everywhere, "page").unwrap()).collect()
}

/// Two services of three backends, one of which is drained in the second, and one of nobody.
fn configuration(bed: &Bed) -> String {
    let addresses = bed.addresses(Family::V4);
    let mut services = [("web", 10), ("shop", 11)].map(|(name, host)| {
        let mut service = Service::web(name, Family::V4.vip(host), &addresses);
        service.more = "health = { type = \"tcp\", interval = \"500ms\", timeout = \"500ms\", fall = 2 }";
        service.forward = "fullnat";
        service
    });
    services[1].backends[2].more = "weight = 0";
    let empty = Service::web("empty", Family::V4.vip(12), &[]);
    let [web, shop] = services;
    file(bed.interfaces, "metrics = \"127.0.0.1:9800\"", &[web, shop, empty])
}

/// The same of `status --json`, in the words of the page.
fn expected(status: &Value) -> Value {
    let mut rows = Vec::new();
    for service in status["services"].as_array().unwrap() {
        let backends = service["backends"].as_array().unwrap();
        let up = backends.iter().filter(|backend| backend["state"] == "up").count();
        let state = match (backends.len(), up) {
            (0, _) => "no backends".to_owned(),
            (all, up) if all == up => format!("{up} up"),
            (all, up) => format!("{up} of {all} up"),
        };
        let text = |value: &Value| value.to_string();
        rows.push([
            service["name"].as_str().unwrap().to_owned(),
            state,
            text(&service["packets"]),
            text(&service["dropped"]),
            String::new(),
        ]);
        let weights: f64 = backends.iter().map(|backend| backend["weight"].as_f64().unwrap()).sum();
        for backend in backends {
            let weight = backend["weight"].as_f64().unwrap();
            let share = backend["share"].as_f64().unwrap() * 100.0;
            rows.push([
                format!("{}:{}", backend["address"].as_str().unwrap(), backend["port"]),
                backend["state"].as_str().unwrap().to_owned(),
                text(&backend["packets"]),
                String::new(),
                format!("{share:.1}% ({:.1}% by weight {weight})", weight / weights * 100.0),
            ]);
        }
    }
    serde_json::to_value(rows).unwrap()
}

/// axe-core, which `scripts/setup --test` has put below the target directory.
fn axe() -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("axe-core/axe.min.js");
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/setup --test", path.display()))
}

/// Fails if axe finds a serious fault in the page as it is.
fn is_accessible(browser: &Browser, what: &str) {
    browser.run(&axe());
    let found = browser.wait_for("axe.run()");
    let violations = found["violations"].as_array().unwrap_or_else(|| panic!("{found}"));
    let serious =
        violations.iter().filter(|fault| fault["impact"] == "serious" || fault["impact"] == "critical");
    let words: Vec<String> = serious
        .map(|fault| format!("{}: {} ({})", fault["id"], fault["help"], fault["nodes"][0]["html"]))
        .collect();
    assert!(words.is_empty(), "{what}: {words:#?}");
    assert!(found["passes"].as_array().unwrap().len() > 15, "it looked at something");
}

/// Complaints of the browser. That a daemon which is gone does not answer is none.
fn complaints(browser: &Browser) -> Vec<Value> {
    let is_complaint = |entry: &Value| {
        entry["level"] == "SEVERE" && !entry["message"].as_str().unwrap().contains("net::ERR_")
    };
    browser.console().into_iter().filter(is_complaint).collect()
}

/// Writes a picture for the documentation, when it is asked for.
fn keep(browser: &Browser, name: &str) {
    let picture = browser.screenshot();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{name}: {} bytes", picture.len());
    if std::env::var_os(SCREENSHOTS).is_some() {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../docs/images", name].iter().collect();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, picture).unwrap();
    }
}

/// What is of the whole node: each processor, drains, and how what runs came about.
fn the_node_is_shown(browser: &Browser, status: &Value) {
    let panel = |id: &str| {
        let text = browser.run(&format!("return document.getElementById('{id}').innerText"));
        text.as_str().unwrap().to_owned()
    };
    let processors = status["cpus"].as_array().unwrap().len();
    assert_eq!(browser.run("return document.querySelectorAll('#cpus meter').length"), processors);
    let moves = panel("moves");
    assert!(moves.contains("of shop drains:") && moves.contains("flows of fullnat"), "{moves}");
    let configuration = panel("configuration");
    let program = format!("Program {}:", status["program"]["id"]);
    for expected in ["On eth0 (native).", &program, "What runs is what the file says."] {
        assert!(configuration.contains(expected), "{expected}: {configuration}");
    }
    let sparks = "return document.querySelectorAll('tr[data-service] svg').length";
    assert_eq!(browser.run(sparks), 3, "each service has its line");
}

/// Sorts, opens, closes and searches as somebody does who has no mouse.
fn works_by_keyboard_and_search(browser: &Browser) {
    let names = "return [...document.querySelectorAll('tr[data-service]')].map((row) => row.dataset.service)";
    browser.run("document.querySelector('th[data-sort=name] button').focus()");
    browser.press("Enter");
    assert_eq!(browser.run(names), serde_json::json!(["empty", "shop", "web"]));
    assert_eq!(browser.run("return document.querySelector('th[data-sort=name]').ariaSort"), "ascending");
    browser.press("Tab");
    browser.press("Enter");
    assert_eq!(browser.run("return document.activeElement.closest('th').ariaSort"), "descending");
    browser.run("document.querySelector('tr[data-service=web] button').focus()");
    browser.press("Enter");
    let of_web = "return document.querySelector('tr[data-service=web]').parentNode.querySelectorAll('tr[data-backend]').length";
    assert_eq!(browser.run(of_web), 0);
    browser.press("Enter");
    assert_eq!(browser.run(of_web), 3);
    let search = |text: &str| {
        browser.run(&format!(
            "const field = document.getElementById('search'); field.value = '{text}'; field.dispatchEvent(new Event('input'))"
        ));
        browser.run(names)
    };
    assert_eq!(search("SHOP"), serde_json::json!(["shop"]));
    assert_eq!(search("draining"), serde_json::json!(["shop"]));
    assert_eq!(search("nonsense"), serde_json::json!([]));
    search("");
}

/// Lets rates be seen in the pictures, when there are to be new ones.
fn make_traffic_for_pictures(bed: &Bed) {
    if std::env::var_os(SCREENSHOTS).is_none() {
        return;
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        for host in [10, 10, 10, 11] {
            let to = SocketAddr::new(Family::V4.vip(host), 80);
            http_get(&bed.client.ns, None, to, PATIENCE).unwrap();
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn the_page_shows_what_status_says_and_what_happens_at_once() {
    let mut bed = Bed::one_armed(3);
    let mut servers = serve(&bed);
    bed.balancer.start_with(&configuration(&bed));
    for host in [10, 10, 10, 11, 12] {
        let to = SocketAddr::new(Family::V4.vip(host), 80);
        let answer = http_get(&bed.client.ns, None, to, PATIENCE);
        assert_eq!(answer.is_ok(), host != 12, "{answer:?}");
    }
    let browser = Browser::start(&bed.balancer.ns, &bed.balancer.socket().with_file_name("browser"));
    browser.prefers("light");
    browser.resize(1280, 1000);
    browser.open(URL);
    browser.shows("it is live", "return document.getElementById('connection').textContent === 'Live'");
    let mut shown = Value::Null;
    let mut said = Value::Null;
    eventually("the page shows what status says", || {
        said = expected(&bed.balancer.status().0);
        shown = browser.run(SHOWN);
        shown == said
    });
    assert_eq!(shown.as_array().unwrap().len(), 9, "{shown}");
    browser.shows(
        "drops are explained",
        "return document.querySelector('[data-reason=no-backend] + p')?.textContent.startsWith('No backend of the service')",
    );
    bed.look_for_an_example(SocketAddr::new(Family::V4.vip(12), 80));
    browser.shows(
        "an example of them is shown",
        "return document.querySelector('[data-reason=no-backend] ~ .example code')?.textContent.startsWith('tcp SYN')",
    );
    the_node_is_shown(&browser, &bed.balancer.status().0);
    is_accessible(&browser, "light");

    works_by_keyboard_and_search(&browser);
    make_traffic_for_pictures(&bed);

    // A backend that is killed is red within the time of two failed checks and a second.
    let dead = format!("{}:80", bed.addresses(Family::V4)[1]);
    let killed = Instant::now();
    drop(servers.remove(1));
    let is_red = format!(
        "const badge = document.querySelector('tr[data-service=web]').parentNode.querySelector('[data-backend=\"{dead}\"] .state');
         return badge.textContent === 'down' && badge.classList.contains('down')"
    );
    browser.shows("the killed backend is red", &is_red);
    let took = killed.elapsed();
    println!("a killed backend is red after {took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    browser.shows(
        "the event is told with its cause",
        "return document.querySelector('#events [data-event=backend-down]')?.textContent.includes('connection refused')",
    );
    assert_eq!(complaints(&browser), [] as [Value; 0]);

    // Whatever the screen is like.
    keep(&browser, "page-light.png");
    browser.prefers("dark");
    browser.shows("it is dark", "return document.documentElement.dataset.theme === 'dark'");
    is_accessible(&browser, "dark");
    keep(&browser, "page-dark.png");
    browser.prefers("light");
    browser.resize(390, 844);
    let too_wide = browser.run(
        "return [...document.querySelectorAll('main *')].filter((part) => part.getBoundingClientRect().right > 390)
            .map((part) => part.outerHTML.slice(0, 200))",
    );
    assert_eq!(too_wide, serde_json::json!([]), "wider than a phone");
    is_accessible(&browser, "phone");
    browser.run("document.getElementById('services').scrollIntoView()");
    keep(&browser, "page-phone.png");

    // A daemon that is gone is missed, and found again without a hand.
    bed.balancer.stop();
    let notice = "const gone = document.getElementById('gone'); return !gone.hidden && gone.textContent.includes('does not answer')";
    browser.shows("the daemon is missed", notice);
    is_accessible(&browser, "gone");
    bed.balancer.start();
    browser.shows("it is found again", "return document.getElementById('gone').hidden");
    browser.shows(
        "what it did is told",
        "return document.querySelector('#events li').dataset.event !== undefined
            && [...document.querySelectorAll('#events li')].filter((line) => line.dataset.event === 'started').length === 2",
    );
    assert_eq!(complaints(&browser), [] as [Value; 0]);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_thousand_services_stay_smooth() {
    const SERVICES: usize = 1000;
    /// What a page may take at a time before a person notices (RAIL: 100 ms to respond), on a machine that has other things to do.
    const NOTICED: f64 = 1000.0;
    let mut bed = Bed::one_armed(1);
    let services: Vec<Service> = (0..SERVICES)
        .map(|number| {
            let vip = format!("203.0.{}.{}", 113 + number / 250, number % 250 + 1).parse().unwrap();
            let mut service = Service::web(&format!("s{number}"), vip, &bed.addresses(Family::V4));
            service.forward = "dsr";
            service
        })
        .collect();
    let node = "metrics = \"127.0.0.1:9800\"\nannounce = \"none\"";
    bed.balancer.start_with(&file(bed.interfaces, node, &services));
    let browser = Browser::start(&bed.balancer.ns, &bed.balancer.socket().with_file_name("browser"));
    browser.resize(1280, 1000);
    browser.open(URL);
    let rows = "return document.querySelectorAll('tr[data-service]').length";
    browser.shows("all are shown", &format!("{rows} === {SERVICES}"));
    // How long the page does nothing else, while it gets some statuses, is searched and sorted.
    let longest = browser.wait_for(
        "new Promise((tell) => {
            const tasks = [];
            new PerformanceObserver((list) => tasks.push(...list.getEntries())).observe({ type: 'longtask' });
            const field = document.getElementById('search');
            const steps = [
                () => { field.value = 's99'; field.dispatchEvent(new Event('input')); },
                () => { field.value = ''; field.dispatchEvent(new Event('input')); },
                () => document.querySelector('th[data-sort=rate] button').click(),
                () => document.getElementById('services').scrollIntoView({ block: 'end' }),
            ];
            steps.forEach((step, index) => setTimeout(step, 1500 * index));
            setTimeout(() => tell(Math.max(0, ...tasks.map((task) => task.duration))), 7000);
        })",
    );
    println!("1,000 services: the longest the page was busy is {longest} ms");
    assert!(longest.as_f64().unwrap() < NOTICED, "{longest}");
    assert_eq!(browser.run(rows), SERVICES);
    assert_eq!(complaints(&browser), [] as [Value; 0]);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn the_page_is_for_this_host_and_changes_nothing() {
    let mut bed = Bed::one_armed(3);
    bed.balancer.start_with(&configuration(&bed));
    let page = get_as(&bed, "localhost:9800", "/").to_lowercase();
    for told in [
        "content-security-policy: default-src 'none'; script-src 'self';",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "content-type: text/html",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    // A name that leads to this host, made by somebody else.
    assert!(get_as(&bed, "rebound.example", "/v1/status").starts_with("HTTP/1.1 421 "));
    assert!(get_as(&bed, "127.0.0.1:9800", "/v1/status").starts_with("HTTP/1.1 200 "));
    // What reads metrics from elsewhere reads metrics only.
    assert!(get_as(&bed, "balancer.example:9800", "/metrics").starts_with("HTTP/1.1 200 "));
    assert!(get_as(&bed, "127.0.0.1:9800", "/v1/openapi.json").starts_with("HTTP/1.1 404 "));

    // Through a tunnel to the socket, a browser meets the API too.
    let curl = |arguments: &[&str]| {
        let mut command = bed.balancer.ns.command("curl");
        command.args(["--silent", "--unix-socket", bed.balancer.socket().to_str().unwrap()]).args(arguments);
        let output = finish(&mut command, PATIENCE);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(curl(&["http://localhost/"]).contains("<title>Lightpath</title>"));
    let refused =
        curl(&["--request", "POST", "--header", "Origin: http://evil.example", "http://localhost/v1/reload"]);
    assert!(refused.contains("a browser may watch and change nothing"), "{refused}");
    assert!(curl(&["--request", "POST", "http://localhost/v1/reload"]).contains("\"changes\":[]"));
    bed.balancer.stop();
    bed.balancer.detach();
}

/// The answer to a request under a name.
fn get_as(bed: &Bed, name: &str, path: &str) -> String {
    let mut command = bed.balancer.ns.command("curl");
    command.args([
        "--silent",
        "--include",
        "--header",
        &format!("Host: {name}"),
        &format!("http://{FIRST}{path}"),
    ]);
    String::from_utf8(finish(&mut command, PATIENCE).stdout).unwrap()
}
