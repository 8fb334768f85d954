//! PROPFIND.

use quick_xml::escape::escape;

use super::{Call, http_date};
use crate::answer::{Answer, answer, with};
use crate::fault::Fault;
use crate::profile::Listed;
use crate::server::{ROOT, World};
use crate::tree::{File, Node, Tree, name};

pub(crate) fn propfind(call: &Call) -> Answer {
    let profile = call.profile();
    if !profile.lists {
        return answer(405, "");
    }
    let depth = call.header("depth").unwrap_or("infinity");
    if depth == "infinity" {
        return answer(profile.depth_infinity, "");
    }
    let mut world = call.shared.world();
    let tree = world.listed.clone().unwrap_or_else(|| world.tree.clone());
    let Some(node) = tree.get(&call.path) else { return answer(404, "") };
    let is_directory = matches!(node, Node::Directory);
    if is_directory && !call.slash && profile.propfind_redirects {
        let location = format!("http://{}{ROOT}{}/", call.shared.address, call.path);
        return with(answer(301, ""), "location", &location);
    }
    let mut entries = vec![entry(call, &mut world, &call.path, node)];
    if depth == "1" && is_directory {
        entries.extend(children(call, &tree, &mut world));
    }
    entries.truncate(profile.page.unwrap_or(usize::MAX));
    if call.fault == Some(Fault::HalfListing) {
        // The directory itself stays.
        let mut number = 0;
        entries.retain(|_| {
            number += 1;
            number % 2 == 1
        });
    }
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">{}</D:multistatus>\n",
        entries.concat()
    );
    with(answer(207, body), "content-type", "application/xml; charset=utf-8")
}

fn children(call: &Call, tree: &Tree, world: &mut World) -> Vec<String> {
    let hides = call.profile().hides_dot_files;
    let shown = tree.children(&call.path).into_iter().filter(|(path, _)| !(hides && name(path).starts_with('.')));
    shown.map(|(path, node)| entry(call, world, path, node)).collect()
}

fn entry(call: &Call, world: &mut World, path: &str, node: &Node) -> String {
    let profile = call.profile();
    let directory = matches!(node, Node::Directory);
    let slash = if directory && !path.is_empty() { "/" } else { "" };
    let root =
        if profile.lists_full_addresses { format!("http://{}{ROOT}", call.shared.address) } else { ROOT.to_owned() };
    let href = format!("{root}{}{slash}", encoded(path, profile.lists_lower_case));
    let properties = match node {
        Node::Directory => "<D:resourcetype><D:collection/></D:resourcetype>".to_owned(),
        Node::File(file) => file_properties(call, world, file),
    };
    format!(
        "<D:response><D:href>{}</D:href><D:propstat><D:prop>{properties}</D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n",
        escape(href.as_str())
    )
}

fn file_properties(call: &Call, world: &mut World, file: &File) -> String {
    let tag = call.tag(world, file);
    let tag = match call.profile().tag_listed {
        Listed::No => String::new(),
        Listed::Quoted => format!("<D:getetag>{}</D:getetag>", escape(tag.as_str())),
        Listed::Unquoted => format!("<D:getetag>{}</D:getetag>", tag.trim_matches('"')),
    };
    format!(
        "<D:resourcetype/><D:getcontentlength>{}</D:getcontentlength><D:getlastmodified>{}</D:getlastmodified>{tag}",
        file.bytes.len(),
        http_date(file.modified)
    )
}

fn encoded(path: &str, lower_case: bool) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(char::from(byte)),
            other if lower_case => text.push_str(&format!("%{other:02x}")),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}
