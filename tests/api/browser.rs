//! Looks at pages through headless Chromium, at the widths of a desk and of a telephone.
//!
//! The browser cannot be made narrower than 500 pixels nor be given a key on its command line. So it opens a page of
//! ours, which opens the pages under test in frames of the right width; between it and the server stands a forwarder
//! that adds the key and takes out the headers which forbid frames (tests of their own hold those).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use chasqui_tests::Server;
use serde_json::{Value, json};

/// What the browser made of a page.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The page.
    pub(crate) path: String,
    /// The width it was given, in pixels.
    pub(crate) width: u64,
    /// The width it takes.
    pub(crate) needed: u64,
    /// The texts of its headings.
    pub(crate) headings: Vec<String>,
    /// What it says.
    pub(crate) text: String,
    /// Rules of its style sheets.
    pub(crate) style_rules: u64,
    /// Charts in it.
    pub(crate) charts: u64,
    /// The language it says it is in.
    pub(crate) language: String,
}

/// Opens every page at every width.
pub(crate) fn look(chromium: &std::path::Path, server: &Server, pages: &[&str], widths: &[u64]) -> Vec<Seen> {
    let cases: Vec<(&str, u64)> =
        pages.iter().flat_map(|page| widths.iter().map(move |width| (*page, *width))).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let forwarder = Forwarder {
        authority: format!("127.0.0.1:{}", server.url.port().unwrap()),
        key: server.key.clone(),
        measuring_page: measuring_page(&cases),
    };
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let forwarder = forwarder.clone();
            std::thread::spawn(move || drop(forwarder.answer(stream)));
        }
    });
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--window-size=1400,1000", "--virtual-time-budget=30000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://127.0.0.1:{port}/measure"))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let results = dom.split_once("<pre id=\"results\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((results, _)) = results else {
        panic!("the browser measured nothing: {dom}\n{}", String::from_utf8_lossy(&output.stderr));
    };
    let results = reqwest::Url::parse(&format!("http://localhost/?results={results}")).unwrap();
    let results = results.query_pairs().next().unwrap().1.into_owned();
    let results: Vec<Value> = serde_json::from_str(&results).unwrap();
    results.iter().map(seen).collect()
}

fn seen(result: &Value) -> Seen {
    let text = |name: &str| result[name].as_str().unwrap().to_owned();
    let number = |name: &str| result[name].as_u64().unwrap();
    let headings =
        result["headings"].as_array().unwrap().iter().map(|heading| heading.as_str().unwrap().to_owned());
    Seen {
        path: text("path"),
        width: number("width"),
        needed: number("needed"),
        headings: headings.collect(),
        text: text("text"),
        style_rules: number("rules"),
        charts: number("charts"),
        language: text("language"),
    }
}

fn measuring_page(cases: &[(&str, u64)]) -> String {
    format!(
        "<!doctype html><body><script>
        const results = [];
        async function measure(path, width) {{
            const frame = document.createElement('iframe');
            frame.width = width;
            frame.height = 900;
            frame.style.border = '0';
            frame.src = path;
            const loaded = new Promise(done => frame.onload = done);
            document.body.append(frame);
            await loaded;
            const page = frame.contentDocument;
            results.push({{
                path,
                width,
                needed: page.documentElement.scrollWidth,
                headings: [...page.querySelectorAll('h1, h2')].map(heading => heading.textContent.trim()),
                text: page.body.innerText,
                rules: [...page.styleSheets].reduce((sum, sheet) => sum + sheet.cssRules.length, 0),
                charts: page.querySelectorAll('svg').length,
                language: page.documentElement.lang,
            }});
            frame.remove();
        }}
        (async () => {{
            for (const [path, width] of {}) await measure(path, width);
            const shown = document.createElement('pre');
            shown.id = 'results';
            shown.textContent = encodeURIComponent(JSON.stringify(results));
            document.body.append(shown);
        }})();
        </script>",
        json!(cases)
    )
}

#[derive(Clone)]
struct Forwarder {
    authority: String,
    key: String,
    measuring_page: String,
}

impl Forwarder {
    fn answer(&self, mut browser: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && browser.read(&mut byte)? == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        let path = head.split(' ').nth(1).unwrap_or("/");
        if path == "/measure" {
            let page = &self.measuring_page;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n",
                page.len()
            );
            return browser.write_all(format!("{head}connection: close\r\n\r\n{page}").as_bytes());
        }
        let mut server = TcpStream::connect(&self.authority)?;
        let (authority, key) = (&self.authority, &self.key);
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {key}\r\naccept: text/html,*/*\r\n\
             connection: close\r\n\r\n"
        );
        server.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]);
        let forbids = |line: &str| {
            let name = line.split(':').next().unwrap_or("").to_ascii_lowercase();
            ["content-security-policy", "x-frame-options"].contains(&name.as_str())
        };
        let kept: Vec<&str> = head.split("\r\n").filter(|line| !forbids(line)).collect();
        browser.write_all(kept.join("\r\n").as_bytes())?;
        browser.write_all(&answer[end..])
    }
}
