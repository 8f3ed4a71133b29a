//! A headless Chromium and its DevTools protocol: as much as the test needs.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

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
    commands: ChildStdin,
    messages: Receiver<Value>,
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
        // The protocol runs over the file descriptors 3 and 4, each message ended by a NUL: no port,
        // no socket. The shell puts our two pipes there.
        let mut process = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .args(["--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {}: {error}", program.display())
            });
        let commands = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for message in answers.split(0) {
                let Ok(message) = message else { break };
                let message =
                    serde_json::from_slice(&message).expect("the protocol is JSON");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self {
            process,
            _profile: profile,
            commands,
            messages,
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
        let mut command =
            json!({"id": self.last_id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        self.send(&command).expect("Chromium takes commands");
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
        while !self.events.iter().any(|e| e.method == "Page.loadEventFired") {
            let message = self.receive();
            self.keep(message);
        }
    }

    /// Evaluates an expression, awaiting it if it is a promise.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", params);
        let exception = &result["exceptionDetails"];
        assert!(exception.is_null(), "the test's own script failed: {exception}");
        result["result"]["value"].clone()
    }

    /// The events since the last load began.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    fn send(&mut self, command: &Value) -> std::io::Result<()> {
        self.commands.write_all(format!("{command}\0").as_bytes())
    }

    fn receive(&mut self) -> Value {
        let message = self.messages.recv_timeout(PATIENCE);
        message.expect("Chromium answers in time")
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
        let _ = self.send(&close);
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
