use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn forge(kind: Kind, url: &str) -> Settings {
    Settings { kind, url: url.to_owned(), token_file: None }
}

/// The query of an address, decoded.
fn asked(address: &str) -> (String, Vec<(String, String)>) {
    let url = Url::parse(address).unwrap();
    (url.path().to_owned(), url.query_pairs().into_owned().collect())
}

fn value(query: &[(String, String)], name: &str) -> String {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

#[rstest]
#[case("shop", "shop in:name fork:true")]
#[case("team/shop", "shop in:name user:team fork:true")]
#[case("team/", "user:team fork:true")]
#[case("shop user:other is:private", "shop user other is private in:name fork:true")]
fn github_is_asked_for_names(#[case] words: &str, #[case] expected: &str) {
    let settings = forge(Kind::GitHub, "https://github.com");
    let address = repositories(&settings, &Words::of(words), false).unwrap();
    let (path, query) = asked(&address);
    assert_eq!((&*path, &*value(&query, "q")), ("/search/repositories", expected));
    assert!(address.starts_with("https://api.github.com/"));
}

#[test]
fn without_words_there_is_what_can_be_listed() {
    let (none, github) = (Words::of(" "), forge(Kind::GitHub, "https://github.com"));
    assert_eq!(repositories(&github, &none, false), None);
    assert_eq!(asked(&repositories(&github, &none, true).unwrap()).0, "/user/repos");
    let gitea = forge(Kind::Gitea, "https://h.test/git");
    let (path, query) = asked(&repositories(&gitea, &none, false).unwrap());
    assert_eq!((&*path, &*value(&query, "sort")), ("/git/api/v1/repos/search", "updated"));
}

#[rstest]
#[case("squeaks", "repo:team/shop is:issue is:open squeaks", "")]
#[case("", "repo:team/shop is:issue is:open", "updated")]
#[case("repo:other/x", "repo:team/shop is:issue is:open repo other/x", "")]
fn work_items_of_github_are_of_this_repository(
    #[case] words: &str,
    #[case] expected: &str,
    #[case] sort: &str,
) {
    let (settings, slug) =
        (forge(Kind::GitHub, "https://git.test"), Slug::parse("team/shop").unwrap());
    let (path, query) = asked(&work_items(&settings, &slug, &Words::of(words)));
    assert_eq!(path, "/api/v3/search/issues");
    assert_eq!((&*value(&query, "q"), &*value(&query, "sort")), (expected, sort));
}

#[rstest]
#[case("12", "/api/v1/repos/team/shop/issues/12")]
#[case(" #12 ", "/api/v1/repos/team/shop/issues/12")]
#[case("door", "/api/v1/repos/team/shop/issues")]
#[case("#0", "/api/v1/repos/team/shop/issues")]
#[case("+1", "/api/v1/repos/team/shop/issues/1")]
fn a_number_is_the_item_itself(#[case] words: &str, #[case] expected: &str) {
    let (settings, slug) = (forge(Kind::Gitea, "http://h.test"), Slug::parse("team/shop").unwrap());
    assert_eq!(asked(&work_items(&settings, &slug, &Words::of(words))).0, expected);
}

#[rstest]
#[case("team/shop", true)]
#[case("te-am_1/s.hop", true)]
#[case("team", false)]
#[case("team/", false)]
#[case("team/../user", false)]
#[case("../user", false)]
#[case("team/shop/issues", false)]
#[case("team/sh%6fp", false)]
#[case("team/shop?q", false)]
fn only_an_owner_and_a_name_stand_in_a_path(#[case] text: &str, #[case] expected: bool) {
    assert_eq!(Slug::parse(text).is_some(), expected);
}

proptest! {
    #[test]
    fn words_hold_no_operators(text in ".*") {
        let Words(words) = Words::of(&text);
        prop_assert!(words.chars().count() <= WORDS_CHARACTERS);
        let forbidden = |character: char| ":\"()&?=%+\\".contains(character) || character.is_control();
        prop_assert!(!words.contains(forbidden), "{}", words);
        prop_assert_eq!(Words::of(&words), Words(words.clone()));
    }
}

#[test]
fn every_way_to_list_is_read() {
    let settings = forge(Kind::Gitea, "https://h.test");
    let one = json!({"full_name": "team/shop", "description": "A\nshop", "private": true, "clone_url": "http://inside/x"});
    for answer in [json!([one]), json!({"items": [one]}), json!({"ok": true, "data": [one]})] {
        let listed: Listed<ToldRepository> = serde_json::from_value(answer).unwrap();
        let told = told_repositories(&settings, listed);
        let expected = Repository {
            name: "team/shop".to_owned(),
            url: "https://h.test/team/shop.git".to_owned(),
            description: Some("A shop".to_owned()),
            private: true,
        };
        assert_eq!(told, [expected]);
    }
}

#[test]
fn pull_requests_and_strange_names_are_left_out() {
    let item = |number: u64, more: serde_json::Value| json!({"number": number, "title": "t".repeat(300), "state": "closed", "pull_request": more});
    let answer = json!([item(1, json!({"merged": false})), item(2, json!(null))]);
    let told = told_items(serde_json::from_value(answer).unwrap());
    assert_eq!(told, [WorkItem { number: 2, title: "t".repeat(TEXT_CHARACTERS), open: false }]);
    let alone = told_items(serde_json::from_value(item(3, json!(null))).unwrap());
    assert_eq!(alone[0].number, 3);
    let strange = json!([{"full_name": "../x", "description": null}]);
    let settings = forge(Kind::Gitea, "https://h.test");
    assert_eq!(told_repositories(&settings, serde_json::from_value(strange).unwrap()), []);
}
