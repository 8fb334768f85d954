//! The default phrases, as regular expressions over one clause that [`classify`](super::classify) prepared: lower case,
//! without pictures, Chinese in simplified characters without spaces, Russian with `е` for `ё`.
//!
//! A phrase counts only when `before` is not found in the clause ahead of it, `after` is not found in the rest of the clause,
//! and `then` is.
//! When in doubt a phrase is left out: `unknown` costs a look, a wrong `succeeded` costs the streak.

/// The phrases of one language.
pub(super) struct Language {
    pub(super) success: Phrases,
    pub(super) already: Phrases,
    pub(super) failure: Phrases,
}

/// Alternatives, and what turns them into something else.
pub(super) struct Phrases {
    pub(super) any: &'static [&'static str],
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    /// What may follow at all; empty for anything.
    pub(super) then: &'static str,
}

pub(super) const LANGUAGES: [Language; 3] = [CHINESE, ENGLISH, RUSSIAN];

/// Words that make what follows them a guess, even behind a comma.
pub(super) const HEDGES: [&str; 6] = ["возможно", "maybe", "perhaps", "可能", "也许", "或许"];

/// Texts that explain instead of reporting: nothing in them counts as done.
pub(super) const EXPLANATION: &str = "规则|使用说明|签到说明|教程|使用帮助|帮助菜单|指南|玩法|常见问题|命令列表|\
     \\b(?:rules|how it works|how to|help menu|faq|commands|tutorial)\\b|правила|инструкци|как это работает|список команд";

/// Texts of a bot that is still at it: a complaint next to them is not its last word.
pub(super) const PENDING: &str = "正在(?:为您|为你|帮您|帮你)?(?:处理|排队|提交|签到|验证)|处理中|排队中|已(?:加入|进入)队列|请(?:您)?(?:稍候|稍等|耐心等待)$|\
     \\bbeing processed\\b|\\b(?:still )?processing\\b|\\bplease wait$|\\bqueued\\b|\\bin progress\\b|обрабатывается|\\bподождите$|в очереди";

/// Turns a literal of the task's own into something else: what stands ahead of it in the clause.
pub(super) const OWN_BEFORE: &str = "(?:未|没|没有|不|无法|不算)$|如果|若|如需|如您|当(?:你|您)|是否|\
     (?:\\bnot|n't|\\bun|\\bnever)\\s*(?:yet |been )?$|\\b(?:if|when|once|unless|until)\\b|\
     (?:\\bне|\\bне был[аои]?)\\s*$|\\b(?:если|когда|чтобы)\\b";

/// And what follows it.
pub(super) const OWN_AFTER: &str =
    "^(?:之?后|率|可|即|才|方|将|的话|次数|人数|天数|者|与否|了?吗|了?没)|^ (?:if|when|once|will)\\b";

const CHINESE: Language = Language {
    success: Phrases {
        any: &[
            "(?:签到|打卡|报到)(?:操作|状态|结果|任务|奖励|礼包)?(?:领取|完成)?:?(?:成功|完成)",
            "成功(?:完成)?了?(?:今日|今天|每日|本日|本次)?的?(?:签到|打卡)",
            "(?:恭喜|恭喜你|恭喜您|顺利|你|您)(?:顺利)?完成了?(?:今日|今天|每日|本日|本次)?的?(?:签到|打卡)",
            "(?:^|本次|此次|这次|恭喜.{0,4}|今日|今天)(?:签到|打卡)(?:获得|得到)了?:?\\+?[1-9]\\d*(?:\\.\\d+)?.{0,8}$",
            "^(?:签到|打卡)(?:获得|得到)了?(?:积分|经验|金币|奖励):\\+?[1-9]\\d*$",
            "(?:每日|今日|今天|签到)的?(?:奖励|礼包|福利|积分)(?:已?领取成功|已?发放成功|已到账|已发放)",
            "成功领取了?.{0,4}(?:今日|今天|每日|签到).{0,4}(?:奖励|礼包|福利|积分)",
            "已(?:帮|为|替)(?:你|您)(?:自动)?(?:签到|打卡)",
        ],
        before: "未|没|不|无法|失败|若|如|假设|当(?:你|您|用户)|需|请|只要|想要|要是|等待|等到|可以|即可|方可|可获|可得|\
                 可能|才|就能|能否|将|会(?:[^员]|$)|为了|是否|怎么|点击|每次|昨|上次|上一|最近|历史|前天|之前|显示|回复|\
                 看到|出现|直到|再|别忘|明天|明日|次日|只有|一旦|保证|确保|以便|总共|总计|累计|本月|本周|统计|记录|日志|\
                 连续|差|快要|后|\\d[-/.月]\\d|[\"“”'‘’「『]$",
        after: "^(?:之?后|率|可|即|才|方|得\\d|能|时|者|的话|的?用户|的人|将|会|就|过|次数|人数|天数|奖励|与否|了?吗|了?没|\
                没有|[\"”’」』]|:?\\d+(?:天|次|人|日|名|位))|吗$|么$|没$|才能|即可|可获|可得|将获|将会|会获",
        then: "^(?:$|[啦了哦噢呀喔耶]*$|[a-z0-9:+*=/-]|获|得到|您|你|我|连续|累计|当前|本次|今日|今天|共|增加|恭喜|奖励[:+]|积分|经验|金币|余额|排名|未中|没中|没有|送|赠|随机|并|且|明天|坚持)",
    },
    already: Phrases {
        any: &[
            "已经?(?:签到|打卡|签过到|打过卡|报到)",
            "已经?(?:成功)?(?:签到?|打卡|领取?|报到)(?:成功)?过",
            "已签(?:$|了|啦)",
            "(?:今日|今天|本日|当天|刚刚|刚才)[^没未不]{0,6}(?:签到|打卡|签|领取?|打)过",
            "(?:今日|今天).{0,6}重复(?:签到|打卡|领取)",
            "^(?:签到失败:?|失败:|错误:|你|您)*(?:请勿|请不要|不要|不能|不可|无需|勿|别)?重复(?:签到|打卡|领取)(?:哦|啦|了|噢|奖励)?$",
            "(?:今日|今天|本日)的?(?:签到|打卡|奖励|签到奖励|每日奖励)?已经?(?:领取|领完?了)",
            "(?:今日|今天|本日)的?(?:签到|打卡)(?:任务)?已经?完成",
            "已经?完成了?(?:今日|今天|本日)的?(?:签到|打卡)",
            "距离?上次(?:签到|打卡)(?:还|尚)?(?:未|没|不)(?:满|过|到|足)\\d*.{0,6}$",
        ],
        before: "未|没|不(?:能|可|要|算)|若|如|假设|当(?:你|您|用户)|是否|查看|除|谁|本月|累计|连续|总|历史|本周|上次|昨|\
                 一共|共|其他|好友|有人|大家|群友|每日|每天|每人|\\d+(?:人|名|位)|请确认|确保|显示|回复|可能|也许|大概|[\"“”'‘’「『]$",
        after: "^(?:成功|人|天|次|用户|名|位|者|的|列表|名单|记录|日|之?后|即|才|可|期|程|于|快|时|:|[\"”’」』]|\\d|了?\\d+|\
                了?吗|了?没|了?多少|了?几)|吗$|么$|没$|没有$|后",
        then: "",
    },
    failure: Phrases {
        any: &[
            "(?:签到|打卡|报到|领取)(?:操作|请求)?(?:未|没有?|不|并未)(?:能)?成功",
            "(?:签到|打卡|报到|领取|操作|提交|验证)(?:操作|请求)?(?:失败|出错|错误|异常)",
            "(?:无法|不能|未能|没能|暂时不能|不允许)(?:完成|进行|正常)?(?:签到|打卡)",
            "(?:你|您)(?:的账号|的账户)?(?:还|尚)?(?:未|没有?)(?:注册|绑定|登录|登陆|加入|关注)",
            "(?:你|您)(?:的账号|的账户)?(?:已经?)?(?:被(?:拉黑|封禁|冻结)|在黑名单|不在群组)",
            "^未(?:注册|绑定)(?:账号|账户|用户)?$|未找到(?:绑定)?用户",
            "(?:已尝试|尝试|错误)次数过多",
            "需要先?(?:完成|进行)(?:用户)?(?:初始化|注册|绑定)|^你有号吗",
            "(?:账号|账户|用户|帐号)(?:不存在|异常|已?被(?:封禁|禁用|冻结|停用|封停))",
            "请先(?:注册|绑定|加入|关注|登录|登陆|订阅)",
            "签到(?:功能|系统|服务)?(?:已|暂)?(?:关闭|停用|维护|暂停)",
            "(?:系统|服务器?|网络|接口|数据库)(?:繁忙|出?错误?|异常|超时|维护|开小差|故障)",
            "(?:验证码|答案|回答|计算结果)(?:错误|不正确|不对|超时|已?过期)",
            "(?:余额|积分)不足",
            "权限不足|没有权限",
        ],
        before: "若|如果|如遇|如有|如(?:签到|打卡|领取)|假设|防止|避免|以免|可能|导致|否则|上次|昨|不会|并非|将|一旦|万一|当(?:你|您|出现)",
        after: "^(?:率|次数|的话|时|者|数|记录|过|:0|0)|吗$|么$",
        then: "",
    },
};

const ENGLISH: Language = Language {
    success: Phrases {
        any: &[
            "\\b(?:check(?:ed)?|sign|clock)[- ]?in (?:was |is |has been )?(?:now )?(?:a )?(?:success\\b|successful\\b|successfully\\b|\
             succeeded|completed?\\b|recorded|registered|confirmed|done\\b|accepted|ok\\b)",
            "\\bsigned in successfully",
            "\\bsuccessfully (?:checked|signed|clocked|punched)[- ]?in\\b",
            "\\byou(?:'ve| have|'re| are)? (?:now |just )?(?:checked|clocked)[- ]?in\\b",
            "^successful (?:daily )?(?:check|sign)[- ]?in$",
            "^(?:checked|clocked)[- ]?in$",
            "\\battendance (?:was |is |has been )?(?:successfully )?(?:recorded|marked|registered|confirmed)",
            "\\b(?:daily|today's|check-?in|sign-?in) (?:\\w+ )?(?:reward|bonus|points?|coins?|gift|credits?)s? (?:has been |have been |was |were )?\
             (?:successfully )?(?:claimed|collected|received|credited|granted|added)\\b",
            "\\b(?:successfully|you|you have|you've) (?:claimed|collected|received) (?:your |the |today's )?(?:daily |check-?in |sign-?in )\
             ?(?:reward|bonus|gift)\\b",
        ],
        before: "\\b(?:not|never|no|if|when|once|after|before|until|unless|will|would|can|could|should|must|may|might|please|how|\
                 fail\\w*|yet|every|each|last|previous|previously|yesterday|tomorrow|whether|did|does|users?|members?|people|others|\
                 who|cannot|unable|want|need|already|days?|times|history|log|total|claim|example)\\b|n't|\\b(?:to|be|a|for)\\s*$|[\"“'‘]$",
        after: "^[\"”’]|^\\s*(?:if|when|once|unless|will|would|rate|to (?:get|earn|claim|receive)|can|gives?|rewards?|\
                streaks?|counts?|history|yet|before|by|list|earns?|grants?|only|every|each|daily|\\d+|for (?:a total of )?\\d+|users|members|\
                days|times|yesterday|last)\\b|\\byesterday\\b|\\blast (?:week|month|time)\\b|\\band you (?:will|can)\\b|\\bto get\\b",
        then: "",
    },
    already: Phrases {
        any: &[
            "\\balready (?:been )?(?:checked|signed|clocked|punched)[- ]?in\\b",
            "\\b(?:checked|signed|clocked)[- ]?in already\\b",
            "\\balready (?:been )?(?:claimed|collected|received|redeemed|taken|got|done|completed|recorded|attended|marked)\\b.{0,40}\
             \\b(?:today|daily|check-?in|sign-?in|attendance)\\b",
            "\\b(?:today|today's|daily|check-?in|attendance)\\b.{0,40}\\balready (?:been )?\
             (?:claimed|collected|received|redeemed|taken|done|completed?|recorded|marked|checked)\\b",
        ],
        before: "\\b(?:if|not|never|may|might|maybe|perhaps|when|once|unless|whether|whoever|those|users?|members?|people|others|friends?|anyone|who|every|each|\
                 monthly|weekly|yesterday)\\b|n't|\\d+ (?:users|people|members)|[\"“'‘]$",
        after: "^[\"”’]|^\\s*(?:\\d|users\\b|people\\b|members\\b|yesterday\\b|:|by \\d)",
        then: "",
    },
    failure: Phrases {
        any: &[
            "\\b(?:check|sign|clock)[- ]?in (?:has |was |is |attempt )?(?:failed|unsuccessful|not successful|not completed|error|rejected|denied|\
             disabled|closed|unavailable)",
            "\\bfailed to (?:check|sign|clock|claim|collect|process|complete)",
            "\\b(?:could not|couldn't|cannot|can't|unable to|was not able to) (?:check|sign|clock|claim|complete|process)",
            "\\bnot successful\\b|\\bunsuccessful\\b|\\bwas(?: not|n't) a success",
            "\\bsomething went wrong\\b",
            "\\b(?:an?|internal|unexpected|unknown|server) (?:\\w+ )?error\\b",
            "\\btry again later\\b",
            "\\byou (?:must|need to|have to) (?:first )?(?:join|register|subscribe|link|bind|start)",
            "\\b(?:you are|you're|you have been|account is|account has been) (?:not (?:registered|authorized|allowed|subscribed)|banned|\
             blocked|suspended|restricted)",
            "\\baccess denied\\b|\\bpermission denied\\b",
            "\\b(?:wrong|incorrect|invalid) (?:answer|captcha|code)\\b",
            "\\b(?:service|server|bot|check-?in) (?:is )?(?:temporarily |currently )?(?:unavailable|down|under maintenance|busy)\\b",
        ],
        before: "\\b(?:if|when|may|might|will|would|in case|otherwise|avoid|prevent|yesterday|last|unless|without|no|report)\\b",
        after: "^\\s*(?:rate|count|attempts)\\b",
        then: "",
    },
};

const RUSSIAN: Language = Language {
    success: Phrases {
        any: &[
            "\\bуспешно (?:отмет\\w+|зачекин\\w+|получил\\w*|забрал\\w*|прошли отметку|выполнили чек-?ин)",
            "\\bвы (?:успешно )?отметились\\b|\\bотметились успешно\\b|\\bты отметил(?:ся|ась)\\b",
            "\\b(?:отметка|чек-?ин|ежедневн\\w+ (?:бонус|награда|отметка|чек-?ин)|бонус|награда|регистрация дня)(?: за сегодня| сегодня)? \
             (?:успешно )?(?:принят\\w?|засчитан\\w?|выполнен\\w?|получен\\w?|начислен\\w?|зачислен\\w?|успеш\\w+|собран\\w?|поставлена|пройден\\w?)\\b",
            "\\b(?:вы|ты) получил\\w? (?:свой |свою |ваш |вашу )?(?:ежедневн\\w+|сегодняшн\\w+) (?:бонус|награду)",
        ],
        before: "\\b(?:не|ни|без|если|когда|после|чтобы|нужно|надо|можно|можете|будет|будут|каждый|каждую|каждая|вчера|вчерашн\\w+|\
                 прошл\\w+|пока|еще|уже|получите|должны|хотите|как|реферальн\\w+|приветственн\\w+|последн\\w+|история|завтра|всего|\
                 пользовател\\w+|участник\\w+|кто)\\b|[\"«“]$",
        after: "^[\"»”]|^\\s*(?:если|когда|после|при|за каждый|за вчера|вчера|будет|завтра|только|\\d+ (?:раз|дн|ден|челов|участ|польз))|\\bне будет\\b",
        then: "",
    },
    already: Phrases {
        any: &[
            "\\bуже (?:отмечал\\w*|отметил\\w*|зачекин\\w+|чекинил\\w*|сделали чек-?ин|сделали отметку|прошли отметку|заходили сегодня)",
            "\\bуже (?:получ(?:ил|ал|ен)\\w*|забрал\\w*|забирал\\w*|собрал\\w*|собирал\\w*|выдан\\w*).{0,40}\
             (?:сегодня|ежедневн|сегодняшн|бонус|наград)",
            "(?:сегодня|ежедневн\\w+|сегодняшн\\w+|отметка|чек-?ин|бонус|награда).{0,30}\\bуже (?:был\\w? )?\
             (?:получ(?:ил|ал|ен)\\w*|засчитан\\w?|сделан\\w?|выдан\\w?|собран\\w?|начислен\\w?|забрал\\w*|выполнен\\w?|принят\\w?)",
        ],
        before: "\\b(?:не|если|возможно|может|когда|кто|те|многие|пользовател\\w+|участник\\w+|друг|друзья|вчера|вчерашн\\w+|каждый)\\b|\\d+ (?:челов|польз|участ)|[\"«“]$",
        after: "^[\"»”]|^\\s*(?:\\d|вчера)",
        then: "",
    },
    failure: Phrases {
        any: &[
            "\\bне удалось\\b",
            "\\bне получилось\\b",
            "\\bошибка\\b",
            "\\bнеудач\\w+",
            "\\bне (?:засчитан\\w?|выполнен\\w?|принят\\w?|начислен\\w?)\\b",
            "\\bпопробуйте (?:еще раз )?(?:позже|снова|позднее)",
            "\\b(?:вы|ты) не (?:зарегистрирован\\w?|подписан\\w?|авторизован\\w?)",
            "\\bдоступ (?:запрещен|закрыт|ограничен)",
            "\\bтехническ\\w+ работ\\w+",
            "\\b(?:неверный|неправильный) (?:ответ|код)\\b",
            "\\b(?:сначала|необходимо|нужно) (?:подпи\\w+|зарегистр\\w+)",
        ],
        before: "\\b(?:если|в случае|при|чтобы|без|может|могут|возможн\\w+|иначе|вчера|когда)\\b",
        after: "^\\s*(?:может|бывает)\\b",
        then: "",
    },
};
