//! In what WebDAV servers differ.

/// One server. What is not said here is as RFC 4918 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent habit of a server")]
pub struct Profile {
    /// As in the tables.
    pub name: &'static str,
    /// Whether GET and HEAD carry an entity tag.
    pub tag_read: bool,
    /// How listings carry it.
    pub tag_listed: Listed,
    /// Whether the answer to PUT carries it.
    pub tag_stored: bool,
    /// What it is made of.
    pub tag_made_of: MadeOf,
    /// Whether it is weak for a second after a write (Apache).
    pub tag_weak_when_fresh: bool,
    /// Whether it ends in `-gzip` for who accepts compression (Apache with `mod_deflate`).
    pub tag_gzip: bool,
    /// Whether GET and HEAD carry `Last-Modified`.
    pub last_modified: bool,
    /// Whether PUT obeys `If-Match` and `If-None-Match`.
    pub put_conditions: bool,
    /// Whether PUT with `If-Match` creates what is missing, although it obeys conditions.
    pub if_match_creates: bool,
    /// What PUT makes of `If-Unmodified-Since`.
    pub unmodified_since: UnmodifiedSince,
    /// What is made of the `If` header.
    pub if_header: IfHeader,
    /// Whether a condition is checked before the body comes and not again when it is stored, so that two may win.
    pub racy: bool,
    /// Status of a PUT over something; a new name is always 201.
    pub put_replaced: u16,
    /// A PUT whose directory is missing.
    pub missing_parent: MissingParent,
    /// What is left of a file after a PUT onto it was cut.
    pub cut: Cut,
    /// What a PUT onto a full disk ends in.
    pub full: Full,
    /// Largest body of a PUT, in bytes: 413 above.
    pub largest_put: Option<u64>,
    /// MKCOL onto a directory.
    pub mkcol_existing: u16,
    /// Whether MKCOL makes those above as well.
    pub mkcol_recursive: bool,
    /// Whether MKCOL without a slash at the end is 409 (nginx).
    pub mkcol_needs_slash: bool,
    /// MOVE with `Overwrite: F` onto a name that is taken.
    pub move_onto_taken: MoveOntoTaken,
    /// Whether MOVE with `Overwrite: T` onto a name that is taken is 409 (Jianguoyun).
    pub move_never_replaces: bool,
    /// Whether MOVE obeys `If-Match`.
    pub move_conditions: bool,
    /// What MOVE without `Overwrite` does.
    pub overwrite_by_default: bool,
    /// Whether `Destination` must be a full address (Apache).
    pub destination_full: bool,
    /// Whether there is PROPFIND.
    pub lists: bool,
    /// Whether listings carry full addresses (npm).
    pub lists_full_addresses: bool,
    /// Whether percent-encoding in listings is in lower case.
    pub lists_lower_case: bool,
    /// Whether listings leave out names that begin with a dot.
    pub hides_dot_files: bool,
    /// Most entries of a listing.
    pub page: Option<usize>,
    /// Status of PROPFIND with `Depth: infinity`.
    pub depth_infinity: u16,
    /// GET on a directory without the slash.
    pub collection: Collection,
    /// Whether PROPFIND on a directory without the slash is redirected (Apache).
    pub propfind_redirects: bool,
    /// Whether `If-Range` and the end of the file are ignored (npm).
    pub careless_ranges: bool,
    /// LOCK.
    pub lock: Lock,
    /// Whether OPTIONS needs no password.
    pub options_open: bool,
    /// Status of a GET without password; everything else is 401.
    pub get_unauthorised: u16,
    /// Whether whatever lacks its directory is 409 `AncestorsNotFound`, and no file may lie in the root (Jianguoyun).
    pub jianguoyun: bool,
    /// Most requests before 503 `BlockedTemporarily`.
    pub most_requests: Option<usize>,
    /// Whether GET is handed over to another address (AList).
    pub hands_reads_over: bool,
}

/// How listings carry an entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Not.
    No,
    /// As in a header, quotes written as `&quot;`.
    Quoted,
    /// Without its quotes.
    Unquoted,
}

/// What an entity tag is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each says it")]
pub enum MadeOf {
    SizeAndNanoseconds,
    SizeAndMicroseconds,
    SizeAndMilliseconds,
    SizeAndSeconds,
    InodeSizeAndMicroseconds,
    InodeSizeAndSeconds,
    /// Anew with each write.
    Serial,
    Content,
    /// Anew with each answer.
    Random,
}

/// What PUT makes of `If-Unmodified-Since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmodifiedSince {
    /// Nothing.
    Ignored,
    /// What it says.
    Obeyed,
    /// 412 in any case (Apache).
    Refused,
}

/// What is made of the `If` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfHeader {
    /// What it says.
    Obeyed,
    /// 412 in any case.
    Refused,
    /// Nothing.
    Ignored,
    /// The process ends.
    Fatal,
}

/// A PUT whose directory is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingParent {
    /// Refused.
    Status(u16),
    /// The directory is made.
    Made,
}

/// What is left of a file after a PUT onto it was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// What was there before.
    Kept,
    /// What came; readers saw it grow.
    Truncated,
    /// Nothing.
    Deleted,
}

/// What a PUT onto a full disk ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// `None`: success is claimed.
    pub status: Option<u16>,
    /// What is left.
    pub left: Left,
}

/// What is left of a file after a PUT onto a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each says it")]
pub enum Left {
    Before,
    Part,
    Empty,
    Nothing,
}

/// MOVE with `Overwrite: F` onto a name that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveOntoTaken {
    /// Refused, and nothing happens.
    Status(u16),
    /// It is overwritten all the same.
    Overwrites,
}

/// GET on a directory without the slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// Redirected to a full address.
    RedirectFull(u16),
    /// Redirected to a path.
    RedirectPath(u16),
    /// Answered.
    Status(u16),
}

/// LOCK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// 405.
    Unknown,
    /// Given to everybody, and blocks nothing.
    Fake,
    /// Given once, and blocks PUT.
    Real,
    /// Given once, and does not block PUT.
    Toothless,
}
