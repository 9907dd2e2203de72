//! A JSON object, field by field.
//!
//! `serde`'s derived readers know the line of an error but not the field, and most vectors are a single line. So objects
//! are split into fields first, without reading the values (they stay slices of the input), and each field is then read
//! with its name at hand.

use super::{Problem, VectorError};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of an object that have not been read yet.
pub struct Fields<'a> {
    path: String,
    fields: Vec<(String, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// The object that `bytes` are.
    pub fn parse(bytes: &'a [u8]) -> Result<Fields<'a>, VectorError> {
        let object = serde_json::from_slice(bytes).map_err(|error| VectorError {
            path: String::new(),
            // Of the whole file, so line and column are right and of use.
            problem: Problem::Json(error.to_string()),
        })?;
        Fields::of(String::new(), object)
    }

    fn nested(path: String, raw: &'a RawValue) -> Result<Fields<'a>, VectorError> {
        let object = read(&path, raw)?;
        Fields::of(path, object)
    }

    fn of(path: String, Object(mut fields): Object<'a>) -> Result<Fields<'a>, VectorError> {
        for (name, _) in &mut fields {
            *name = name.replace('_', "-");
        }
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        let twice = fields.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0.clone());
        let fields = Fields { path, fields };
        match twice {
            Some(name) => Err(fields.error(&name, Problem::Twice)),
            None => Ok(fields),
        }
    }

    /// An error of the field `name`.
    pub fn error(&self, name: &str, problem: Problem) -> VectorError {
        VectorError { path: self.path_of(name), problem }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.fields.iter().position(|(field, _)| field == name)?;
        Some(self.fields.swap_remove(at).1)
    }

    /// The value of a field that may be absent, or `null`.
    pub fn optional<T: Deserialize<'a>>(&mut self, name: &str) -> Result<Option<T>, VectorError> {
        match self.take(name) {
            Some(raw) => read(&self.path_of(name), raw),
            None => Ok(None),
        }
    }

    /// The value of a field that must be there.
    pub fn required<T: Deserialize<'a>>(&mut self, name: &str) -> Result<T, VectorError> {
        self.optional(name)?.ok_or_else(|| self.error(name, Problem::Missing))
    }

    /// The objects in a list; no list is an empty one.
    pub fn list<T>(
        &mut self,
        name: &str,
        mut element: impl FnMut(Fields<'a>) -> Result<T, VectorError>,
    ) -> Result<Vec<T>, VectorError> {
        let elements: Vec<&RawValue> = self.optional(name)?.unwrap_or_default();
        let path = self.path_of(name);
        let each = elements.into_iter().enumerate();
        each.map(|(index, raw)| element(Fields::nested(format!("{path}[{index}]"), raw)?)).collect()
    }

    /// Makes sure that every field was read.
    pub fn finish(self) -> Result<(), VectorError> {
        match self.fields.first() {
            Some((name, _)) => Err(self.error(name, Problem::Unknown)),
            None => Ok(()),
        }
    }
}

/// Reads the value of the field at `path`.
fn read<'a, T: Deserialize<'a>>(path: &str, raw: &'a RawValue) -> Result<T, VectorError> {
    serde_json::from_str(raw.get()).map_err(|error| {
        // The position counts from the start of the field, which nobody could make use of.
        let message = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        let message = message.strip_suffix(&position).unwrap_or(&message);
        VectorError { path: path.to_string(), problem: Problem::Json(message.to_string()) }
    })
}

/// The fields of an object as they come. (A map would keep one of two fields of the same name and not tell.)
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Object(fields))
    }
}
