#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const ITSELF: &str = "<D:response><D:href>/dav/x/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/>\
    </D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>";

fn document(responses: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<D:multistatus xmlns:D=\"DAV:\">{responses}</D:multistatus>\n")
}

fn file(href: &str, properties: &str) -> String {
    format!(
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype/>{properties}</D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

fn listed(responses: &str) -> Result<Listing, Problem> {
    parse(document(&format!("{ITSELF}{responses}")).as_bytes(), "/dav/x/")
}

fn unreadable(answer: &str) {
    assert!(matches!(parse(answer.as_bytes(), "/dav/x/"), Err(Problem::ListingUnreadable(_))), "{answer:.300}");
}

#[test]
fn files_are_listed_by_name_with_length_and_tag_and_nothing_else_is() {
    let sub = "<D:response><D:href>/dav/x/sub/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/>\
               </D:resourcetype></D:prop></D:propstat></D:response>";
    let found = listed(&format!(
        "{}{}{sub}{}{}",
        file(
            "/dav/x/b%5b1%5d",
            "<D:getcontentlength> 5 </D:getcontentlength><D:getetag>&quot;t&#45;1&quot;</D:getetag>"
        ),
        file("http://h:1/dav/x/a&amp;b", "<D:getcontentlength/><D:getetag>W/\"1\"</D:getetag>"),
        file("/dav/other", "<D:getcontentlength>1</D:getcontentlength>"),
        file("/dav/x/sub/deep", "<D:getcontentlength>1</D:getcontentlength>"),
    ))
    .unwrap();
    let names: Vec<_> = found.entries.iter().map(|entry| (entry.name.as_str(), entry.length)).collect();
    assert_eq!(names, [("a&b", None), ("b[1]", Some(5))]);
    assert_eq!(found.get("b[1]").unwrap().tag, EntityTag::parse("\"t-1\""));
    assert!(found.get("a&b").unwrap().tag.as_ref().unwrap().is_weak());
}

#[test]
fn any_prefix_and_a_default_namespace_are_understood_and_foreign_elements_are_not_taken_for_ours() {
    let answer = "<multistatus xmlns=\"DAV:\" xmlns:o=\"other\"><response><href>/dav/x</href></response><response>\
        <href>/dav/x/a</href><propstat><prop><o:getcontentlength>9</o:getcontentlength><getcontentlength>3\
        </getcontentlength></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>";
    assert_eq!(parse(answer.as_bytes(), "/dav/x/").unwrap().get("a").unwrap().length, Some(3));
}

#[test]
fn properties_the_server_refuses_do_not_count() {
    let refused = "<D:response><D:href>/dav/x/a</D:href><D:propstat><D:prop><D:getcontentlength>9</D:getcontentlength>\
        </D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\
        <D:response><D:href>/dav/x/b</D:href><D:status>HTTP/1.1 403 Forbidden</D:status></D:response>";
    let found = listed(refused).unwrap();
    assert_eq!(found.entries, [Entry { name: "a".to_owned(), length: None, tag: None }]);
}

#[test]
fn an_answer_about_another_directory_is_not_an_empty_one() {
    let elsewhere = document(&ITSELF.replace("/dav/x/", "/x/"));
    let Err(Problem::ListingUnreadable(cause)) = parse(elsewhere.as_bytes(), "/dav/x/") else { panic!("accepted") };
    assert!(cause.contains("/x/"), "{cause}");
    unreadable(&document(""));
}

#[test]
fn a_document_that_breaks_off_anywhere_is_no_listing() {
    let whole = document(&format!("{ITSELF}{}", file("/dav/x/a", "<D:getcontentlength>1</D:getcontentlength>")));
    let end = whole.trim_end().len();
    for cut in 0..end {
        unreadable(&whole[..cut]);
    }
    assert!(parse(whole.as_bytes(), "/dav/x/").is_ok());
}

#[test]
fn hostile_documents_are_refused() {
    for hostile in [
        "<!DOCTYPE m [<!ENTITY a \"b\">]><D:multistatus xmlns:D=\"DAV:\"/>".to_owned(),
        document(&format!("{ITSELF}{}", file("/dav/x/&a;", ""))),
        document(&format!("{ITSELF}{}", file("/dav/x/&#xFFFFFFFF;", ""))),
        document(&format!("{ITSELF}{}", file(&format!("/dav/x/{}", "a".repeat(LONGEST_TEXT)), ""))),
        document(&format!("{ITSELF}{}", file("/dav/x/a", "<D:getcontentlength>-1</D:getcontentlength>"))),
        document(&"<D:response>".repeat(DEEPEST + 1)),
        document(&format!("{ITSELF}<D:response></D:response>")),
        document(ITSELF).repeat(2),
        "<html><body>Welcome</body></html>".to_owned(),
        "<D:multistatus xmlns:D=\"other\"></D:multistatus>".to_owned(),
        String::new(),
    ] {
        unreadable(&hostile);
    }
    assert!(matches!(parse(b"\xff\xfe", "/"), Err(Problem::ListingUnreadable(_))));
    assert!(matches!(parse(&vec![b' '; LONGEST + 1], "/"), Err(Problem::TooLarge { .. })));
    let twice = format!(
        "{}{}",
        file("/dav/x/a", "<D:getcontentlength>1</D:getcontentlength>"),
        file("/dav/x/%61", "<D:getcontentlength>2</D:getcontentlength>")
    );
    assert!(matches!(listed(&twice), Err(Problem::ListingUnreadable(_))));
}

#[test]
fn a_listing_that_ends_where_a_page_ends_is_not_trusted() {
    let many = |number: usize| (0..number).map(|n| file(&format!("/dav/x/{n}"), "")).collect::<String>();
    for number in [749, 750] {
        assert!(matches!(listed(&many(number)), Err(Problem::ListingTruncated { .. })), "{number}");
    }
    for number in [748, 751] {
        assert_eq!(listed(&many(number)).unwrap().entries.len(), number);
    }
}
