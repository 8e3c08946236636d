//! Where the rows live: the setting `store`.

use super::value::{HIDDEN, Value, quoted};

/// A store by its kind, and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StoreChoice {
    /// In the data directory of this machine.
    Local,
    /// In etcd, by URL.
    Etcd(String),
    /// In PostgreSQL, by URL.
    Postgres(String),
    /// In Google Datastore, by URL.
    Datastore(String),
}

const LOCAL: &str = "local";

impl StoreChoice {
    /// Whether several replicas can share it.
    pub(crate) fn is_shared(&self) -> bool {
        match self {
            Self::Local => false,
            Self::Etcd(_) | Self::Postgres(_) | Self::Datastore(_) => true,
        }
    }

    /// What it is called.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Local => LOCAL,
            Self::Etcd(_) => "etcd",
            Self::Postgres(_) => "PostgreSQL",
            Self::Datastore(_) => "Datastore",
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Local => LOCAL,
            Self::Etcd(url) | Self::Postgres(url) | Self::Datastore(url) => url,
        }
    }
}

impl Value for StoreChoice {
    const PLACEHOLDER: &'static str = "local|URL";

    /// Only the kind is looked at here; the store itself reads the rest. A URL with a password that was
    /// hidden when it was printed is refused.
    fn parse(text: &str) -> Option<Self> {
        if text == LOCAL {
            return Some(Self::Local);
        }
        let (scheme, rest) = text.split_once("://")?;
        if rest.is_empty() || rest.contains(HIDDEN) {
            return None;
        }
        match scheme {
            "etcd" | "etcds" => Some(Self::Etcd(text.to_owned())),
            "postgres" | "postgresql" => Some(Self::Postgres(text.to_owned())),
            "datastore" => Some(Self::Datastore(text.to_owned())),
            _ => None,
        }
    }

    fn allowed() -> String {
        "local, etcd://HOST:PORT/PREFIX, postgres://USER:PASSWORD@HOST/DATABASE or datastore://PROJECT"
            .to_owned()
    }

    fn shown(text: &str) -> String {
        format!("{:?}", without_password(text))
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&without_password(self.text())))
    }
}

/// The URL with what stands between the user's name and the `@` hidden.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((user, hosts)) => match user.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:{HIDDEN}@{hosts}{path}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (given, shown) in [
            ("local", "local"),
            ("postgres://me:s3cr@t@db:5432/locks?x=1", "postgres://me:(hidden)@db:5432/locks?x=1"),
            ("postgres://me@db/locks", "postgres://me@db/locks"),
            ("etcd://root:pw@a:2379,b:2379/prefix", "etcd://root:(hidden)@a:2379,b:2379/prefix"),
            ("etcd://a:2379/p", "etcd://a:2379/p"),
            ("datastore://project/db?namespace=x", "datastore://project/db?namespace=x"),
        ] {
            let choice = StoreChoice::parse(given).unwrap();
            assert_eq!(choice.toml().unwrap(), quoted(shown));
        }
    }

    #[test]
    fn what_is_no_store_is_refused() {
        for given in ["", "etcd", "etcd://", "mysql://db", "postgres://me:(hidden)@db/locks"] {
            assert_eq!(StoreChoice::parse(given), None, "{given}");
        }
    }
}
