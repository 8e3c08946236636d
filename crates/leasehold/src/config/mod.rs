//! Settings: plain data, checked once at start. `table` has them all.

mod error;
mod file;
mod flags;
mod layers;
mod metrics_access;
mod print;
mod store;
mod table;
mod unknown_variables;
mod value;

pub(crate) use error::SettingsError;
pub(crate) use flags::{Flags, StoreFlags};
pub(crate) use layers::{Given, Origin};
pub(crate) use store::StoreChoice;
pub(crate) use table::Settings;
pub(crate) use value::{FilePath, Leadership, LogFormat, LogLevel};

use layers::{Layers, Name};
use value::Whole;

impl Settings {
    /// Reads and checks what flags, environment and file give.
    ///
    /// # Errors
    /// [`SettingsError`] names the value, where it came from and what is allowed.
    pub(crate) fn load(flags: Flags) -> Result<Self, SettingsError> {
        let mut settings = Self::gather(flags)?;
        settings.fit_waiters()?;
        settings.check_dev()?;
        settings.check_leadership()?;
        settings.check_advertise()?;
        settings.check_tls()?;
        Ok(settings)
    }

    /// The same for a command that listens nowhere and needs to know only where the rows live.
    ///
    /// # Errors
    /// [`SettingsError`] names the value, where it came from and what is allowed.
    pub(crate) fn load_store(StoreFlags(flags): StoreFlags) -> Result<Self, SettingsError> {
        Self::gather(flags)
    }

    fn gather(flags: Flags) -> Result<Self, SettingsError> {
        let file = flags.file.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let layers = vec![flags.layer, layers::environment()?, file, layers::platform()?];
        Self::read(&Layers(layers))
    }

    /// Waiters must leave connections for those that release. Without a number of its own, their limit follows
    /// from that of connections: an eighth of those is left.
    fn fit_waiters(&mut self) -> Result<(), SettingsError> {
        let (waiters, connections) =
            (self.max_waiters.value.get(), self.max_connections.value.get());
        if waiters < connections {
            return Ok(());
        }
        let fitting = connections - connections.div_ceil(8);
        if fitting == 0 || !matches!(self.max_waiters.origin, Origin::Default) {
            return Err(SettingsError::MoreWaitersThanConnections {
                waiters,
                waiters_origin: self.max_waiters.origin.clone(),
                connections,
                connections_origin: self.max_connections.origin.clone(),
            });
        }
        self.max_waiters = Given {
            value: Whole::nearest(fitting),
            origin: Origin::Derived(Name("max_connections")),
        };
        Ok(())
    }

    fn check_dev(&self) -> Result<(), SettingsError> {
        let api = ("listen", Some(self.listen.value), &self.listen.origin);
        let probes = ("probes-listen", self.probes_listen.value, &self.probes_listen.origin);
        for (setting, address, origin) in [api, probes] {
            if let Some(address) = address.filter(|a| self.dev.value && !a.ip().is_loopback()) {
                let origin = origin.clone();
                return Err(SettingsError::DevBeyondLoopback { setting, address, origin });
            }
        }
        Ok(())
    }

    /// Whether this process leads only when it is asked.
    pub(crate) fn is_on_demand(&self) -> bool {
        self.leadership.value == Leadership::OnDemand
    }

    /// Leading on demand takes a store without sessions of its own, and nobody hands requests on.
    fn check_leadership(&self) -> Result<(), SettingsError> {
        if !self.is_on_demand() {
            return Ok(());
        }
        let leadership = self.leadership.origin.clone();
        match self.store.value {
            StoreChoice::Local | StoreChoice::Etcd(_) => {
                let (store, origin) = (self.store.value.kind(), self.store.origin.clone());
                Err(SettingsError::NotOnDemand { store, origin, leadership })
            }
            StoreChoice::Postgres(_) | StoreChoice::Datastore(_) => match self.advertise.value {
                Some(_) => {
                    let origin = self.advertise.origin.clone();
                    Err(SettingsError::NobodyToAdvertiseTo { origin, leadership })
                }
                None => Ok(()),
            },
        }
    }

    /// Others cannot call an address that stands for every address of this machine.
    fn check_advertise(&self) -> Result<(), SettingsError> {
        let is_known = self.advertise.value.is_some() || !self.listen.value.ip().is_unspecified();
        if self.store.value.is_shared() && !self.is_on_demand() && !is_known {
            let (address, origin) = (self.listen.value, self.listen.origin.clone());
            return Err(SettingsError::NoAddressForOthers { address, origin });
        }
        Ok(())
    }

    /// Whether other replicas hand requests on to this one, and it to them.
    pub(crate) fn has_others(&self) -> bool {
        self.store.value.is_shared() && !self.is_on_demand()
    }

    /// A certificate is nothing without its key, and the rest of TLS nothing without both.
    fn check_tls(&self) -> Result<(), SettingsError> {
        let half = |given, origin: &Origin, missing| {
            Err(SettingsError::HalfOfTls { given, origin: origin.clone(), missing })
        };
        match (&self.tls_cert.value, &self.tls_key.value) {
            (Some(_), Some(_)) => return Ok(()),
            (Some(_), None) => return half("tls-cert", &self.tls_cert.origin, "tls-key"),
            (None, Some(_)) => return half("tls-key", &self.tls_key.origin, "tls-cert"),
            (None, None) => {}
        }
        for (setting, given) in [("tls-client-ca", &self.tls_client_ca), ("tls-ca", &self.tls_ca)] {
            if given.value.is_some() {
                return Err(SettingsError::NoTls { setting, origin: given.origin.clone() });
            }
        }
        Ok(())
    }

    /// What is allowed but probably not meant.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let idle = self.dev.value && self.api_key.value.is_some();
        let idle = idle.then(|| {
            format!("--dev serves without keys: the API key ({}) is not used", self.api_key.origin)
        });
        let is_given = |origin: &Origin| !matches!(origin, Origin::Default);
        let unused = match self.leadership.value {
            Leadership::OnDemand => is_given(&self.lease_seconds.origin).then_some(
                "lease-seconds is not used: with leadership on-demand there is no lease",
            ),
            Leadership::Continuous => is_given(&self.max_clock_skew_seconds.origin)
                .then_some("max-clock-skew-seconds is not used: leadership is not on-demand"),
        };
        let unused = unused.map(str::to_owned);
        idle.into_iter().chain(unused).chain(unknown_variables::warnings()).collect()
    }
}
