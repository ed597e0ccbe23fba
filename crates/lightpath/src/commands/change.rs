use std::fs;
use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;
use hyper::Method;
use lightpath_control::overrides::{Definition, Endpoint, definition_of};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::status::unanswered;
use crate::api;
use crate::changed::Changed;
use crate::cli::{Backend, NewService, Reload, Service};
use crate::instance::Instance;
use crate::output::print_line;

/// `lightpath reload`: the daemon reads its file again.
pub(crate) fn reload(instance: &Instance, options: &Reload, json: bool) -> Result<ExitCode> {
    send(
        instance,
        Method::POST,
        &format!("/v1/reload?discard={}&now={}", options.discard, options.now),
        None,
        json,
    )
}

/// `lightpath backend`.
pub(crate) fn backend(instance: &Instance, change: &Backend, json: bool) -> Result<ExitCode> {
    let (method, path, body) = match change {
        Backend::Add { service, backend, weight, server_id } => {
            let mut keys = of_endpoint(*backend);
            keys.insert("weight".to_owned(), json!(weight));
            keys.extend(server_id.as_ref().map(|id| ("server_id".to_owned(), json!(id))));
            (Method::POST, format!("{}/backends", of_service(service)), Some(Value::Object(keys)))
        }
        Backend::Remove { target, now } => {
            (Method::DELETE, format!("{}?now={now}", of_backend(&target.service, target.backend)), None)
        }
        Backend::Drain(target) => {
            (Method::POST, format!("{}/drain", of_backend(&target.service, target.backend)), None)
        }
        Backend::Enable(target) => {
            (Method::POST, format!("{}/enable", of_backend(&target.service, target.backend)), None)
        }
        Backend::Weight { target, weight } => {
            let path = format!("{}/weight", of_backend(&target.service, target.backend));
            (Method::PUT, path, Some(json!({ "weight": weight })))
        }
    };
    send(instance, method, &path, body, json)
}

/// `lightpath service`.
pub(crate) fn service(instance: &Instance, change: &Service, json: bool) -> Result<ExitCode> {
    match change {
        Service::Add(new) => {
            send(instance, Method::POST, "/v1/services", Some(Value::Object(definition(new)?)), json)
        }
        Service::Remove { service, now } => {
            send(instance, Method::DELETE, &format!("{}?now={now}", of_service(service)), None, json)
        }
    }
}

fn send(
    instance: &Instance,
    method: Method,
    path: &str,
    body: Option<Value>,
    json: bool,
) -> Result<ExitCode> {
    let body = body.map(|body| body.to_string());
    let answer =
        api::send(&instance.place, method, path, body).map_err(|error| unanswered(instance, error))?;
    let changed: Changed = serde_json::from_str(&answer).context("the daemon is of another version")?;
    if json {
        print_line(&answer)?;
    } else {
        print_line(&changed)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn of_service(name: &str) -> String {
    format!("/v1/services/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

fn of_backend(service: &str, backend: Endpoint) -> String {
    let backend = backend.to_string();
    format!("{}/backends/{}", of_service(service), utf8_percent_encode(&backend, NON_ALPHANUMERIC))
}

fn of_endpoint(backend: Endpoint) -> Definition {
    let mut keys = Definition::new();
    keys.insert("address".to_owned(), json!(backend.address));
    keys.extend(backend.port.map(|port| ("port".to_owned(), json!(port))));
    keys
}

/// The keys of a new service.
fn definition(new: &NewService) -> Result<Definition> {
    if let Some(file) = &new.file {
        let mut text = String::new();
        if file.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        } else {
            text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        }
        return definition_of(&text, &file.display().to_string()).map_err(anyhow::Error::msg);
    }
    let mut keys = Definition::new();
    let mut set = |key: &str, value: Option<Value>| keys.extend(value.map(|value| (key.to_owned(), value)));
    set("name", new.name.as_ref().map(|name| json!(name)));
    set("vip", new.vip.map(|vip| json!(vip)));
    set(
        "port",
        new.port.as_ref().map(|port| port.parse::<u16>().map_or_else(|_| json!(port), |port| json!(port))),
    );
    set("protocol", new.protocol.as_ref().map(word));
    set("forward", new.forward.as_ref().map(word));
    set("sticky", new.sticky.as_ref().map(word));
    let backends = new.backend.iter().map(|backend| Value::Object(of_endpoint(*backend)));
    set("backend", Some(backends.collect()));
    Ok(keys)
}

/// A choice as it is written in the configuration.
fn word(choice: &impl ValueEnum) -> Value {
    choice.to_possible_value().map_or(Value::Null, |value| json!(value.get_name()))
}
