//! A headless Chromium and its DevTools protocol: as much as the test needs, over one blocking
//! connection.

use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(30);

/// The browser on this machine, `$CHROME` first.
pub fn find() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"].map(Into::into);
    let wanted = std::env::var_os("CHROME").into_iter().chain(names);
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let mut candidates =
        wanted.flat_map(|name| folders.iter().map(move |folder| folder.join(&name)));
    candidates.find(|path| path.is_file())
}

pub struct Chromium {
    process: Child,
    // Deleted when the browser is gone.
    _profile: tempfile::TempDir,
    socket: WebSocket<TcpStream>,
    session: String,
    last_id: u64,
    events: Vec<Event>,
}

pub struct Event {
    pub method: String,
    pub params: Value,
}

impl Chromium {
    pub fn launch(program: &PathBuf) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let process = Command::new(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .args(["--hide-scrollbars", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let port_file = profile.path().join("DevToolsActivePort");
        let started = Instant::now();
        let (port, path) = loop {
            let text = std::fs::read_to_string(&port_file).unwrap_or_default();
            if let Some((port, path)) = text.split_once('\n') {
                break (port.to_owned(), path.trim().to_owned());
            }
            assert!(started.elapsed() < PATIENCE, "Chromium opened no port");
            std::thread::sleep(Duration::from_millis(20));
        };
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = tungstenite::client(address, stream).unwrap();
        let mut browser = Self {
            process,
            _profile: profile,
            socket,
            session: String::new(),
            last_id: 0,
            events: Vec::new(),
        };
        browser.open_tab();
        browser
    }

    fn open_tab(&mut self) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", attach);
        self.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        // Every load is a first load: what one page cached, the next would not request.
        self.call("Network.setCacheDisabled", json!({"cacheDisabled": true}));
    }

    /// Sends a command and waits for its answer; events on the way are kept.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut command = json!({"id": self.last_id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        self.socket
            .send(Message::text(command.to_string()))
            .unwrap();
        loop {
            let message = self.receive();
            if message["id"] == self.last_id {
                let error = &message["error"];
                assert!(error.is_null(), "{method}: {error}");
                return message["result"].clone();
            }
            self.keep(message);
        }
    }

    /// Opens an address and waits for its load event. Returns all events since the start.
    pub fn load(&mut self, address: &str) {
        self.events.clear();
        self.call("Page.navigate", json!({"url": address}));
        while !self
            .events
            .iter()
            .any(|e| e.method == "Page.loadEventFired")
        {
            let message = self.receive();
            self.keep(message);
        }
    }

    /// Evaluates an expression, awaiting it if it is a promise.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", params);
        let exception = &result["exceptionDetails"];
        assert!(
            exception.is_null(),
            "the test's own script failed: {exception}"
        );
        result["result"]["value"].clone()
    }

    /// The events since the last load began.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    fn receive(&mut self) -> Value {
        loop {
            match self.socket.read().expect("Chromium answers in time") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(_) => panic!("Chromium closed the connection"),
                _ => {}
            }
        }
    }

    fn keep(&mut self, mut message: Value) {
        if let Some(method) = message["method"].as_str() {
            self.events.push(Event {
                method: method.to_owned(),
                params: message["params"].take(),
            });
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Asked to close, the browser ends its children too and leaves its profile alone.
        let close = json!({"id": 0, "method": "Browser.close"});
        let _ = self.socket.send(Message::text(close.to_string()));
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(5) {
            if let Ok(Some(_)) = self.process.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
