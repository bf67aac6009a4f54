//! The OpenAPI description and the server agree: the server implements each path, method, response
//! and schema that is described, and answers nothing else.

mod common;

use common::schema::Schemas;
use common::{Node, Server, fleet, request, until};
use proptest::prelude::*;
use proto::mediaproxy::{self as pb, proxy_api_client::ProxyApiClient};
use serde_json::Value;
use std::collections::BTreeSet;
use tonic::transport::Endpoint;

/// The fleet, with measurements of one connection that are not of the types that they should be.
fn fleet() -> (Server, [Node; 3]) {
    let (server, nodes) = fleet::fleet();
    let names = ["state", "link", "in", "tps", "inbw", "program", "pid", "held"];
    let fields = names.map(|name| pb::MetricField {
        name: name.to_owned(),
        value: Some(pb::metric_field::Value::DoubleValue(f64::NAN)),
    });
    let metric = pb::Metric { timestamp_ms: 1, provider_id: "r".into(), fields: fields.into() };
    let request = pb::SendMetricsRequest { proxy_id: "p2".into(), metrics: vec![metric] };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let address = format!("http://{}", server.proxies);
        let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
        ProxyApiClient::new(channel).send_metrics(request).await.unwrap();
    });
    until("it is told", || server.get("/connection/r").1["status"]["updatedAt"].is_string());
    (server, nodes)
}

/// An id as it stands in a path.
fn encoded(id: &str) -> String {
    id.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).into() } else { format!("%{b:02X}") })
        .collect()
}

/// The one answer that is described for this status, against which the body is checked.
fn check(
    schemas: &Schemas<'_>,
    operation: &Value,
    (what, status, body): (&str, u16, &Value),
) -> Result<(), String> {
    let response = &operation["responses"][status.to_string()];
    if !response.is_object() {
        return Err(format!("{what}: {status} is not described"));
    }
    match response.pointer("/content/application~1json/schema") {
        Some(schema) => schemas.validate(body, schema, what),
        None => Ok(()),
    }
}

#[test]
fn every_path_method_and_schema_is_answered_as_described() {
    let (server, _nodes) = fleet();
    let (_, document) = server.get("/openapi.json");
    let schemas = Schemas::new(&document);
    let paths = document["paths"].as_object().unwrap();
    let mut statuses = BTreeSet::new();
    let mut ask = |template: &str, method: &str, path: &str| {
        let (status, body) = request(server.rest, method, path);
        let what = format!("{method} {path}");
        let operation = &paths[template][method.to_ascii_lowercase()];
        check(&schemas, operation, (&what, status, &body)).unwrap();
        statuses.insert((template.to_owned(), method.to_ascii_lowercase(), status));
        status
    };
    // What takes something away comes last; a bridge before what it follows from.
    let ids = |template: &str| {
        let kind = template.trim_end_matches("/{id}");
        let (_, body) = server.get(kind);
        let objects = body.as_object().unwrap().values().next().unwrap().as_array().unwrap();
        objects.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (template, operations) in paths {
        let parameters = operations["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let queries = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let queries: Vec<_> = queries.map(|it| it["name"].as_str().unwrap()).collect();
        let all = if template.ends_with("/{id}") { ids(template) } else { vec![String::new()] };
        assert!(!all.is_empty(), "{template}");
        for id in &all {
            let path = template.replace("{id}", &encoded(id));
            assert!([200].contains(&ask(template, "GET", &path)), "{path}");
            for query in &queries {
                assert_eq!(ask(template, "GET", &format!("{path}?{query}")), 200);
            }
            if !queries.is_empty() {
                assert_eq!(ask(template, "GET", &format!("{path}?{}", queries.join("&"))), 200);
                assert_eq!(ask(template, "GET", &format!("{path}?nothing")), 400);
            }
        }
        if template.ends_with("/{id}") {
            for method in ["GET", "DELETE"] {
                assert_eq!(ask(template, method, &template.replace("{id}", "none")), 404);
            }
        }
        // What is not described is not there.
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if operations.get(method.to_ascii_lowercase()).is_none() {
                let (status, body) =
                    request(server.rest, method, &template.replace("{id}", &encoded(&all[0])));
                assert_eq!(status, 405, "{method} {template}");
                schemas.validate(&body, &error_schema(), template).unwrap();
            }
        }
    }
    for (kind, expected) in
        [("/bridge", 409), ("/connection", 200), ("/multipoint-group", 200), ("/media-proxy", 200)]
    {
        let template = format!("{kind}/{{id}}");
        let id = ids(&template)[0].clone();
        assert_eq!(ask(&template, "DELETE", &format!("{kind}/{}", encoded(&id))), expected);
    }
    for (template, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let seen = statuses.iter().any(|(t, m, _)| t == template && m == method);
            assert!(seen, "{method} {template} was never asked for");
        }
    }
    assert_eq!(schemas.unseen(), [""; 0], "described, and in no answer");
}

fn error_schema() -> Value {
    serde_json::json!({ "$ref": "#/components/schemas/Error" })
}

#[test]
fn whatever_is_asked_the_answer_is_as_described() {
    let (server, _nodes) = fleet();
    let (_, document) = server.get("/openapi.json");
    let schemas = Schemas::new(&document);
    let templates: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let templates = proptest::sample::select(templates);
    let methods = proptest::sample::select(vec!["GET", "DELETE", "POST", "PUT"]);
    let any_id = prop_oneof!["[ -~]{0,40}", "\\PC{0,40}", "[a-z]{1,3}", "[./%]{1,6}"];
    let query =
        prop_oneof![Just(String::new()), "\\?[a-z&=?%/]{0,20}", "\\?(config|status)(=[a-z]{0,3})?"];
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
    proptest!(config, |(template in templates, method in methods, id in any_id, query in query)| {
        let path = format!("{}{query}", template.replace("{id}", &encoded(&id)));
        let (status, body) = request(server.rest, method, &path);
        prop_assert!(status < 500, "{method} {path}: {status} {body}");
        let operation = &document["paths"][&template][method.to_ascii_lowercase()];
        // A path with an empty id, or none of the methods that are described.
        if operation.is_object() && !(template.ends_with("{id}") && id.is_empty()) {
            prop_assert_eq!(check(&schemas, operation, (&path, status, &body)), Ok(()));
        } else {
            prop_assert!([404, 405].contains(&status), "{method} {path}: {status} {body}");
            prop_assert_eq!(schemas.validate(&body, &error_schema(), &path), Ok(()));
        }
    });
    assert_eq!(server.get("/health").0, 200);
}
