//! The `config` object of an image's config: how a container is run.
//!
//! Takes the base's object and what the target says, and lays the second over the first; keys that nobody here
//! knows stay as they are. Knows nothing of platforms, layers and history.

use serde_json::{Value, json};

use crate::oci::image_env::{self, EnvError};
use crate::oci::image_requires::{self, LABEL, RequiresError};
use crate::oci::image_spec::{HealthTest, Healthcheck, ImageSpec};
use crate::oci::raw_json::{Malformed, Object, object, strings};

/// A `config` object that can't be made from this base and this target.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A field of the base's has a shape that the OCI image-spec doesn't allow.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The base wants commands run in every image made from it.
    #[error("the base has ONBUILD triggers, which are not run: {}", .0.join("; "))]
    OnBuild(Vec<String>),
    /// A variable that can't be written.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// What the image requires contradicts its base.
    #[error(transparent)]
    Requires(#[from] RequiresError),
    /// A working directory or volume that is relative.
    #[error("{what} `{path}` is not an absolute path")]
    Relative {
        /// The attribute.
        what: &'static str,
        /// As written.
        path: String,
    },
    /// A duration of the health check that no engine can hold.
    #[error("the healthcheck's {0} is too long: at most 9223372036 seconds")]
    Duration(&'static str),
}

/// Lays what the target says over the base's object.
pub fn lay(run: &mut Object, spec: &ImageSpec) -> Result<(), RunError> {
    refuse_triggers(run)?;
    lay_env(run, spec)?;
    lay_commands(run, spec);
    lay_texts(run, spec)?;
    let ports = spec.ports.iter().map(ToString::to_string);
    unite(run, "ExposedPorts", "config.ExposedPorts", ports.map(|port| (port, json!({}))))?;
    for volume in &spec.volumes {
        absolute("volume", volume)?;
    }
    unite(run, "Volumes", "config.Volumes", spec.volumes.iter().map(|path| (path.clone(), json!({}))))?;
    let labels = spec.labels.iter().map(|(key, value)| (key.clone(), value.clone().into()));
    unite(run, "Labels", "config.Labels", labels)?;
    lay_requires(run, spec)?;
    if let Some(healthcheck) = &spec.healthcheck {
        run.insert("Healthcheck".into(), health_json(healthcheck)?);
    }
    Ok(())
}

fn refuse_triggers(run: &Object) -> Result<(), RunError> {
    let triggers = strings(run.get("OnBuild"), "config.OnBuild")?;
    if triggers.is_empty() { Ok(()) } else { Err(RunError::OnBuild(triggers)) }
}

fn lay_env(run: &mut Object, spec: &ImageSpec) -> Result<(), RunError> {
    if spec.env.is_empty() {
        return Ok(());
    }
    let base = strings(run.get("Env"), "config.Env")?;
    run.insert("Env".into(), image_env::overlay(&base, &spec.env)?.into());
    Ok(())
}

/// The base's label stays as it is where the target asks for nothing.
fn lay_requires(run: &mut Object, spec: &ImageSpec) -> Result<(), RunError> {
    let env = strings(run.get("Env"), "config.Env")?;
    let set: Vec<&str> = spec.env.iter().map(|(name, _)| name.as_str()).collect();
    let label = run.get("Labels").and_then(|labels| labels.get(LABEL)?.as_str());
    if let Some(label) = image_requires::lay(label, &spec.requires, &env, &set)? {
        object(run, "Labels", "config.Labels")?.insert(LABEL.into(), label.into());
    }
    Ok(())
}

/// An inherited `Cmd` holds arguments for the inherited entrypoint, so a new entrypoint clears it, as in Docker.
fn lay_commands(run: &mut Object, spec: &ImageSpec) {
    if let Some(entrypoint) = &spec.entrypoint {
        set_argv(run, "Entrypoint", entrypoint);
        run.remove("Cmd");
    }
    if let Some(cmd) = &spec.cmd {
        set_argv(run, "Cmd", cmd);
    }
}

fn set_argv(run: &mut Object, key: &str, argv: &[String]) {
    if argv.is_empty() {
        run.remove(key);
    } else {
        run.insert(key.into(), argv.into());
    }
}

fn lay_texts(run: &mut Object, spec: &ImageSpec) -> Result<(), RunError> {
    if let Some(workdir) = &spec.workdir {
        absolute("workdir", workdir)?;
    }
    for (key, text) in [("User", &spec.user), ("WorkingDir", &spec.workdir), ("StopSignal", &spec.stop_signal)] {
        if let Some(text) = text {
            run.insert(key.into(), text.clone().into());
        }
    }
    Ok(())
}

fn absolute(what: &'static str, path: &str) -> Result<(), RunError> {
    if path.starts_with('/') { Ok(()) } else { Err(RunError::Relative { what, path: path.to_owned() }) }
}

/// Adds members to an object within, which is made only where there are any.
fn unite(
    run: &mut Object,
    key: &str,
    field: &'static str,
    members: impl Iterator<Item = (String, Value)>,
) -> Result<(), RunError> {
    let mut members = members.peekable();
    if members.peek().is_some() {
        object(run, key, field)?.extend(members);
    }
    Ok(())
}

/// As Docker's config has it: durations in nanoseconds, absent where the engine shall decide.
fn health_json(healthcheck: &Healthcheck) -> Result<Value, RunError> {
    let test = match &healthcheck.test {
        HealthTest::None => vec!["NONE".to_owned()],
        HealthTest::Command(argv) => [&["CMD".to_owned()], argv.as_slice()].concat(),
        HealthTest::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
    };
    let mut value = json!({ "Test": test });
    for (key, name, duration) in [
        ("Interval", "interval", healthcheck.interval),
        ("Timeout", "timeout", healthcheck.timeout),
        ("StartPeriod", "start period", healthcheck.start_period),
        ("StartInterval", "start interval", healthcheck.start_interval),
    ] {
        if let Some(duration) = duration {
            let nanoseconds = i64::try_from(duration.as_nanos()).map_err(|_| RunError::Duration(name))?;
            value[key] = nanoseconds.into();
        }
    }
    if let Some(retries) = healthcheck.retries {
        value["Retries"] = retries.into();
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn laid(base: Value, spec: &ImageSpec) -> Result<Value, RunError> {
        let mut run = base.as_object().cloned().unwrap();
        lay(&mut run, spec).map(|()| run.into())
    }

    fn argv(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|word| word.to_string()).collect())
    }

    #[test]
    fn a_new_entrypoint_clears_the_inherited_cmd_unless_one_is_given() {
        let base = json!({"Entrypoint": ["old"], "Cmd": ["arg"]});
        let entrypoint = ImageSpec { entrypoint: argv(&["new"]), ..ImageSpec::default() };
        assert_eq!(laid(base.clone(), &entrypoint).unwrap(), json!({"Entrypoint": ["new"]}));
        let both = ImageSpec { cmd: argv(&["x"]), ..entrypoint };
        assert_eq!(laid(base.clone(), &both).unwrap(), json!({"Entrypoint": ["new"], "Cmd": ["x"]}));
        let cmd = ImageSpec { cmd: argv(&["x"]), ..ImageSpec::default() };
        assert_eq!(laid(base.clone(), &cmd).unwrap(), json!({"Entrypoint": ["old"], "Cmd": ["x"]}));
        let none = ImageSpec { entrypoint: argv(&[]), ..ImageSpec::default() };
        assert_eq!(laid(base, &none).unwrap(), json!({}));
    }

    #[test]
    fn nothing_said_changes_nothing() {
        let base =
            json!({"Env": ["A=$x"], "Labels": null, "Shell": ["/bin/bash"], "Vendor": {"k": 1.5}, "OnBuild": []});
        assert_eq!(laid(base.clone(), &ImageSpec::default()).unwrap(), base);
    }

    #[test]
    fn ports_volumes_and_labels_are_united() {
        let base = json!({"ExposedPorts": {"80/tcp": {}}, "Volumes": null, "Labels": {"a": "1", "b": "1"}});
        let spec = ImageSpec {
            ports: ["8080", "53/udp"].map(|port| port.parse().unwrap()).into(),
            volumes: ["/data".to_owned()].into(),
            labels: [("b".to_owned(), "2".to_owned())].into(),
            ..ImageSpec::default()
        };
        let expected = json!({
            "ExposedPorts": {"80/tcp": {}, "8080/tcp": {}, "53/udp": {}},
            "Volumes": {"/data": {}},
            "Labels": {"a": "1", "b": "2"},
        });
        assert_eq!(laid(base, &spec).unwrap(), expected);
    }

    fn health(test: HealthTest) -> Healthcheck {
        let (interval, timeout) = (Some(Duration::from_secs(30)), Some(Duration::from_millis(1500)));
        Healthcheck { test, interval, timeout, start_period: None, start_interval: None, retries: Some(3) }
    }

    #[test]
    fn a_healthcheck_is_written_as_dockers_and_replaces_the_inherited_one() {
        let spec = |test| ImageSpec { healthcheck: Some(health(test)), ..ImageSpec::default() };
        let base = json!({"Healthcheck": {"Test": ["CMD", "old"], "StartPeriod": 1}});
        let command = spec(HealthTest::Command(vec!["curl".into(), "-f".into()]));
        let expected = json!({"Test": ["CMD", "curl", "-f"], "Interval": 30_000_000_000_u64,
            "Timeout": 1_500_000_000, "Retries": 3});
        assert_eq!(laid(base.clone(), &command).unwrap()["Healthcheck"], expected);
        let shell = laid(base.clone(), &spec(HealthTest::Shell("exit 0".into()))).unwrap();
        assert_eq!(shell["Healthcheck"]["Test"], json!(["CMD-SHELL", "exit 0"]));
        assert_eq!(laid(base, &spec(HealthTest::None)).unwrap()["Healthcheck"]["Test"], json!(["NONE"]));
    }

    #[test]
    fn what_no_engine_can_hold_is_refused() {
        let long = Healthcheck { start_period: Some(Duration::MAX), ..health(HealthTest::None) };
        let error = laid(json!({}), &ImageSpec { healthcheck: Some(long), ..ImageSpec::default() }).unwrap_err();
        assert!(matches!(error, RunError::Duration("start period")), "{error}");
        for spec in [
            ImageSpec { workdir: Some("app".into()), ..ImageSpec::default() },
            ImageSpec { volumes: ["data".to_owned()].into(), ..ImageSpec::default() },
        ] {
            assert!(matches!(laid(json!({}), &spec), Err(RunError::Relative { .. })));
        }
    }

    #[test]
    fn onbuild_triggers_are_refused_by_name() {
        let error = laid(json!({"OnBuild": ["COPY . /app", "RUN make"]}), &ImageSpec::default()).unwrap_err();
        assert_eq!(error.to_string(), "the base has ONBUILD triggers, which are not run: COPY . /app; RUN make");
    }

    #[test]
    fn a_malformed_field_of_the_base_is_named() {
        let spec = ImageSpec { env: vec![("A".into(), "1".into())], ..ImageSpec::default() };
        let error = laid(json!({"Env": {"A": "1"}}), &spec).unwrap_err();
        assert_eq!(error.to_string(), "the base is malformed: `config.Env` is not an array");
    }
}
