//! JSON in which no object has a key twice: readers differ in which one they take.

use std::fmt;

use super::error::shown;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The object that a text is.
pub fn object(text: &[u8]) -> serde_json::Result<Map<String, Value>> {
    match serde_json::from_slice(text)? {
        Unique(Value::Object(object)) => Ok(object),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

/// Any such value.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let Unique(value) = map.next_value()?;
            if object.contains_key(&key) {
                let key = shown(&key);
                return Err(A::Error::custom(format_args!("the key `{key}` stands twice")));
            }
            object.insert(key, value);
        }
        Ok(Unique(object.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unique, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(value)) = seq.next_element()? {
            array.push(value);
        }
        Ok(Unique(array.into()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Unique, E> {
        Ok(Unique(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_unique(text: &str) -> bool {
        serde_json::from_str::<Unique>(text).is_ok()
    }

    #[test]
    fn keys_that_stand_twice() {
        for text in ["{}", r#"{"a":1,"b":{"a":[{"a":null},{"a":-1.5e3}]},"c":"a"}"#, "[true]"] {
            assert!(is_unique(text), "{text}");
        }
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"[{"a":1,"a":2}]"#,
            r#"{"a":1"#,
            "{} {}",
        ] {
            assert!(!is_unique(text), "{text}");
        }
        let text = r#"{"a":[1,-2,0.5,null,true,{"b":"c"}]}"#;
        assert_eq!(Value::Object(object(text.as_bytes()).unwrap()).to_string(), text);
        assert!(object(b"[{}]").is_err());
    }
}
