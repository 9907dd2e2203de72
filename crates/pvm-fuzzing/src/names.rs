//! How case files write what has a name: profiles, gas models, rights, and bytes in hexadecimal.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// Profiles by name.
pub(crate) mod profile {
    use super::*;
    use pvm_isa::Profile;

    pub(crate) fn serialize<S: Serializer>(profile: &Profile, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(profile.name())
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Profile, D::Error> {
        let name = String::deserialize(deserializer)?;
        Profile::from_name(&name).ok_or_else(|| D::Error::custom(format!("no profile is called `{name}`")))
    }
}

/// Gas models by name.
pub(crate) mod gas_model {
    use super::*;
    use pvm_gas::GasModel;

    pub(crate) fn serialize<S: Serializer>(model: &GasModel, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(model.name())
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<GasModel, D::Error> {
        let name = String::deserialize(deserializer)?;
        GasModel::from_name(&name).ok_or_else(|| D::Error::custom(format!("no gas model is called `{name}`")))
    }
}

/// Rights by name.
pub(crate) mod access {
    use super::*;
    use pvm_runtime::Access;

    pub(crate) fn name(access: Access) -> &'static str {
        match access {
            Access::None => "none",
            Access::Read => "read",
            Access::ReadWrite => "write",
            other => other.name(),
        }
    }

    pub(crate) fn from_name<E: Error>(name: &str) -> Result<Access, E> {
        [Access::None, Access::Read, Access::ReadWrite, Access::ReadExecute, Access::ReadWriteExecute]
            .into_iter()
            .find(|&access| self::name(access) == name)
            .ok_or_else(|| E::custom(format!("no right is called `{name}`")))
    }

    pub(crate) fn serialize<S: Serializer>(access: &Access, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name(*access))
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Access, D::Error> {
        from_name(&String::deserialize(deserializer)?)
    }
}

/// Rights by name, or null.
pub(crate) mod maybe_access {
    use super::*;
    use pvm_runtime::Access;

    pub(crate) fn serialize<S: Serializer>(access: &Option<Access>, serializer: S) -> Result<S::Ok, S::Error> {
        match access {
            Some(access) => serializer.serialize_some(access::name(*access)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<Access>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|name| access::from_name(&name)).transpose()
    }
}

/// Bytes as hexadecimal digits.
pub(crate) mod hex {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
        match digits {
            Some(digits) if digits.len() % 2 == 0 => Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()),
            _ => Err(D::Error::custom("not pairs of hexadecimal digits")),
        }
    }
}
