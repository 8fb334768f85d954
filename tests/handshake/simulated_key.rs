
/// One more public key besides Telegram's: fingerprint, modulus and exponent.
static SIMULATED_KEY: std::sync::OnceLock<(i64, String, String)> = std::sync::OnceLock::new();

/// Makes key exchanges accept the key with this fingerprint; modulus and exponent are decimal. Only the first call counts.
pub fn add_simulated_key(fingerprint: i64, modulus: String, exponent: String) {
    let _ = SIMULATED_KEY.set((fingerprint, modulus, exponent));
}

fn simulated_key(wanted: i64) -> Option<rsa::Key> {
    let (fingerprint, modulus, exponent) = SIMULATED_KEY.get()?;
    if *fingerprint == wanted { rsa::Key::new(modulus, exponent) } else { None }
}
