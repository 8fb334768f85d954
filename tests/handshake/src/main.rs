//! `tgsignd` whose client knows the public key of simulated data centres besides Telegram's.

use std::process::ExitCode;

use grammers_mtproto::authentication::add_simulated_key;
use telegram_sim::ExchangeKey;

fn main() -> ExitCode {
    let ExchangeKey { fingerprint, modulus, exponent } = telegram_sim::exchange_key();
    add_simulated_key(fingerprint, modulus, exponent);
    tgsignd::cli::main(std::env::args_os())
}
