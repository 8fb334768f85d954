//! The servers, each as it was measured (or, for the last three, as public material has it).

use crate::profile::{
    Collection, Cut, Full, IfHeader, Left, Listed, Lock, MadeOf, MissingParent, MoveOntoTaken, Profile, UnmodifiedSince,
};

/// All of them.
pub const ALL: &[Profile] = &[
    APACHE,
    NGINX,
    NGINX_STOCK,
    LIGHTTPD,
    RCLONE,
    WSGIDAV,
    DUFS,
    DAV_SERVER,
    NPM,
    X_NET,
    SABRE,
    COPYPARTY,
    NEXTCLOUD,
    JIANGUOYUN,
    ALIST,
];

/// Apache 2.4 with `mod_dav_fs`.
pub const APACHE: Profile = Profile {
    name: "apache",
    tag_read: true,
    tag_listed: Listed::Quoted,
    tag_stored: false,
    tag_made_of: MadeOf::SizeAndMicroseconds,
    tag_weak_when_fresh: true,
    tag_gzip: true,
    last_modified: true,
    put_conditions: true,
    if_match_creates: false,
    unmodified_since: UnmodifiedSince::Refused,
    if_header: IfHeader::Obeyed,
    racy: true,
    put_replaced: 204,
    missing_parent: MissingParent::Status(409),
    cut: Cut::Kept,
    full: Full { status: Some(507), left: Left::Before },
    largest_put: None,
    mkcol_existing: 405,
    mkcol_recursive: false,
    mkcol_needs_slash: false,
    move_onto_taken: MoveOntoTaken::Status(412),
    move_never_replaces: false,
    move_conditions: true,
    overwrite_by_default: true,
    destination_full: true,
    lists: true,
    lists_full_addresses: false,
    lists_lower_case: true,
    hides_dot_files: false,
    page: None,
    depth_infinity: 403,
    collection: Collection::RedirectFull(301),
    propfind_redirects: true,
    careless_ranges: false,
    lock: Lock::Real,
    options_open: false,
    get_unauthorised: 401,
    jianguoyun: false,
    most_requests: None,
    hands_reads_over: false,
};

/// nginx with the dav-ext module, and its limit for bodies raised.
pub const NGINX: Profile = Profile {
    name: "nginx",
    tag_listed: Listed::No,
    tag_made_of: MadeOf::SizeAndSeconds,
    tag_weak_when_fresh: false,
    tag_gzip: false,
    put_conditions: false,
    unmodified_since: UnmodifiedSince::Ignored,
    if_header: IfHeader::Ignored,
    missing_parent: MissingParent::Status(500),
    full: Full { status: Some(500), left: Left::Before },
    mkcol_needs_slash: true,
    move_conditions: false,
    destination_full: false,
    lists_lower_case: false,
    hides_dot_files: true,
    propfind_redirects: false,
    ..APACHE
};

/// nginx as it comes, with its own WebDAV module: it cannot list, and takes 1 MiB.
pub const NGINX_STOCK: Profile =
    Profile { name: "nginx stock", lists: false, lock: Lock::Unknown, largest_put: Some(1024 * 1024), ..NGINX };

/// lighttpd with `mod_webdav`: one event loop, so no races.
pub const LIGHTTPD: Profile = Profile {
    name: "lighttpd",
    tag_stored: true,
    tag_made_of: MadeOf::Serial,
    tag_weak_when_fresh: false,
    tag_gzip: false,
    unmodified_since: UnmodifiedSince::Obeyed,
    racy: false,
    full: Full { status: Some(500), left: Left::Before },
    destination_full: false,
    collection: Collection::RedirectPath(301),
    propfind_redirects: false,
    ..APACHE
};

/// `rclone serve webdav`.
pub const RCLONE: Profile = Profile {
    name: "rclone",
    tag_stored: true,
    tag_made_of: MadeOf::SizeAndNanoseconds,
    put_conditions: false,
    unmodified_since: UnmodifiedSince::Ignored,
    if_header: IfHeader::Refused,
    racy: true,
    put_replaced: 201,
    missing_parent: MissingParent::Status(404),
    cut: Cut::Truncated,
    full: Full { status: Some(405), left: Left::Empty },
    mkcol_existing: 201,
    move_conditions: false,
    overwrite_by_default: false,
    lists_lower_case: false,
    collection: Collection::Status(405),
    options_open: true,
    ..LIGHTTPD
};

/// wsgidav on cheroot.
pub const WSGIDAV: Profile = Profile {
    name: "wsgidav",
    tag_listed: Listed::Unquoted,
    tag_made_of: MadeOf::InodeSizeAndSeconds,
    if_match_creates: true,
    racy: true,
    cut: Cut::Truncated,
    full: Full { status: Some(500), left: Left::Part },
    lists_lower_case: false,
    ..LIGHTTPD
};

/// dufs.
pub const DUFS: Profile = Profile {
    name: "dufs",
    tag_listed: Listed::No,
    tag_stored: false,
    tag_made_of: MadeOf::SizeAndMilliseconds,
    if_header: IfHeader::Ignored,
    missing_parent: MissingParent::Made,
    cut: Cut::Deleted,
    full: Full { status: Some(500), left: Left::Nothing },
    mkcol_existing: 405,
    mkcol_recursive: true,
    move_onto_taken: MoveOntoTaken::Overwrites,
    overwrite_by_default: true,
    collection: Collection::Status(200),
    lock: Lock::Fake,
    ..RCLONE
};

/// The Rust crate dav-server, with `LocalFs` and `FakeLs`.
pub const DAV_SERVER: Profile = Profile {
    name: "dav-server",
    tag_listed: Listed::Unquoted,
    tag_made_of: MadeOf::InodeSizeAndMicroseconds,
    racy: true,
    cut: Cut::Truncated,
    full: Full { status: Some(507), left: Left::Part },
    lists_lower_case: false,
    collection: Collection::RedirectPath(302),
    lock: Lock::Fake,
    ..LIGHTTPD
};

/// npm's webdav-server 2.
pub const NPM: Profile = Profile {
    name: "npm",
    tag_read: false,
    tag_stored: false,
    tag_made_of: MadeOf::SizeAndMilliseconds,
    last_modified: false,
    if_header: IfHeader::Fatal,
    put_replaced: 200,
    missing_parent: MissingParent::Status(409),
    full: Full { status: Some(500), left: Left::Part },
    mkcol_existing: 405,
    lists_full_addresses: true,
    careless_ranges: true,
    lock: Lock::Toothless,
    options_open: false,
    ..RCLONE
};

/// golang.org/x/net/webdav.
pub const X_NET: Profile = Profile {
    name: "x/net",
    full: Full { status: Some(405), left: Left::Part },
    mkcol_existing: 405,
    options_open: false,
    ..RCLONE
};

/// sabre/dav with its file system backend.
pub const SABRE: Profile = Profile {
    name: "sabre",
    tag_made_of: MadeOf::Content,
    racy: false,
    missing_parent: MissingParent::Status(404),
    full: Full { status: None, left: Left::Part },
    move_conditions: false,
    lists_lower_case: false,
    collection: Collection::Status(501),
    ..LIGHTTPD
};

/// copyparty.
pub const COPYPARTY: Profile = Profile {
    name: "copyparty",
    tag_read: false,
    tag_listed: Listed::No,
    tag_stored: false,
    cut: Cut::Truncated,
    full: Full { status: Some(500), left: Left::Part },
    move_onto_taken: MoveOntoTaken::Status(400),
    hides_dot_files: true,
    get_unauthorised: 403,
    ..DUFS
};

/// Nextcloud, from its source and threads.
pub const NEXTCLOUD: Profile = Profile {
    name: "nextcloud",
    tag_gzip: true,
    tag_made_of: MadeOf::Serial,
    missing_parent: MissingParent::Status(409),
    full: Full { status: Some(507), left: Left::Before },
    ..SABRE
};

/// Jianguoyun 坚果云, from its help page and threads. Its conditions are not known, so they are ignored.
pub const JIANGUOYUN: Profile = Profile {
    name: "jianguoyun",
    put_conditions: false,
    unmodified_since: UnmodifiedSince::Ignored,
    if_header: IfHeader::Ignored,
    missing_parent: MissingParent::Status(409),
    full: Full { status: Some(507), left: Left::Before },
    largest_put: Some(500 * 1024 * 1024),
    move_onto_taken: MoveOntoTaken::Status(409),
    move_never_replaces: true,
    page: Some(750),
    collection: Collection::Status(403),
    jianguoyun: true,
    most_requests: Some(600),
    ..SABRE
};

/// AList and OpenList, from their source: a fork of golang.org/x/net/webdav that hands reading over.
pub const ALIST: Profile =
    Profile { name: "alist", missing_parent: MissingParent::Status(405), hands_reads_over: true, ..X_NET };
