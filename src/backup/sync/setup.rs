//! Settings and secrets become a destination and keys.

use super::error::SyncError;
use crate::backup::keys::{DerivedKeys, Identity, KeyError, PublicKey, Recipient, Recipients, SigningKey, TrustedKeys};
use crate::backup::remote::{Destination, RemoteSettings, RetryPolicy, Timeouts};
use crate::config::secret::Secret;
use crate::config::{Backup, BackupKeys};
use crate::kernel::record::Instance;

/// What the configuration only refers to, read.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The password on the server.
    pub password: Option<Secret<String>>,
    /// The `identity`, or the `encryption_key`.
    pub key: Option<Secret<String>>,
    /// The file `ca`, in PEM.
    pub certificates: Option<Vec<u8>>,
}

/// Whom a backup is sealed to, what opens it, who signs it, whose signature counts.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Who can open what is sealed here.
    pub recipients: Recipients,
    /// What opens it here.
    pub identity: Option<Identity>,
    /// What signs here: derived from the secret where there is one, because everybody who has it may restore everything
    /// anyway; else that of the instance.
    pub signing: Option<SigningKey>,
    /// Our own keys and those that `trusted` names.
    pub trusted: TrustedKeys,
}

impl Keys {
    /// The keys of a configuration. `instance` is that of the data directory, where there is one already.
    pub fn new(settings: &Backup, key: Option<&Secret<String>>, instance: Option<&Instance>) -> Result<Self, KeyError> {
        let (derived, recipients) = match &settings.keys {
            BackupKeys::Age { recipients, .. } => {
                let derived = key.map(DerivedKeys::from_identity).transpose()?;
                let recipients: Vec<Recipient> =
                    recipients.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
                (derived, Recipients::new(recipients)?)
            }
            BackupKeys::Derived(_) => {
                let derived = key.map(DerivedKeys::from_text).transpose()?;
                let recipients = Recipients::new(derived.iter().map(|keys| keys.identity.recipient()))?;
                (derived, recipients)
            }
        };
        // What is sealed here has to open here, or nobody would notice before it is needed.
        if let Some(keys) = derived.as_ref().filter(|keys| !recipients.include(&keys.identity)) {
            return Err(KeyError::OpensNothing(keys.identity.recipient().to_string()));
        }
        let of_instance = instance.map(|instance| SigningKey::of_instance(instance.random_id_secret.expose()));
        let mut trusted: Vec<PublicKey> = settings.trusted.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        trusted.extend(derived.iter().map(|keys| keys.signing.public()));
        trusted.extend(of_instance.iter().map(SigningKey::public));
        let (identity, signing) = derived.map(|keys| (keys.identity, keys.signing)).unzip();
        Ok(Self { recipients, identity, signing: signing.or(of_instance), trusted: TrustedKeys::new(trusted) })
    }
}

/// Where the backup of a configuration is.
pub fn destination(settings: &Backup, secrets: &Secrets) -> Result<Destination, SyncError> {
    let settings = RemoteSettings {
        url: settings.url.clone(),
        username: settings.credentials.as_ref().map(|credentials| credentials.username.clone()).unwrap_or_default(),
        password: secrets.password.clone().unwrap_or_else(|| Secret::new(String::new())),
        remote_path: settings.remote_path.clone(),
        extra_ca: secrets.certificates.clone(),
        allow_http: settings.allow_http,
        timeouts: Timeouts::default(),
        retries: RetryPolicy::default(),
    };
    Ok(settings.check()?)
}
