//! One started `chasqui`, killed with its owner.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use tempfile::TempDir;

use crate::document;

/// The admin key every started server knows.
pub const ADMIN_KEY: &str = "test-admin-key-of-32-characters-x";

/// How long a start, a stop or an awaited state may take on a machine that is also building.
const PATIENCE: Duration = Duration::from_mins(1);

/// The binary under test: `CHASQUI_BIN`, else the one beside this test's own folder.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("CHASQUI_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a running test has a path");
    let built = test.ancestors().nth(2).expect("tests run from target/<profile>/deps").join("chasqui");
    assert!(built.exists(), "no binary at {}: run `cargo build --workspace` first", built.display());
    built
}

/// What an HTTP call answered.
#[derive(Debug)]
pub struct Answer {
    /// The status line's code.
    pub status: StatusCode,
    /// All headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body, as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Reads a response to its end.
    pub async fn of(response: Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, bytes: response.bytes().await?.to_vec() })
    }

    /// The body as JSON; `Null` when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The JSON body of an answer that must be a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self.json()
    }

    /// The header's text, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Asserts that the request was refused with `status` and a body that mentions `part`.
    #[track_caller]
    pub fn refused(self, status: u16, part: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert!(self.text().contains(part), "`{part}` is not in: {}", self.text());
    }
}

/// How a server is started.
#[derive(Debug, Default)]
pub struct ServerBuilder {
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    data_dir: Option<PathBuf>,
    command: Option<String>,
    without_admin_key: bool,
    tls: Option<(Vec<u8>, Vec<u8>)>,
}

impl ServerBuilder {
    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Adds a command-line argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Uses this data folder instead of a new one.
    #[must_use]
    pub fn data_dir(mut self, folder: &Path) -> Self {
        self.data_dir = Some(folder.to_owned());
        self
    }

    /// Speaks HTTPS with this certificate and private key, both PEM; its calls trust no other.
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls = Some((certificate.into(), key.into()));
        self
    }

    /// Gives no admin key: the server makes one and prints it, and its calls carry none.
    #[must_use]
    pub fn without_admin_key(mut self) -> Self {
        self.without_admin_key = true;
        self
    }

    /// Runs `chasqui worker` in place of `serve`: no HTTP, nothing is awaited.
    #[must_use]
    pub fn worker(mut self) -> Self {
        self.command = Some("worker".into());
        self
    }

    /// Starts it and, for `serve`, waits until it is ready.
    pub async fn start(self) -> Server {
        // Two processes of one test binary may both install it; the first wins.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let data_dir = self.data_dir.unwrap_or_else(|| folder.path().join("data"));
        let port = free_port();
        let is_worker = self.command.is_some();
        let mut command = Command::new(binary());
        command.arg(self.command.as_deref().unwrap_or("serve")).arg("--data-dir").arg(&data_dir);
        if !is_worker {
            command.arg("--listen").arg(format!("127.0.0.1:{port}"));
            command.arg("--grpc-listen").arg("127.0.0.1:0");
        }
        let log = std::fs::File::create(folder.path().join("server.log")).expect("the folder is writable");
        // The server knows only settings that the test gives it, and refuses the ones it does not know.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHASQUI_") {
                command.env_remove(name);
            }
        }
        let key = if self.without_admin_key { "" } else { ADMIN_KEY };
        if !key.is_empty() {
            command.env("CHASQUI_ADMIN_KEY", key);
        }
        // Where a redirection leads is what tests look at.
        let mut client = Client::builder().timeout(PATIENCE).redirect(Policy::none());
        let scheme = match &self.tls {
            None => "http",
            Some((certificate, key)) => {
                let files = [("tls_certificate", certificate), ("tls_key", key)];
                for (name, bytes) in files {
                    let path = folder.path().join(format!("{name}.pem"));
                    std::fs::write(&path, bytes).expect("the folder is writable");
                    command.env(format!("CHASQUI_{}", name.to_uppercase()), path);
                }
                let trusted = reqwest::Certificate::from_pem(certificate).expect("the certificate is PEM");
                client = client.tls_certs_only([trusted]);
                "https"
            }
        };
        command
            .args(&self.arguments)
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle can be cloned"))
            .stderr(log);
        let child = command.spawn().expect("the binary starts");
        let url = Url::parse(&format!("{scheme}://127.0.0.1:{port}")).expect("a loopback URL is valid");
        let client = client.build().expect("a client with these settings is valid");
        let mut server = Server { child, url, key: key.into(), client, data_dir, folder };
        if !is_worker {
            server.await_ready().await;
        }
        server
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A running server; dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub url: Url,
    /// The key its calls carry.
    pub key: String,
    client: Client,
    data_dir: PathBuf,
    folder: TempDir,
}

impl Server {
    /// A server on SQLite and a local folder, with everything on its defaults.
    pub async fn start() -> Self {
        ServerBuilder::default().start().await
    }

    /// A folder beside the data, gone with the server; the files of [`ServerBuilder::tls`] are in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its data lie.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens for gRPC, an address and a port, as its log says: it takes any that is free.
    pub fn grpc(&self) -> String {
        let log = self.log();
        let before = log.split(" for gRPC").next().expect("a split text has a first part");
        let (_, address) = before.rsplit_once("listening on ").expect("the server says where it listens");
        address.to_owned()
    }

    /// What it has written to its standard output and error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    async fn await_ready(&mut self) {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            let ready = self.client.get(self.url.join("/health/ready").expect("a path joins")).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server is not ready after {PATIENCE:?}:\n{}", self.log());
    }

    /// Kills it at once, as a crash or the kernel would, and gives its folder to the next start.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("a killed process can be reaped");
    }

    /// Asks it to end (SIGTERM) and does not wait.
    pub fn ask_to_end(&self) {
        let asked = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status();
        assert!(asked.expect("kill is installed").success());
    }

    /// Asks it to end (SIGTERM) and waits; answers whether it ended cleanly.
    pub fn terminate(&mut self) -> bool {
        self.ask_to_end();
        self.await_end()
    }

    /// Waits for its end, which was asked for; answers whether it was clean.
    pub fn await_end(&mut self) -> bool {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if let Some(status) = self.child.try_wait().expect("the process is ours") {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Sends a request and reads the whole answer; transport failures are errors.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.request(method.clone(), path).body(body);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let answer = Answer::of(request.send().await?).await?;
        // The path as it was sent: `..` in it is gone.
        document::hold(&method, self.url.join(path).expect("a path joins").path(), &answer);
        Ok(answer)
    }

    /// A request with the server's key, to be completed and sent by the caller; see [`Answer::of`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, self.url.join(path).expect("a path joins"));
        if self.key.is_empty() { request } else { request.bearer_auth(&self.key) }
    }

    /// As [`Server::try_send`], for a server that must be there.
    pub async fn send(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        self.try_send(method, path, content_type, body).await.expect("the server answers")
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "", Vec::new()).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, "application/json", body.to_string().into_bytes()).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, "application/json", body.to_string().into_bytes()).await
    }

    /// POST of raw bytes.
    pub async fn upload(&self, path: &str, bytes: Vec<u8>) -> Answer {
        self.send(Method::POST, path, "application/octet-stream", bytes).await
    }

    /// Asks `path` until `holds` of its JSON; the last answer is told when it never does.
    pub async fn wait_for(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_answer(path, |answer| holds(&answer.json())).await.json()
    }

    /// Asks `path` until `holds` of the whole answer; the last one is told when it never does.
    pub async fn wait_for_answer(&self, path: &str, holds: impl Fn(&Answer) -> bool) -> Answer {
        let limit = Instant::now() + PATIENCE * 2;
        loop {
            let seen = self.get(path).await;
            if holds(&seen) {
                return seen;
            }
            assert!(
                Instant::now() < limit,
                "{path} never came to hold; last: {}\n{}",
                seen.text(),
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
