//! `entrypoint`, `programs`: whether programs can start: found, executable, with interpreter and shared libraries.

use super::elf::{self, architecture};
use super::libraries;
use super::root::{Lost, is_file};
use super::{Contents, Finding, Root, Subject};
use crate::action::Expected;
use crate::oci::manifest::RunConfig;
use crate::oci::overlay::Placed;

/// Where programs are looked for, where the image doesn't say it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The kernel follows so many scripts that name a script.
const MOST_SCRIPTS: usize = 5;
/// And reads so much of a script's first line.
const FIRST_LINE: u64 = 256;

/// What keeps programs from starting.
pub fn check<C: Contents>(expected: &Expected, subject: &Subject<'_, C>) -> Result<Vec<Finding>, C::Error> {
    let run = &subject.config.config;
    let started = run.entrypoint.first().or(run.cmd.first());
    let mut found = Vec::new();
    if expected.entrypoint {
        match started {
            Some(program) => found.extend(judged("entrypoint", program, subject)?),
            None => found.push(Finding::new("entrypoint", "", "a program to start", "neither entrypoint nor cmd")),
        }
    }
    for program in &expected.programs {
        found.extend(judged("programs", program, subject)?);
    }
    Ok(found)
}

fn judged<C: Contents>(
    attribute: &'static str,
    program: &str,
    subject: &Subject<'_, C>,
) -> Result<Vec<Finding>, C::Error> {
    let architecture = subject.config.platform.architecture.as_str();
    let mut start =
        Start { attribute, program, root: &subject.root, run: &subject.config.config, architecture, found: Vec::new() };
    start.program(program, program, 0)?;
    Ok(start.found)
}

/// One program as it would be started.
struct Start<'s, C> {
    attribute: &'static str,
    program: &'s str,
    root: &'s Root<'s, C>,
    run: &'s RunConfig,
    architecture: &'s str,
    found: Vec<Finding>,
}

impl<'s, C: Contents> Start<'s, C> {
    fn tell(&mut self, expected: impl Into<String>, found: impl Into<String>, layer: Option<&str>) {
        let finding = Finding::new(self.attribute, self.program, expected, found);
        self.found.push(layer.into_iter().fold(finding, |finding, layer| finding.from(layer)));
    }

    /// `what`: the program as messages call it; `depth`: how many scripts led to it.
    fn program(&mut self, what: &str, program: &str, depth: usize) -> Result<(), C::Error> {
        let placed = match self.find(program) {
            Ok(placed) => placed,
            Err(found) => {
                self.tell(what, found, None);
                return Ok(());
            }
        };
        let (path, layer) = (placed.entry.path.to_string(), self.root.label(placed));
        if !is_file(placed) || placed.entry.mode & 0o111 == 0 {
            let found = if is_file(placed) { format!("mode {:04o}", placed.entry.mode) } else { kind(placed) };
            self.tell(format!("{path} to be an executable file"), found, Some(layer));
            return Ok(());
        }
        let first = self.root.read(placed, FIRST_LINE)?;
        if let Some(line) = first.strip_prefix(b"#!") {
            return self.script(&path, layer, line, depth);
        }
        self.binary(&path, placed)
    }

    /// As execvp(3) finds it: what has a slash from the working directory, else along `PATH`; or what is there instead.
    fn find(&self, program: &str) -> Result<Placed<'s>, String> {
        if program.contains('/') {
            let folder = if program.starts_with('/') { "" } else { &*self.run.working_dir };
            let path = format!("{folder}/{program}");
            return self.root.follow(path.as_bytes(), true).map_err(|lost: Lost| lost.to_string());
        }
        let path = self.run.env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(PATH);
        let there = path.split(':').filter_map(|folder| {
            let path = format!("{folder}/{program}");
            self.root.follow(path.as_bytes(), true).ok().filter(|placed| is_file(*placed))
        });
        let there: Vec<Placed<'s>> = there.collect();
        let executable = there.iter().find(|placed| placed.entry.mode & 0o111 != 0).or(there.first());
        executable.copied().ok_or_else(|| format!("none in PATH, which is {path}"))
    }

    fn script(&mut self, path: &str, layer: &str, line: &[u8], depth: usize) -> Result<(), C::Error> {
        let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default());
        let mut words = line.split_whitespace();
        let interpreter = words.next().unwrap_or_default().to_owned();
        if interpreter.is_empty() || depth >= MOST_SCRIPTS {
            let found = if interpreter.is_empty() { "none" } else { "scripts that name one another" };
            self.tell(format!("an interpreter behind `#!` in {path}"), found, Some(layer));
            return Ok(());
        }
        let what = format!("{interpreter}, the interpreter of {path}");
        self.program(&what, &absolute(&interpreter), depth + 1)?;
        if interpreter.rsplit('/').next() == Some("env")
            && let Some(program) = words.find(|word| !word.starts_with('-') && !word.contains('='))
        {
            self.program(&format!("{program}, the interpreter of {path}"), program, depth + 1)?;
        }
        Ok(())
    }

    fn binary(&mut self, path: &str, placed: Placed<'s>) -> Result<(), C::Error> {
        let layer = self.root.label(placed);
        let Some(elf) = elf::read(self.root.open(placed)?) else {
            self.tell(format!("{path} to be a program or a script"), "neither ELF nor `#!`", Some(layer));
            return Ok(());
        };
        if architecture(elf.machine) != Some(self.architecture) {
            let found =
                architecture(elf.machine).map_or("another machine's".to_owned(), |found| format!("one for {found}"));
            self.tell(format!("{path} to be a program for {}", self.architecture), found, Some(layer));
            return Ok(());
        }
        if let Some(interpreter) = &elf.interpreter
            && let Err(lost) = self.executable(interpreter)
        {
            self.tell(format!("{interpreter}, the loader of {path}"), lost, Some(layer));
            return Ok(());
        }
        for missing in libraries::missing(path, layer, elf, &self.run.env, self.root)? {
            let expected = format!("the library {}, which {} needs", missing.library, missing.asked_by);
            self.tell(expected, "none", Some(&missing.layer));
        }
        Ok(())
    }

    fn executable(&self, path: &str) -> Result<(), String> {
        let placed = self.root.follow(path.as_bytes(), true).map_err(|lost| lost.to_string())?;
        let can = is_file(placed) && placed.entry.mode & 0o111 != 0;
        if can { Ok(()) } else { Err(format!("{} with mode {:04o}", kind(placed), placed.entry.mode)) }
    }
}

/// A script's relative interpreter would be looked for from wherever the container starts; none such is meant.
fn absolute(path: &str) -> String {
    if path.contains('/') { path.to_owned() } else { format!("./{path}") }
}

fn kind(placed: Placed<'_>) -> String {
    format!("a {}", placed.entry.kind)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use serde_json::json;

    use super::super::testing::{Image, Layer};
    use super::*;

    /// `/usr/bin/env` with all that `ldd` says it needs, where the host has it; without the files whose names begin so.
    fn lay_env(layer: &mut Layer, without: &str) {
        let program = Path::new("/usr/bin/env");
        let said = Command::new("ldd").arg(program).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let needed = said.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
        for path in needed.filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with(without)) {
            layer.host(path.to_str().unwrap(), &path);
        }
        layer.host("/usr/bin/env", program);
    }

    fn image(without: &str) -> Image {
        Image::default()
            .layer("//:root", |layer| lay_env(layer, without))
            .layer("//:app", |layer| {
                layer.text("/app/run", 0o755, "#!/usr/bin/env -S env\n").text("/app/plain", 0o644, "#!/bin/sh\n");
                layer.text("/app/odd", 0o755, "no program").text("/app/lost", 0o755, "#!/usr/bin/python3 -u\n");
                layer.link("/app/link", "run");
            })
            .says("Env", json!(["PATH=/app:/usr/bin"]))
    }

    const NONE: &str = "nothing begins so";

    fn started(image: Image, program: &str) -> Vec<String> {
        image.judged(Expected { programs: vec![program.into()], ..Expected::default() })
    }

    #[test]
    fn programs_of_the_host_start_by_path_by_name_through_links_and_as_interpreters() {
        for program in ["/usr/bin/env", "env", "/app/run", "link"] {
            assert_eq!(started(image(NONE), program), [""; 0], "{program}");
        }
        let entrypoint = |image: Image| image.judged(Expected { entrypoint: true, ..Expected::default() });
        assert_eq!(entrypoint(image(NONE).says("Entrypoint", json!(["run"]))), [""; 0]);
        assert_eq!(entrypoint(image(NONE).says("Cmd", json!(["./run"])).says("WorkingDir", json!("/app"))), [""; 0]);
        assert_eq!(
            entrypoint(image(NONE)),
            ["entrypoint: expected a program to start, found neither entrypoint nor cmd"]
        );
    }

    #[test]
    fn what_keeps_a_program_from_starting_is_named() {
        let only = |image: Image, program: &str| match &started(image, program)[..] {
            [one] => one.clone(),
            other => panic!("{program}: {other:?}"),
        };
        let says = |image: Image, program: &str, parts: &[&str]| {
            let said = only(image, program);
            assert!(parts.iter().all(|part| said.contains(part)), "{program}: {said}");
        };
        says(image(NONE), "none", &["programs: none: expected none, found none in PATH, which is /app:/usr/bin"]);
        says(
            image(NONE),
            "/app/plain",
            &["expected /app/plain to be an executable file, found mode 0644 (from //:app)"],
        );
        says(image(NONE), "odd", &["expected /app/odd to be a program or a script, found neither ELF nor `#!`"]);
        says(image(NONE), "lost", &["/usr/bin/python3, the interpreter of /app/lost, found nothing"]);
        says(image("libc."), "env", &["the library libc.so.6, which /usr/bin/env needs, found none (from //:root)"]);
        says(image("ld-"), "/usr/bin/env", &["the loader of /usr/bin/env, found nothing"]);
    }
}
