//! Files of the repository, and the JSON Schemas in them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use yaml_rust2::{Yaml, YamlLoader};

/// A path of the repository.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
}

/// A YAML file of one document.
pub(crate) fn yaml(name: &str) -> Value {
    let documents = YamlLoader::load_from_str(&text(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"));
    let [document] = documents.as_slice() else {
        panic!("{name}: {} documents", documents.len())
    };
    value(document)
}

fn value(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Integer(number) => json!(number),
        Yaml::Real(text) => json!(text.parse::<f64>().expect("a number")),
        Yaml::String(text) => json!(text),
        Yaml::Boolean(bool) => json!(bool),
        Yaml::Array(list) => list.iter().map(value).collect(),
        Yaml::Hash(map) => {
            let pair = |(key, inner): (&Yaml, &Yaml)| {
                let key = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
                (key, value(inner))
            };
            Value::Object(map.iter().map(pair).collect::<Map<_, _>>())
        }
        Yaml::Null => Value::Null,
        Yaml::Alias(_) | Yaml::BadValue => panic!("no value: {yaml:?}"),
    }
}

/// An OpenAPI document.
pub(crate) struct OpenApi {
    name: &'static str,
    document: Value,
}

impl OpenApi {
    pub(crate) fn read(name: &'static str) -> Self {
        let document = yaml(name);
        assert_eq!(document["openapi"], "3.1.0", "{name}");
        Self { name, document }
    }

    /// Every method and path, the methods in capitals.
    pub(crate) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.document["paths"].as_object().expect("there are paths");
        let of = |(path, item): (&String, &Value)| {
            let methods = item.as_object().expect("a path has operations").keys();
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(of).collect()
    }

    pub(crate) fn operation(&self, method: &str, path: &str) -> &Value {
        let found = &self.document["paths"][path][method.to_lowercase()];
        assert!(found.is_object(), "{}: {method} {path} is not there", self.name);
        found
    }

    /// What a reference in the document means.
    pub(crate) fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        let Some(reference) = node["$ref"].as_str() else { return node };
        let pointer = reference.strip_prefix('#').expect("references stay in the document");
        self.document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{}: {reference} leads nowhere", self.name))
    }

    /// What the document says of an answer.
    pub(crate) fn response(&self, method: &str, path: &str, status: u16) -> &Value {
        let response = &self.operation(method, path)["responses"][status.to_string()];
        assert!(
            response.is_object(),
            "{}: {method} {path} answered {status}, which is not there",
            self.name
        );
        self.resolve(response)
    }

    /// Does a value have this shape? If not, why.
    pub(crate) fn fault(&self, schema: &Value, value: &Value) -> Option<String> {
        let whole = json!({ "components": self.document["components"], "allOf": [schema] });
        let validator = jsonschema::draft202012::new(&whole).unwrap_or_else(|cause| panic!("{}: {cause}", self.name));
        validator
            .validate(value)
            .err()
            .map(|error| format!("{error} at {} in {value}", error.instance_path()))
    }

    /// The document's own faults: what is named twice, leads nowhere, is no schema, or is not documented.
    pub(crate) fn check_itself(&self) {
        let mut ids = vec![];
        for (method, path) in self.operations() {
            let operation = self.operation(&method, &path);
            let at = format!("{}: {method} {path}", self.name);
            ids.push(
                operation["operationId"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{at} has no operationId")),
            );
            assert!(operation["summary"].is_string(), "{at} has no summary");
            let named: Vec<_> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let parameters: Vec<_> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| self.resolve(one))
                .collect();
            let in_path = parameters
                .iter()
                .filter(|one| one["in"] == "path")
                .map(|one| one["name"].as_str().unwrap_or_default());
            assert_eq!(named, in_path.collect::<Vec<_>>(), "{at}");
            for (status, response) in operation["responses"].as_object().expect("there are responses") {
                assert!(self.resolve(response)["description"].is_string(), "{at} {status}");
            }
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{}: an operationId is there twice", self.name);
        self.check_references(&self.document);
        for (name, schema) in self.document["components"]["schemas"].as_object().expect("there are schemas") {
            if let Err(cause) = jsonschema::draft202012::meta::validate(schema) {
                panic!("{}: {name} is no schema: {cause}", self.name);
            }
            let used = self.document.to_string().contains(&format!("\"#/components/schemas/{name}\""));
            assert!(used, "{}: nothing uses {name}", self.name);
        }
    }

    fn check_references(&self, node: &Value) {
        match node {
            Value::Object(map) => {
                if map.get("$ref").is_some_and(Value::is_string) {
                    self.resolve(node);
                }
                map.values().for_each(|inner| self.check_references(inner));
            }
            Value::Array(list) => list.iter().for_each(|inner| self.check_references(inner)),
            _ => {}
        }
    }
}
