//! Finding and executing the program.

use std::ffi::CString;
use std::io;
use std::ptr;

use super::StepError;
use crate::host::sys::process;

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program with its arguments and environment, ready to be executed.
pub(super) struct Program {
    name: String,
    path: String,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Program {
    /// Prepares `argv`; adds `PATH` and `HOME` when `env` lacks them. Of a variable set twice the last one counts.
    pub fn new(argv: &[String], env: &[(String, String)], home: &str) -> Result<Self, StepError> {
        let Some(name) = argv.first().filter(|name| !name.is_empty()) else {
            return Err(StepError("no command specified".to_owned()));
        };
        let mut variables = vec![("PATH", DEFAULT_PATH), ("HOME", home)];
        for (name, value) in env {
            variables.retain(|(known, _)| known != name);
            variables.push((name, value));
        }
        let path = variables.iter().find(|(name, _)| *name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
        let text = |value: String| {
            CString::new(value).map_err(|_| StepError("an argument or variable holds a zero byte".to_owned()))
        };
        Ok(Self {
            name: name.clone(),
            path: path.to_owned(),
            argv: argv.iter().cloned().map(text).collect::<Result<_, _>>()?,
            env: variables.iter().map(|(name, value)| text(format!("{name}={value}"))).collect::<Result<_, _>>()?,
        })
    }

    /// Executes the program; returns only to say why that failed.
    pub fn execute(&self) -> StepError {
        let pointers =
            |list: &[CString]| list.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect::<Vec<_>>();
        let (argv, env) = (pointers(&self.argv), pointers(&self.env));
        let mut denied = false;
        for candidate in self.candidates() {
            let Ok(path) = CString::new(candidate) else { continue };
            let error = process::execute(&path, &argv, &env);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                Some(libc::EACCES) => denied = true,
                _ => return StepError(format!("exec {}: {}", path.to_string_lossy(), lower(&error))),
            }
        }
        StepError(self.not_executed(denied))
    }

    fn candidates(&self) -> Vec<String> {
        if self.name.contains('/') {
            return vec![self.name.clone()];
        }
        let dir = |dir: &str| format!("{}/{}", if dir.is_empty() { "." } else { dir }, self.name);
        self.path.split(':').map(dir).collect()
    }

    fn not_executed(&self, denied: bool) -> String {
        let name = &self.name;
        match (denied, name.contains('/')) {
            (true, _) => format!("exec: \"{name}\": permission denied"),
            (false, true) => format!("exec: \"{name}\": stat {name}: no such file or directory"),
            (false, false) => format!("exec: \"{name}\": executable file not found in $PATH"),
        }
    }
}

/// Returns the kernel's text for an error in the form the container engines print it.
fn lower(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
