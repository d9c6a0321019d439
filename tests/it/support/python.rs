//! A Python with a package of the index.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// What a test needs of Python.
pub(crate) struct Needs {
    /// What pip installs: `moto[s3,server]`.
    pub(crate) package: &'static str,
    /// The module that is then there, and the name of its virtual environment.
    pub(crate) module: &'static str,
}

/// The Python that `LMPIPE_PYTHON` names, where that has the module, or one of a virtual environment that is made once and kept
/// beside what cargo builds. Where none can be had, the test says so and is skipped.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test has its own environment, and says why it is skipped"
)]
pub(crate) fn python(needs: &Needs) -> Option<PathBuf> {
    let Needs { package, module } = needs;
    let run = |program: &Path, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    let has_module = |python: &Path| run(python, &["-c", &format!("import {module}")]);
    let named = env::var("LMPIPE_PYTHON").map(PathBuf::from);
    if let Ok(named) = named.as_ref()
        && has_module(named)
    {
        return Some(named.clone());
    }
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(module.replace('.', "-"));
    let python = venv.join("bin/python");
    if !has_module(&python) {
        let made = run(Path::new("python3"), &["-m", "venv", "--clear", &venv.display().to_string()]);
        let _ = made && run(&python, &["-m", "pip", "install", "--quiet", package]);
    }
    if has_module(&python) {
        return Some(python);
    }
    eprintln!(
        "skipped: no Python has `{module}`, and pip cannot install `{package}`; `LMPIPE_PYTHON` names one that has"
    );
    None
}
