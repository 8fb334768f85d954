//! Accounts that check in with one bot, and the data centre that knows them.

use telegram_sim::{Account, DataCentre, World};
use tokio::runtime::Runtime;

use super::support::KEY_SEED;

const FIRST_USER: i64 = 10_000;

const BOT: &str = r#"
[bots.checkin]
username = "bench_checkin_bot"
[[bots.checkin.on]]
text = "/checkin"
send = { text = "你好 {user}，请点击下方按钮", buttons = [[{ text = "✅ 签到", data = "checkin" }, { text = "排行榜", data = "top" }]] }
[[bots.checkin.on]]
button = "checkin"
alert = "签到成功！获得 5 积分"
"#;

/// The bot and that many accounts, signed in. Of what it received it remembers `log_limit` entries.
pub(crate) fn start_centre(runtime: &Runtime, accounts: usize, log_limit: usize) -> DataCentre {
    let mut world = World::from_toml(BOT).unwrap().key_seed(KEY_SEED).log_limit(log_limit);
    for number in 0..accounts {
        world = world.account(Account::new(&account(number), &phone(number), user_id(number)).signed_in());
    }
    runtime.block_on(DataCentre::start(world)).unwrap()
}

pub(crate) fn account(number: usize) -> String {
    format!("account{number}")
}

pub(crate) fn phone(number: usize) -> String {
    format!("+1{number:010}")
}

pub(crate) fn user_id(number: usize) -> i64 {
    FIRST_USER + i64::try_from(number).unwrap()
}
