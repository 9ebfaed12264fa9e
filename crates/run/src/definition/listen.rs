//! The section `[[listen]]`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use winddown_core::ListenAddress;
use winddown_core::notify::DescriptorName;

/// A socket that winddown opens and passes to the program (`LISTEN_FDS`), so that nobody is refused while the program is restarted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Listen {
    /// Where: `127.0.0.1:8080`, `[::1]:8080`, `8080` for all addresses, `udp:127.0.0.1:53`, `unix:/run/orders.sock`. Without it, the
    /// socket of this name that the host passed to winddown.
    #[schemars(with = "Option<String>")]
    pub address: Option<ListenAddress>,
    /// Its name in `LISTEN_FDNAMES`.
    #[serde(deserialize_with = "name", default = "unknown")]
    pub name: String,
}

/// What `sd_listen_fds_with_names(3)` calls a socket without a name.
fn unknown() -> String {
    "unknown".to_owned()
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match DescriptorName::new(&name) {
        Ok(_) => Ok(name),
        Err(error) => Err(serde::de::Error::custom(error)),
    }
}
