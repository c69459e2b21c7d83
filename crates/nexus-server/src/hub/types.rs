//! The types of events: the built-in ones, and those of `hub.types` with their schemas from files of the data directory.

use std::path::Path;

use nexus_core::hub::{CustomType, TypeRegistry};
use nexus_types::limits::SCHEMA_BYTES_MAX;
use serde_json::Value;

use crate::config::TypeLine;
use crate::exits::{Exit, Failure};

/// Reads the schemas of these types, and makes the list of all types.
///
/// # Errors
/// A [`Failure`] that names the setting, the file and the reason.
pub fn load(folder: &Path, lines: &[TypeLine]) -> Result<TypeRegistry, Failure> {
    let mut custom = Vec::with_capacity(lines.len());
    for line in lines {
        let schema = match &line.schema {
            Some(name) => Some(schema(&folder.join(name)).map_err(|what| wrong(line.kind.as_str(), name, &what))?),
            None => None,
        };
        custom.push(CustomType {
            name: line.kind.to_string(),
            schema,
        });
    }
    TypeRegistry::new(custom).map_err(|bad| {
        let line = lines.iter().find(|line| line.kind.as_str() == bad.name);
        let file = line.and_then(|line| line.schema.as_deref());
        wrong(&bad.name, file.unwrap_or("no schema"), &bad.reason)
    })
}

fn schema(path: &Path) -> Result<Value, String> {
    let at = path.display();
    let metadata = std::fs::metadata(path).map_err(|cause| format!("can't read {at}: {cause}"))?;
    if !metadata.is_file() || metadata.len() > SCHEMA_BYTES_MAX as u64 {
        return Err(format!("{at} is no file of at most {SCHEMA_BYTES_MAX} bytes"));
    }
    let text = std::fs::read(path).map_err(|cause| format!("can't read {at}: {cause}"))?;
    serde_json::from_slice(&text).map_err(|cause| format!("{at} is no JSON: {cause}"))
}

fn wrong(name: &str, file: &str, what: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("hub.types: {name} ({file}): {what}."),
        "Correct it; then look with: nexus events check",
    )
}

#[cfg(test)]
mod tests {
    use nexus_types::hub::EventType;
    use serde_json::json;

    use super::*;

    fn line(name: &str, schema: Option<&str>) -> TypeLine {
        TypeLine {
            kind: EventType::parse(name).expect("a type"),
            schema: schema.map(str::to_owned),
        }
    }

    #[test]
    fn a_type_is_checked_by_the_schema_in_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("reading.json"), r#"{"type":"object","required":["height"]}"#).expect("written");
        let types = load(
            folder.path(),
            &[line("GAUGE:READING", Some("reading.json")), line("GAUGE:ALARM", None)],
        )
        .expect("good");
        assert!(types.check("READING", &json!({})).is_err());
        assert!(types.check("READING", &json!({ "height": 1 })).is_ok());
        assert!(types.check("GAUGE:ALARM", &json!({})).is_ok());
    }

    #[test]
    fn a_mistake_names_the_setting_the_file_and_the_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("broken.json", "{\n\"type\":");
        write("strange.json", r#"{"type":"thing"}"#);
        write("elsewhere.json", r#"{"$ref":"https://example.org/schema.json"}"#);
        write("long.json", &"[".repeat(SCHEMA_BYTES_MAX + 1));
        for (name, file, reason) in [
            ("A:B", Some("gone.json"), "can't read"),
            ("A:B", Some("broken.json"), "line 2"),
            ("A:B", Some("strange.json"), "thing"),
            ("A:B", Some("elsewhere.json"), ""),
            ("A:B", Some("long.json"), "at most"),
            ("A:B", Some("."), "no file"),
            ("nexus:thing", None, "platform"),
            ("FLOWPAY:PAYMENT_RECEIVED", None, "there is a type of that name"),
        ] {
            let failure = load(folder.path(), &[line(name, file)]).expect_err(name);
            let words = ["hub.types", name, file.unwrap_or_default(), reason];
            assert!(words.iter().all(|word| failure.what.contains(word)), "{failure}");
        }
    }
}
